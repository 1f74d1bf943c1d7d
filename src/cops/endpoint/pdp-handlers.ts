/** What a PDP's role is told, and asked. */
import type { DecMessage, DrqMessage, OpnMessage, ReqMessage, RptMessage } from "../codec/message.js";
import type { OpenVerdict } from "../machine/pdp-connection.js";
import type { PdpPeer } from "./pdp-peer.js";

/** Body of the DEC that answers a REQ. */
export type DecisionBody = Pick<DecMessage, "decisions" | "error">;

export interface PdpHandlers {
  /** A PEP wants in; decided at once. Keep-alive in seconds. */
  open(peer: PdpPeer, open: OpnMessage): OpenVerdict;
  /** It is in: the Client-Accept has been sent. */
  opened(peer: PdpPeer): void;
  request(peer: PdpPeer, req: ReqMessage): Promise<DecisionBody>;
  /** The decision that answers `req` has been sent: decisions that build on it may follow. */
  answered?(peer: PdpPeer, req: ReqMessage): void;
  /** A report that `decide` did not wait for. */
  report(peer: PdpPeer, rpt: RptMessage): void;
  deleted(peer: PdpPeer, drq: DrqMessage): void;
  synchronized(peer: PdpPeer, handle?: Buffer): void;
  closed(peer: PdpPeer, reason: string): void;
}
