/** Whoever says that a session may be settled: an OSP clearinghouse, or this server by itself. */
import type { Refusal } from "../model/decision.js";
import type { SessionId, SessionSide } from "../model/session.js";
import type { BitsPerSecond } from "../model/units.js";
import type { StoredTariff } from "../osp/tariff.js";

export interface AuthorityRequest {
  readonly session: SessionId;
  readonly side: SessionSide;
  readonly callId: string;
  readonly caller: string;
  readonly callee: string;
  readonly class: string | undefined;
  readonly rate: BitsPerSecond;
  /** base64, as the other side's policy server had it put into the INVITE; only on the terminating side. */
  readonly token: string | undefined;
}

export interface Grant {
  readonly admitted: true;
  /** OSP TransactionId, unsigned decimal. */
  readonly transactionId: string;
  /** base64, for the other side; only on the originating side. */
  readonly token?: string;
  /** `address:port` of the other side's proxy, where the authority knows it. */
  readonly signalAddress?: string;
  /** What the session costs; absent where nobody says. */
  readonly tariff?: StoredTariff;
}

export interface Authority {
  authorise(request: AuthorityRequest): Promise<Grant | Refusal>;
}
