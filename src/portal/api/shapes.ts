/** The JSON of the portal's API. Times are ms since 1970, spans ms, rates bit/s at layer 3, loss 0 to 1. */
import type { HealthView, PoolView } from "../../control/views.js";
import type { MediaGrant } from "../../model/quality.js";
import type { Timestamp } from "../../model/units.js";

/** What every refusal says; `code` is for programs, `message` for people. */
export interface ApiError {
  readonly error: { readonly code: string; readonly message: string };
}

/** What the page's SIP agent registers with. */
export interface SipAccess {
  /** `user@domain`. */
  readonly aor: string;
  readonly wss: string;
  readonly username: string;
  readonly password: string;
  /** When the credentials run out. */
  readonly expires: Timestamp;
  /** URIs of STUN servers (RFC 7064), where the provider has any. */
  readonly stun?: readonly string[];
}

export interface ClassOffer {
  readonly name: string;
  readonly label: string;
  readonly latency: number;
  readonly jitter: number;
  readonly loss: number;
}

/** `POST /api/login`, `GET /api/session` */
export interface SessionAnswer {
  readonly user: string;
  readonly nick: string;
  readonly aor: string;
  readonly csrf: string;
  readonly operator: boolean;
  readonly sip: SipAccess;
  readonly classes: readonly ClassOffer[];
  readonly directory: boolean;
}

/** What a user may say of themselves. */
export const CHOSEN_STATES = ["online", "busy", "away"] as const;
export type ChosenState = (typeof CHOSEN_STATES)[number];

/**
 * Event `presence` of `/api/events` brings a list of these, 64 KiB at most. The first after the stream opened begins the list of
 * everybody who is on-line; those that follow go on with it, and then have those only of whom something changed, with `offline` for
 * those who have gone.
 */
export interface PresenceEntry {
  readonly nick: string;
  readonly aor: string;
  readonly state: ChosenState | "offline";
  readonly since: Timestamp;
}

/** Event `session` of `/api/events`: one of the user's own sessions is new, has changed, or is over. */
export interface SessionHappening {
  readonly callId: string;
  readonly state: string;
  readonly grants: readonly MediaGrant[];
}

/** `GET /api/sessions/:callId` */
export interface SessionDetail {
  readonly callId: string;
  readonly session: string;
  readonly state: string;
  readonly caller: string;
  readonly callee: string;
  readonly class?: string;
  readonly grants: readonly MediaGrant[];
  readonly steps: readonly { readonly at: Timestamp; readonly what: string; readonly detail: string }[];
  /** Ends by what they are, not by their addresses. */
  readonly ladder: readonly {
    readonly at: Timestamp;
    readonly from: string;
    readonly to: string;
    readonly message: string;
  }[];
}

/** Amounts are decimal numbers as text. */
export interface BillingRecord {
  readonly session: string;
  readonly at: Timestamp;
  readonly peer: string;
  readonly class: string;
  readonly rate: number;
  readonly seconds: number;
  readonly octetsIn: number;
  readonly octetsOut: number;
  /** Octets beyond what was reserved. */
  readonly outOfProfile: number;
  readonly price: { readonly amount: string; readonly currency: string } | null;
  readonly shares: readonly { readonly provider: string; readonly amount: string }[];
}

/** `GET /api/records`: the newest first. `next` goes into `before` for the page that follows; null on the last. */
export interface RecordsAnswer {
  readonly records: readonly BillingRecord[];
  readonly next: string | null;
}

/** Of a role that does not answer, why. */
export type RoleHealth =
  | HealthView
  | { readonly status: "unreachable"; readonly problems: readonly string[]; readonly warnings: readonly string[] };

/** `GET /api/ops/roles`; `role` is empty while it was never reached. */
export interface WatchedRole {
  readonly host: string;
  readonly role: string;
  readonly health: RoleHealth;
}

/** One role in an event `ops` of `/api/ops/stream`. What it has no view of is left out. */
export interface WatchedState extends WatchedRole {
  readonly pools?: readonly PoolView[];
  /** Of the pools, those that are links. */
  readonly links?: readonly PoolView[];
  /** That have not ended. */
  readonly sessions?: number;
  /** Sessions that it refused since the stream began, of those that it still shows. */
  readonly refusals?: number;
  /** `/v1/show/quality`, as the role answers it. */
  readonly quality?: unknown;
}

/** Event `ops` of `/api/ops/stream`, every two seconds. */
export interface OpsSnapshot {
  readonly at: Timestamp;
  readonly hosts: readonly WatchedState[];
}
