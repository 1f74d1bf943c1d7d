/** Whether the evidence shows what the demo of the game claims. Pure: each check says what it saw. */
import { ASSURED_P99_MS, BEST_EFFORT_LOSS_PCT, type Check } from "../../src/lab/demo/checks.js";
import type { CallMedia } from "../../src/lab/demo/evidence.js";
import type { MediaFigures } from "../../src/lab/media.js";
import { describeDscp, PHB_DSCP } from "../../src/model/phb.js";
import type { Dscp } from "../../src/model/units.js";
import type { Evidence, HopEvidence, PaidRecord } from "./evidence.js";
import { AGAIN } from "./signalling.js";

/** What the two routers count of one session differs by what is under way when it begins and ends. */
export const RECORDS_DIFFER_PCT = 2;
/** Of a plain call, over each hop: one answered INVITE, and one BYE. A 100 goes hop by hop (RFC 3261 §16.2). */
const PLAIN_CALL = {
  setup: { INVITE: 1, "200": 1, ACK: 1 },
  teardown: { BYE: 1, "200": 1 },
} as const;
const PROVISIONAL = ["100", "180"];
/**
 * A callee repeats its 2xx from 500 ms on until the ACK comes, and each is acknowledged (RFC 3261 §13.3.1.4, §13.2.2.4). They are no
 * messages of the negotiation, so they are told and not counted; on a slow machine they say how long the answer took.
 */
const REPEATED = [`200${AGAIN}`, `ACK${AGAIN}`];

export function checkGame(evidence: Evidence): readonly Check[] {
  const { wire, left, malformed } = evidence;
  return [
    grantedCheck(evidence),
    floodCheck(evidence),
    lossCheck("the game loses nothing", wire.assured, (figures) => figures.received === figures.sent),
    {
      name: `the game's p99 delay is at most ${ASSURED_P99_MS} ms`,
      ok: bothOf(wire.assured).every(({ received, p99Ms }) => received > 0 && p99Ms <= ASSURED_P99_MS),
      detail: `${wire.assured.toCallee.p99Ms} ms to the callee, ${wire.assured.toCaller.p99Ms} ms back`,
    },
    lossCheck(
      `best effort loses more than ${BEST_EFFORT_LOSS_PCT} %`,
      wire.bestEffort,
      ({ lossPct }) => lossPct > BEST_EFFORT_LOSS_PCT,
    ),
    dscpCheck("the game arrives marked CS4", wire.assured, PHB_DSCP.CS4),
    dscpCheck("best effort arrives unmarked", wire.bestEffort, PHB_DSCP.BE),
    pagesCheck(evidence),
    ladderCheck(evidence),
    recordsCheck(evidence),
    {
      name: "nothing left after",
      ok: left.elements === 0 && left.sessions === 0,
      detail: `${left.elements} session elements on R1 and R2, ${left.sessions} sessions on POL1 and POL2`,
    },
    {
      name: "no malformed message",
      ok: malformed.length === 0,
      detail: malformed[0] ?? "tshark finds none in any server's capture",
    },
  ];
}

const bothOf = ({ toCallee, toCaller }: CallMedia): readonly MediaFigures[] => [toCallee, toCaller];

/** Both policy servers reserved what was wanted, and the page says the same. */
function grantedCheck({ granted, sessions }: Evidence): Check {
  const servers = new Set(sessions.map(({ server }) => server));
  const isReserved = sessions.every(
    ({ state, result, sessionClass, phb }) =>
      state === "reserved" && result === "granted" && sessionClass === "game-fps" && phb === "CS4",
  );
  const inKbits = (rate: number): number => Math.round(rate / 1000);
  const held = sessions.map(({ toCallee, toCaller }) => `${inKbits(toCallee)} / ${inKbits(toCaller)}`);
  const isShown =
    granted.length === held.length &&
    granted.every(({ result, phb, rates }) => result === "granted" && phb === "CS4" && held.includes(rates));
  const shown = granted.map(({ by, result, rates, phb }) => `${by} ${result} ${rates} kbit/s ${phb}`);
  return {
    name: "granted as wanted by both policy servers",
    ok: servers.size === 2 && isReserved && isShown,
    detail: `the page: ${shown.join(", ") || "nothing"}; held by ${[...servers].join(", ") || "none"}`,
  };
}

/** Assured means little on an idle link. */
function floodCheck({ routers }: Evidence): Check {
  const dropped = routers.map(({ classes }) =>
    classes.filter(({ kind }) => kind === "default").reduce((sum, { dropped: count }) => sum + count, 0),
  );
  return {
    name: "the core link is flooded both ways",
    ok: dropped.length === 2 && dropped.every((count) => count > 10_000),
    detail: `packets of best effort dropped: ${routers.map(({ router }, index) => `${router} ${dropped[index]}`).join(", ")}`,
  };
}

function lossCheck(name: string, media: CallMedia, isSo: (figures: MediaFigures) => boolean): Check {
  const text = ({ sent, lossPct }: MediaFigures): string => `${lossPct} % of ${sent}`;
  return {
    name,
    ok: bothOf(media).every((figures) => figures.sent > 0 && isSo(figures)),
    detail: `${text(media.toCallee)} to the callee, ${text(media.toCaller)} back`,
  };
}

function dscpCheck(name: string, media: CallMedia, wanted: number): Check {
  const seen = [...new Set(bothOf(media).flatMap(({ dscp }) => dscp))];
  return {
    name,
    ok: bothOf(media).every(({ dscp }) => dscp.length === 1 && dscp[0] === wanted),
    detail: seen.map((value) => describeDscp(value as Dscp)).join(", ") || "nothing arrived",
  };
}

/** The game itself: no number of its packets is missing, and both sides agree on the state. */
function pagesCheck({ pages }: Evidence): Check {
  const texts = pages.map(
    ({ user, counters, bestEffortCounters }) =>
      `${user} ${counters.received} of ${counters.expected}, beside it ${bestEffortCounters.received}, and ${bestEffortCounters.sent} sent`,
  );
  // Both ways together: congestion control lets the second connection send little of what it would, and perhaps none arrives.
  const sum = (name: "received" | "sent"): number =>
    pages.reduce((total, { bestEffortCounters }) => total + bestEffortCounters[name], 0);
  return {
    name: "the pages measured the same",
    ok:
      pages.length === 2 &&
      pages.every(
        ({ counters, diverged }) => !diverged && counters.received > 0 && counters.received === counters.expected,
      ) &&
      sum("received") < sum("sent") * (1 - BEST_EFFORT_LOSS_PCT / 100),
    detail: `packets received: ${texts.join("; ")}`,
  };
}

function ladderCheck({ hops }: Evidence): Check {
  const isPlain = (counts: Readonly<Record<string, number>>, plain: Readonly<Record<string, number>>): boolean => {
    const finals = Object.entries(counts).filter(([name]) => ![...PROVISIONAL, ...REPEATED].includes(name));
    return (
      finals.length === Object.keys(plain).length &&
      finals.every(([name, count]) => count === plain[name]) &&
      PROVISIONAL.every((name) => (counts[name] ?? 0) <= 1)
    );
  };
  return {
    name: "one INVITE/200/ACK, as in a plain call",
    ok:
      hops.length === 3 &&
      hops.every(({ setup, teardown }) => isPlain(setup, PLAIN_CALL.setup) && isPlain(teardown, PLAIN_CALL.teardown)),
    detail: hops.map(describeHop).join("; "),
  };
}

export const describeHop = ({ hop, setup, teardown }: HopEvidence): string =>
  `${hop}: ${[setup, teardown].map(describeCounts).join(" / ")}`;

const describeCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([left], [right]) => placeOf(left) - placeOf(right))
    .map(([name, count]) => (count === 1 ? name : `${name} x${count}`))
    .join(" ") || "nothing";

/** Of a message in a call; those that have no place in it come last. */
function placeOf(name: string): number {
  const place = ["INVITE", ...PROVISIONAL, "BYE", "200", `200${AGAIN}`, "ACK", `ACK${AGAIN}`].indexOf(name);
  return place === -1 ? Number.MAX_SAFE_INTEGER : place;
}

/** What the one sent the other got; both pay the same, and what is paid is shared out. */
function recordsCheck({ records, session }: Evidence): Check {
  const [one, other] = records;
  const text = ({ user, octetsIn, octetsOut, price }: PaidRecord): string =>
    `${user} in ${octetsIn}, out ${octetsOut} octets, ${price || "no price"}`;
  return {
    name: "the records of both sides agree",
    ok:
      records.length === 2 &&
      one !== undefined &&
      other !== undefined &&
      records.every((record) => record.session === session && record.outOfProfile === 0 && isSharedOut(record)) &&
      isNear(one.octetsIn, other.octetsOut) &&
      isNear(one.octetsOut, other.octetsIn) &&
      isNear(Number.parseFloat(one.price), Number.parseFloat(other.price)),
    detail: records.map(text).join("; ") || "none",
  };
}

const isNear = (one: number, other: number): boolean =>
  one > 0 && Math.abs(one - other) <= (RECORDS_DIFFER_PCT / 100) * one;

const isSharedOut = ({ price, shares }: PaidRecord): boolean => {
  const sum = shares.reduce((total, { amount }) => total + Number(amount), 0);
  // Amounts have six places; each share may be rounded.
  return Math.abs(sum - Number.parseFloat(price)) < 0.000_002;
};
