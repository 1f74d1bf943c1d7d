/**
 * Header fields by which servers that trust each other say something to each other: who the caller is (RFC 3325), what policy
 * servers granted. From anybody else they are taken out (RFC 3325 §5); what a user only prefers stays.
 */
import type { ExtraHeader } from "../message/build.js";
import type { SipMessage } from "../message/message.js";

const GRANTED = "Sluice-Granted";
const ASSERTED = ["P-Asserted-Identity", GRANTED] as const;

/** The message as it may be believed if it comes from nobody who is trusted. */
export function withoutAssertions<M extends SipMessage>(message: M): M {
  let result = message;
  for (const name of ASSERTED) result = result.removeHeader(name);
  return result;
}

/** What an answer tells its receiver of what was granted. */
export const grantsIn = (message: SipMessage): readonly ExtraHeader[] =>
  message.headerLines(GRANTED).map((value) => ({ name: GRANTED, value }));
