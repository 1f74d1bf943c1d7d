/** How want of room is said to who asked for quality. Pure. */
import type { Refusal } from "../../model/decision.js";
import type { AskedFlow } from "./flow-ask.js";
import { asksQuality } from "./served-flows.js";

/**
 * RFC 3312 §8: not even the least is to be had of what the session requires. A plain call is told that the network is full, and
 * may try again.
 * @param flows - of the session
 */
export const rateRefusal = (refusal: Refusal, flows: readonly AskedFlow[]): Refusal =>
  refusal.reason === "noRoom" && asksQuality(flows) ? { ...refusal, reason: "rateUnavailable" } : refusal;
