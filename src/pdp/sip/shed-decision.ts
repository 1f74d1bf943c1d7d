/** How a proxy is told that a session's bandwidth was taken back, or that this server ended the session. Pure. */
import { COMMAND } from "../../cops/codec/codes.js";
import type { CopsDecision } from "../../cops/codec/message.js";
import { ldpContext } from "../../cops/sip/codes.js";
import { encodeDirectives } from "../../cops/sip/directives.js";
import { unreachable } from "../../model/errors.js";
import { refusalAnswer } from "../../sip/message/refusal.js";
import type { ServerEndCause, SessionRecord } from "../session-record.js";

/** What became of a session without its parties' doing. All but `bestEffort` end it. */
export type Notice = "bestEffort" | "preempted" | ServerEndCause;

/** What a proxy has to be told of a session; undefined if nothing. */
export function noticeOf({ shed }: Pick<SessionRecord, "shed">): Notice | undefined {
  if (shed === undefined) return undefined;
  return shed.treatment === "bestEffort" ? "bestEffort" : (shed.cause ?? "preempted");
}

const TAKEN_BACK = "the network took the bandwidth of this session back";

interface EndingText {
  /** Value of the Reason header field (RFC 3326). */
  readonly reason: string;
  /** For the Warning, and for a caller who still waits for an answer. */
  readonly text: string;
  readonly status: number;
  readonly phrase: string;
}

const ENDINGS: Readonly<Record<ServerEndCause, EndingText>> = {
  // Q.850 §2.2.7.6.4: recovery on timer expiry.
  idle: {
    reason: 'Q.850 ;cause=102 ;text="No Media"',
    text: "no media of this session was seen for too long",
    status: 408,
    phrase: "Request Timeout",
  },
  expired: {
    reason: 'Q.850 ;cause=102 ;text="Session Expired"',
    text: "this session was not refreshed, or lasted too long",
    status: 408,
    phrase: "Request Timeout",
  },
  // Q.850 §2.2.7.1.8: normal call clearing, on behalf of a party who cannot do it any more.
  left: {
    reason: 'Q.850 ;cause=16 ;text="User Left"',
    text: "a party of this session has left",
    status: 480,
    phrase: "Temporarily Unavailable",
  },
};

/**
 * The unsolicited decision (RFC 2748 §3.2, §4.4).
 * @param agent - named in Warning headers (RFC 3261 §20.43)
 */
export function shedDecision({ id }: Pick<SessionRecord, "id">, notice: Notice, agent: string): CopsDecision {
  switch (notice) {
    case "preempted": {
      // RFC 4411 §5.2: reserved resources were taken on purpose within the network; its registered text (§7.2).
      const reason = 'Preemption ;cause=2 ;text="Reserved Resources Preempted"';
      return ending(id, refusalAnswer("noRoom", TAKEN_BACK, agent), reason);
    }
    case "idle":
    case "expired":
    case "left": {
      const { reason, text, ...answer } = ENDINGS[notice];
      return ending(id, { ...answer, headers: [{ name: "Warning", value: `399 ${agent} "${text}"` }] }, reason);
    }
    case "bestEffort": {
      // RFC 3261 §20.43: 370 is for media that needs more bandwidth than there is.
      const warning = { name: "Warning", value: `370 ${agent} "${TAKEN_BACK}; it goes on without a guarantee"` };
      const directives = { addHeaders: [warning], removeHeaders: [], session: id };
      return decision("answer", COMMAND.install, encodeDirectives(directives));
    }
    default:
      return unreachable(notice, "shedDecision");
  }
}

/** @param answer - for a caller who waits for one, and the headers of a BYE */
function ending(session: SessionRecord["id"], answer: ReturnType<typeof refusalAnswer>, reason: string): CopsDecision {
  const { status, phrase, headers } = answer;
  const directives = { addHeaders: headers, removeHeaders: [], refusal: { status, phrase }, session, reason };
  return decision("bye", COMMAND.remove, encodeDirectives(directives));
}

const decision = (event: "answer" | "bye", command: number, clientSpecific: Buffer): CopsDecision => ({
  context: ldpContext(event),
  command,
  flags: 0,
  clientSpecific,
});
