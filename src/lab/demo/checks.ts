/** Whether the evidence shows what the demo claims. Pure: each check says what it saw. */
import type { LadderStep } from "../../model/ladder.js";
import { describeDscp, PHB_DSCP } from "../../model/phb.js";
import type { Dscp } from "../../model/units.js";
import type { MediaFigures } from "../media.js";
import type { MatchedLadder } from "../steps.js";
import type { Evidence, RouterSnapshot } from "./evidence.js";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export const BEST_EFFORT_LOSS_PCT = 20;
export const ASSURED_P99_MS = 5;

export function checkEvidence(evidence: Evidence): readonly Check[] {
  const { steps, status, media, installed, left, refusal, malformed } = evidence;
  return [
    { name: "calls", ok: status.bestEffort === 200 && status.assured === 200, detail: describeCalls(evidence) },
    ladderCheck("setup ladder", steps.setup),
    ladderCheck("teardown ladder", steps.teardown),
    ...mediaChecks(media.bestEffort.toCallee, media.bestEffort.toCaller, "best effort"),
    ...mediaChecks(media.assured.toCallee, media.assured.toCaller, "assured"),
    installedCheck("R1", installed.r1),
    installedCheck("R2", installed.r2),
    { name: "nothing left in the kernel", ok: left === 0, detail: `${left} session elements on R1 and R2 after BYE` },
    ...usageChecks(evidence),
    {
      name: "third call refused",
      ok: status.refused === 503 && refusal.reason !== "" && refusal.explanation.length > 0,
      detail: `${status.refused} ${refusal.reason}`.trim(),
    },
    {
      name: "no malformed message",
      ok: malformed.length === 0,
      detail: malformed[0] ?? "tshark finds none in any capture",
    },
  ];
}

const describeCalls = ({ status }: Evidence): string =>
  `best effort answered with ${status.bestEffort}, assured with ${status.assured}`;

function ladderCheck(name: string, { steps, missing, outOfOrder }: MatchedLadder): Check {
  const total = steps.length + missing.length;
  const complaints = [
    ...missing.map((step) => `missing ${describeStep(step)}`),
    ...outOfOrder.map((step) => `out of order ${describeStep(step)}`),
  ];
  const detail = complaints.length === 0 ? `${total} of ${total} messages, in order` : complaints.join("; ");
  return { name, ok: complaints.length === 0, detail };
}

const describeStep = ({ n, from, to, message }: LadderStep): string => `${n} ${message} ${from}>${to}`;

function mediaChecks(
  toCallee: MediaFigures,
  toCaller: MediaFigures,
  call: "best effort" | "assured",
): readonly Check[] {
  const both = [toCallee, toCaller];
  const losses = `${toCallee.lossPct} % of ${toCallee.sent} to the callee, ${toCaller.lossPct} % of ${toCaller.sent} back`;
  const sent = both.every((figures) => figures.sent > 0);
  if (call === "best effort") {
    const ok = sent && both.every(({ lossPct }) => lossPct > BEST_EFFORT_LOSS_PCT);
    return [{ name: "best effort loses more than 20 %", ok, detail: losses }];
  }
  const isMarked = both.every(({ dscp }) => dscp.length === 1 && dscp[0] === PHB_DSCP.EF);
  const seen = [...new Set(both.flatMap(({ dscp }) => dscp))];
  return [
    { name: "assured loses nothing", ok: sent && both.every(({ lossPct }) => lossPct === 0), detail: losses },
    {
      name: "assured p99 delay at most 5 ms",
      ok: sent && both.every(({ p99Ms }) => p99Ms <= ASSURED_P99_MS),
      detail: `${toCallee.p99Ms} ms to the callee, ${toCaller.p99Ms} ms back`,
    },
    {
      name: "assured arrives marked EF",
      ok: isMarked,
      detail: seen.map((value) => describeDscp(value as Dscp)).join(", ") || "nothing arrived",
    },
  ];
}

/** RTP both ways is the least; it has been seen by the kernel if its counters moved. */
function installedCheck(router: string, { flows, elements }: RouterSnapshot): Check {
  const counting = flows.filter(({ inProfile }) => inProfile.packets > 0).length;
  return {
    name: `installed on ${router} during the call`,
    ok: counting >= 2 && elements > 0,
    detail: `${flows.length} flows, ${counting} of them counting; ${elements} map elements`,
  };
}

function usageChecks({ usage, media }: Evidence): readonly Check[] {
  const received = media.assured.toCallee.octets + media.assured.toCaller.octets;
  const sides = usage.map(({ side }) => side).sort();
  const amounts = usage.map(({ side, octets }) => `${side} ${octets}`).join(", ");
  return [
    {
      name: "one usage record from each side",
      ok: sides.length === 2 && sides[0] === "destination" && sides[1] === "source",
      detail: sides.join(", ") || "none",
    },
    {
      name: "usage equals what the receivers counted",
      ok: usage.length > 0 && usage.every(({ octets }) => octets === received),
      detail: `layer-3 octets: received ${received}; reported ${amounts || "nothing"}`,
    },
  ];
}
