/** The demo's result as the JSON document that `npm run demo -- --json` prints. */
import { combineDirections, type MediaFigures } from "../media.js";
import type { TimedStep } from "../steps.js";
import type { Check } from "./checks.js";
import type { CallMedia, Evidence, RouterSnapshot } from "./evidence.js";
import { isHeld } from "./report-parts.js";

/** `evidence` is undefined when the demo broke off; the checks then say where. */
export function demoDocument(checks: readonly Check[], evidence: Evidence | undefined) {
  return {
    ok: isHeld(checks),
    checks,
    setup: { steps: (evidence?.steps.setup.steps ?? []).map(stepView) },
    teardown: { steps: (evidence?.steps.teardown.steps ?? []).map(stepView) },
    media:
      evidence === undefined
        ? {}
        : { bestEffort: callView(evidence.media.bestEffort), assured: callView(evidence.media.assured) },
    kernel: {
      installed:
        evidence === undefined ? {} : { r1: routerView(evidence.installed.r1), r2: routerView(evidence.installed.r2) },
      left: evidence?.left ?? null,
    },
    usage: evidence?.usage ?? [],
    refused:
      evidence === undefined
        ? { status: 0, reason: "" }
        : {
            status: evidence.status.refused,
            reason: evidence.refusal.reason,
            explanation: evidence.refusal.explanation,
          },
  };
}

const stepView = ({ n, from, to, protocol, message, ms }: TimedStep) => ({ n, from, to, protocol, message, ms });

/** The worse direction of each figure, loss over both; and each direction by itself. */
function callView({ toCallee, toCaller }: CallMedia) {
  return {
    ...figuresView(combineDirections(toCallee, toCaller)),
    toCallee: figuresView(toCallee),
    toCaller: figuresView(toCaller),
  };
}

/** `dscp` is a number when all packets had the same, as they should; else the list of those seen. */
const figuresView = ({ lossPct, p50Ms, p99Ms, jitterMs, dscp, sent, received, octets }: MediaFigures) => ({
  lossPct,
  p50Ms,
  p99Ms,
  jitterMs,
  dscp: dscp.length === 1 ? dscp[0] : dscp,
  sent,
  received,
  octets,
});

const routerView = ({ flows, classes, elements }: RouterSnapshot) => ({ flows, classes, elements });
