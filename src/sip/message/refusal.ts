/** How a refusal is said to a caller: status, Warning with the reason (RFC 3261 §20.43), Retry-After where it helps. */
import { type RefusalReason, refusalStatus } from "../../model/decision.js";
import type { ExtraHeader } from "./build.js";

export interface RefusalAnswer {
  readonly status: number;
  readonly phrase: string;
  readonly headers: readonly ExtraHeader[];
}

/**
 * @param text - one sentence for a person
 * @param agent - name of the host that refuses
 */
export function refusalAnswer(reason: RefusalReason, text: string, agent: string): RefusalAnswer {
  const { status, phrase, warnCode, retryAfter } = refusalStatus(reason);
  const warning = { name: "Warning", value: `${warnCode} ${agent} "${text.replace(/["\\\r\n]/g, "'")}"` };
  const retry = retryAfter === undefined ? [] : [{ name: "Retry-After", value: String(retryAfter) }];
  return { status, phrase, headers: [warning, ...retry] };
}
