/** What a session is, to every role. */
import { createHash } from "node:crypto";

/**
 * One id runs through SIP, COPS, OSP, the kernel's objects and the logs. It is made from what every
 * role on the path can see, so no header has to carry it: 16 hexadecimal digits.
 */
export type SessionId = string & { readonly __sessionId: true };

/** From the Call-ID and the caller's tag, as the INVITE carried them (RFC 3261 §12 identifies a dialog so). */
export function sessionIdOf(callId: string, fromTag: string): SessionId {
  return createHash("sha256").update(callId).update("\0").update(fromTag).digest("hex").slice(0, 16) as SessionId;
}

export function parseSessionId(text: string): SessionId | undefined {
  return /^[0-9a-f]{16}$/.test(text) ? (text as SessionId) : undefined;
}

/** Which end of the session a role serves. */
export type SessionSide = "originating" | "terminating";
