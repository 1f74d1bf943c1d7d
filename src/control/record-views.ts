/** What sessions were used for and what they cost, as the control API answers it: for users and for billing. */
import type { GrantResult } from "../model/quality.js";
import type { SessionId } from "../model/session.js";
import type { BitsPerSecond, Octets, Timestamp } from "../model/units.js";

/** An exact decimal of the currency's unit, and who gets it. */
export interface ShareView {
  /** A domain, or `clearinghouse`. */
  readonly provider: string;
  readonly amount: string;
}

/**
 * `/v1/show/records?user=&before=&session=&limit=` by a policy server: those of one user, or of all; the newest first, older than
 * `before` (ms since 1970), and of those that ended just then the ones that follow `session`: time and session of the last of a page
 * ask for the next. `/v1/show/records` by a clearinghouse: those that have a price, `user` being the caller. Octets at layer 3.
 */
export interface RecordView {
  readonly session: SessionId;
  /** When it ended. */
  readonly at: Timestamp;
  /** Addresses of record, of the user in question and of the other party. */
  readonly user: string;
  readonly peer: string;
  /** Absent for a session that no class served. */
  readonly class?: string;
  readonly result?: GrantResult;
  /** Reserved, of the direction with more, counted at layer 3. */
  readonly rate: BitsPerSecond;
  /** From the answer to the end. */
  readonly seconds: number;
  /** Entered the user's access network, and left it; out of profile included. */
  readonly octetsIn: Octets;
  readonly octetsOut: Octets;
  /** Of both. */
  readonly outOfProfile: Octets;
  /** Absent where no tariff was told. */
  readonly price?: { readonly amount: string; readonly currency: string };
  /** Their sum is the price. */
  readonly shares?: readonly ShareView[];
  /** Whose reports the price was made from: this server's alone, or those that the clearinghouse had. */
  readonly basis?: "own" | "both" | "source" | "destination";
}
