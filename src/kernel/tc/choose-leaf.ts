/** Which queue best effort gets, by trying. */
import { probeQdisc } from "../probe/qdisc.js";
import type { ScratchRunner } from "../probe/scratch.js";
import type { BestEffortKind } from "./leaf.js";

export interface LeafChoice {
  readonly kind: BestEffortKind;
  /** One sentence for `doctor` and `show`: what was chosen, and why nothing better. */
  readonly detail: string;
}

/** The better first. A sized bfifo always works: HTB itself is built on FIFOs. */
const CANDIDATES = ["fq_codel", "cake"] as const;

/** About 5 ms for each candidate that is not there. */
export async function chooseLeaf(run?: ScratchRunner): Promise<LeafChoice> {
  const reasons: string[] = [];
  for (const kind of CANDIDATES) {
    const { outcome, evidence } = await probeQdisc(kind, run);
    if (outcome === "supported") {
      const detail = `best effort is queued by ${kind}`;
      return { kind, detail: reasons.length === 0 ? detail : `${detail}; ${reasons.join(", ")}` };
    }
    reasons.push(outcome === "unknown" ? `${kind} unknown (${evidence})` : `${kind} ${outcome}`);
  }
  return { kind: "bfifo", detail: `best effort is queued by a sized bfifo; ${reasons.join(", ")}` };
}
