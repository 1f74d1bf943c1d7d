/** Parties that will not go on without a reservation, under a rule that gives none (RFC 3312 §5.1, §8). Pure. */
import type { Refusal } from "../../model/decision.js";
import type { AskedFlow } from "./flow-ask.js";

/** @param rule - that serves these flows as best effort */
export function unmetPrecondition(flows: readonly AskedFlow[], rule: string): Refusal | undefined {
  const first = flows.find(({ ask }) => ask?.mandatory === true);
  if (first === undefined) return undefined;
  const text = `medium ${first.ask?.index ?? 0} has to be reserved (a=des:qos mandatory), rule ${rule} serves it as best effort`;
  return { admitted: false, reason: "qualityUnavailable", text };
}
