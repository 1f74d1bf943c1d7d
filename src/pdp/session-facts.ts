/** What the session service is told about a session, and what it answers. */
import type { Refusal } from "../model/decision.js";
import type { SessionFlow } from "../model/flow.js";
import type { IpAddress } from "../model/ip.js";
import type { SessionId, SessionSide } from "../model/session.js";
import type { AskedFlow, FlowAsk } from "./negotiation/flow-ask.js";
import type { Offer, SessionRecord } from "./session-record.js";

/** A new session, as read from the INVITE. */
export interface SessionAttemptFacts {
  readonly id: SessionId;
  readonly callId: string;
  readonly peer: string;
  readonly side: SessionSide;
  readonly caller: string;
  readonly callee: string;
  readonly offer: Offer | undefined;
  readonly media: readonly string[];
  /** The most that the offer may come to, before the answer is known. */
  readonly flows: readonly AskedFlow[];
  /** Where the media of our party and of the other is, as far as the offer says it. */
  readonly places?: { readonly local?: IpAddress; readonly far?: IpAddress } | undefined;
  readonly token: string | undefined;
}

/** A flow with both its ends, and what is agreed of its medium. */
export interface AnsweredFlow extends SessionFlow {
  readonly ask?: FlowAsk | undefined;
}

/** What an answer makes of the session. */
export interface SessionAnswerFacts {
  /** Flows that can be installed now. */
  readonly flows: readonly AnsweredFlow[];
  /** Flows whose far end is not known yet: they count against the pool but cannot be installed. */
  readonly pending: readonly AskedFlow[];
  readonly final: boolean;
  /** Offers as this answer leaves them. */
  readonly offers?: Pick<SessionRecord, "offer" | "reoffer">;
}

export type SessionAnswer = { readonly admitted: true; readonly record: SessionRecord } | Refusal;
