/** What roles write down about the messages of a session: the raw material of `sluice trace`. */
import type { SessionId } from "./session.js";
import type { Timestamp } from "./units.js";

export type LadderProtocol = "SIP" | "COPS" | "OSP" | "RTP";

/** One message, as the role that sent or received it saw it. */
export interface MessageEvent {
  readonly at: Timestamp;
  readonly session: SessionId;
  readonly protocol: LadderProtocol;
  /** The message's name in the ladder's words: `INVITE`, `REQ AAA`, `DEC Install`, `UsageInd` … */
  readonly message: string;
  readonly action: "sent" | "received";
  /** `address:port` of the two ends. */
  readonly from: string;
  readonly to: string;
}

/** Where roles report the messages that they send and receive. */
export type MessageLog = (event: Omit<MessageEvent, "at">) => void;
