/** The JSON of the portal's server, as the page reads it: the server's own types, with what an older or newer one may leave out. */
import type * as shapes from "../../api/shapes.js";

export type { PoolSeriesView } from "../../../control/series-views.js";
export type { EventsView, ExplainView, KernelView, PoolView, SessionView } from "../../../control/views.js";
export type {
  ApiError as ApiErrorBody,
  BillingRecord,
  ChosenState,
  ClassOffer,
  OpsSnapshot,
  PresenceEntry,
  RecordsAnswer,
  SessionDetail,
  SessionHappening,
  WatchedState,
} from "../../api/shapes.js";

/** STUN servers (`stun:host:port`), where the provider has any: with them a browser learns an address that it may tell. */
export type SipAccess = shapes.SipAccess & { readonly stun?: readonly string[] };

export type PortalSession = Omit<shapes.SessionAnswer, "sip"> & { readonly sip: SipAccess };

export interface LadderMessage {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly message: string;
}

/** An AOR as a SIP URI. */
export const uriOf = (aor: string): string => (/^sips?:/.test(aor) ? aor : `sip:${aor}`);
