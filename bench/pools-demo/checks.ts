/** Whether the evidence shows what the demo of pools claims. Pure: each check says what it saw. */
import type { Check } from "../../src/lab/demo/checks.js";
import { combineDirections, type MediaFigures } from "../../src/lab/media.js";
import { PHB_DSCP } from "../../src/model/phb.js";
import { CALLS, LARGE, SMALL } from "./configs.js";
import type { CallEvidence, Evidence, ReservedEvidence } from "./evidence.js";
import { isReserved } from "./reservation.js";

/** No human hears of it later. */
export const REFUSAL_MS = 500;
const GROW_MS = 5000;

export function checkPools(evidence: Evidence): readonly Check[] {
  const { before, grown, growMs, after, assured, sixth, refused, explanation, left } = evidence;
  return [
    reservedCheck("reserved on the whole way before anybody calls", before, SMALL, before.sessions === 0),
    floodCheck(evidence),
    ...assured.map((call) => assuredCheck(`call ${call.call} loses nothing`, call)),
    {
      name: `call ${refused.call} refused in milliseconds`,
      ok: refused.status >= 400 && refused.warning !== "" && refused.answerMs <= REFUSAL_MS,
      detail: `${refused.status} after ${refused.answerMs} ms: ${refused.warning}`,
    },
    {
      name: "the refusal is explained",
      ok: explanation.some((line) => line.includes("full")),
      detail: explanation.at(-1) ?? "nothing was said",
    },
    reservedCheck("grown on the whole way", grown, LARGE, growMs <= GROW_MS, `; ${growMs} ms after the command`),
    assuredCheck(`call ${sixth.call} let in, and loses nothing`, sixth),
    togetherCheck(evidence),
    reservedCheck("small again after the last call", after, SMALL, after.sessions === 0),
    tunnelCheck(evidence),
    { name: "nothing left in the kernels", ok: left === 0, detail: `${left} session elements on R1 and R2` },
  ];
}

function reservedCheck(name: string, seen: ReservedEvidence, rate: number, also: boolean, more = ""): Check {
  const list = (rates: Readonly<Record<string, number | readonly number[]>>): string =>
    Object.entries(rates)
      .map(([role, value]) => `${role} ${[value].flat().map(inKbits).join("/")}`)
      .join(", ");
  const parts = [
    `pools ${list(seen.pools)}`,
    `RSVP (layer 3) ${list(seen.granted)}`,
    `HTB ${list(seen.classes)} kbit/s`,
    `${seen.sessions} sessions`,
  ];
  return { name, ok: also && isReserved(seen, rate, LARGE - SMALL), detail: `${parts.join("; ")}${more}` };
}

const inKbits = (rate: number): string => String(Math.round(rate / 1000));

/** Assured means little on an idle link. */
function floodCheck({ samples }: Evidence): Check {
  const dropped = (samples.at(-1)?.dropped ?? 0) - (samples[0]?.dropped ?? 0);
  return {
    name: "the core link is flooded",
    ok: dropped > 10_000,
    detail: `${dropped} packets of best effort dropped at R1`,
  };
}

function assuredCheck(name: string, { status, media }: CallEvidence): Check {
  const worse = media === undefined ? undefined : combineDirections(media.toCallee, media.toCaller);
  const both: readonly MediaFigures[] = media === undefined ? [] : [media.toCallee, media.toCaller];
  return {
    name,
    ok:
      status === 200 &&
      both.length === 2 &&
      both.every(({ sent, received }) => sent > 0 && received === sent) &&
      both.every(({ dscp }) => dscp.length === 1 && dscp[0] === PHB_DSCP.EF),
    detail:
      worse === undefined
        ? `${status}`
        : `${status}; ${worse.received} of ${worse.sent} packets, p99 ${worse.p99Ms} ms, DSCP ${worse.dscp}`,
  };
}

function togetherCheck({ samples }: Evidence): Check {
  const most = Math.max(0, ...samples.map(({ sessions }) => sessions));
  const over = samples.filter(({ used, reserved }) => used > reserved).length;
  return {
    name: `${CALLS + 1} calls at once, never more than is reserved`,
    ok: most === CALLS + 1 && over === 0,
    detail: `at most ${most} sessions; used above reserved in ${over} of ${samples.length} samples`,
  };
}

/** One 5-tuple each way carries every call, and nothing of them goes beside it. */
function tunnelCheck({ outer }: Evidence): Check {
  const isTunnel = outer.every(({ inner, dscp }) => inner > CALLS && dscp.includes(PHB_DSCP.EF));
  const seen = outer.map(({ flow, packets, inner }) => `${flow}: ${packets} packets of ${inner} flows`);
  return { name: "one outer flow each way", ok: outer.length === 2 && isTunnel, detail: seen.join("; ") };
}
