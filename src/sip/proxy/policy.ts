/**
 * The hook through which a proxy asks before it forwards. What implements it (pep/sip) knows policy servers; the proxy
 * only knows that everything is held until the answer is there.
 */
import type { SessionId, SessionSide } from "../../model/session.js";
import type { ExtraHeader } from "../message/build.js";
import type { HostPort } from "../message/grammar.js";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.js";
import type { AddressOfRecord } from "../registrar/binding.js";
import type { SocketAddress } from "../transport/transport.js";
import type { DialogLegs, DialogParty } from "./dialog-legs.js";

/** What a proxy knows of a session. A value: a later one may have the callee's tag. */
export interface DialogContext {
  readonly session: SessionId;
  readonly callId: string;
  readonly callerTag: string;
  /** From the latest provisional, then from the first 2xx. */
  readonly calleeTag: string | undefined;
  /** `terminating` if the INVITE's Request-URI is in a domain of this proxy. */
  readonly side: SessionSide;
  /** URI of From. */
  readonly caller: string;
  /** Request-URI as the INVITE carried it. */
  readonly callee: string;
  /** Where the INVITE came from. */
  readonly source: SocketAddress;
  /** How both parties are reached, once an answer made a dialog, an early one too. */
  readonly legs?: DialogLegs;
  /**
   * True if the proxy has left the dialog's path: neither its ACK nor its BYE comes here. False if it was to, and could not,
   * as a party is reached by its connection only.
   */
  readonly direct?: boolean;
  /** Parties that are registered here and reached by a connection. */
  readonly agents?: Partial<Readonly<Record<DialogParty, DialogAgent>>>;
}

/** Which agent of which user, whatever connection it has now. */
export interface DialogAgent {
  readonly aor: AddressOfRecord;
  /** As `agentNameOf` gives it. */
  readonly agent: string;
}

export interface Edits {
  readonly addHeaders?: readonly ExtraHeader[];
  readonly removeHeaders?: readonly string[];
}

/** The SIP answer that the caller gets instead. */
export interface RefusedVerdict {
  readonly forward: false;
  readonly status: number;
  readonly phrase: string;
  readonly headers?: readonly ExtraHeader[];
}

export type RequestVerdict =
  /**
   * `nextHop` is taken instead of the proxy's own tables. `direct`: the proxy does not stay in the dialog (no Record-Route), so
   * its ACK and what follows go from user to user. It stays all the same where a party has only its connection to this proxy.
   */
  (Edits & { readonly forward: true; readonly nextHop?: HostPort; readonly direct?: boolean }) | RefusedVerdict;

/** `ackHeaders`: put on the ACK of this 2xx, or the PRACK of this reliable provisional, where it passes here. */
export type ResponseVerdict =
  | (Edits & { readonly forward: true; readonly ackHeaders?: readonly ExtraHeader[] })
  | RefusedVerdict;

/** `left`: a party's connection is gone, and it did not come back. */
export type EndKind = "bye" | "cancel" | "failure" | "timeout" | "left";

/**
 * Calls for one dialog never overlap and come in the order of the messages. Retransmissions ask nothing. A promise that
 * rejects, or that takes longer than the proxy's `policyWait`, counts as a refusal with 503.
 */
export interface ProxyPolicy {
  /** A new INVITE outside a dialog. After a verdict to forward, `ended` follows exactly once, whatever happens. */
  invite(context: DialogContext, request: SipRequest): Promise<RequestVerdict>;
  /**
   * A provisional above 100, or a 2xx, to that INVITE. A refusal cancels downstream (for a 2xx: ACK and BYE to the
   * callee), answers the caller with its status, and is followed by `ended("failure")`.
   */
  response(context: DialogContext, response: SipResponse): Promise<ResponseVerdict>;
  /**
   * The session is over; resolves when its resources are released. For `bye`, `message` is the BYE: at the proxy nearest
   * to who hangs up its final answer waits for this. Else it is the CANCEL, the failure answer, or the answer that
   * this proxy gave.
   */
  ended(context: DialogContext, kind: EndKind, message: SipMessage): Promise<void>;
  /**
   * Inside the dialog: a re-INVITE, UPDATE or PRACK with a body, an ACK with a body (the answer to an offer in the 2xx;
   * it cannot be refused, the verdict's edits are ignored), and the final answers to a re-INVITE or UPDATE that has or
   * whose request had a body, or that is a 2xx to UPDATE: that refreshes the session (RFC 4028), and was passed on already. A failure answer means that the former state holds again; its verdict is ignored.
   */
  reoffer(context: DialogContext, message: SipRequest | SipResponse): Promise<ResponseVerdict>;
  /**
   * A dialog that another process, or this one before a restart, has known. Called once for a request inside a dialog
   * that is not remembered, with its From and To tags; must not wait.
   */
  recall?(callId: string, tags: readonly [from: string, to: string]): DialogContext | undefined;
  /** All dialogs that could be recalled. */
  known?(): readonly DialogContext[];
}

/** How a session is to end that the policy takes back. */
export interface SessionEnding {
  /** What the caller is answered if nobody has answered the INVITE yet. */
  readonly refusal: Omit<RefusedVerdict, "forward">;
  /** Put on every BYE and CANCEL: why (RFC 3326). */
  readonly headers: readonly ExtraHeader[];
  /** As which the policy hears of the end of an answered session; `bye` if it is not said. */
  readonly kind?: EndKind;
}

/** What a policy may do to a session that it was asked about before. False if that cannot be done, now or later. */
export interface SessionControl {
  /**
   * Ends it: BYE to both parties, each in the other's name, or without an answer yet the refusal to the caller and CANCEL
   * to the callee. `ended` follows when both are out of it. One that is ending already is left to its end. One whose parties
   * cannot be reached (a party gave no Contact) is forgotten.
   */
  hangUp(context: DialogContext, ending: SessionEnding): boolean;
  /** Puts `headers` on the next final answer to each party. */
  notify(context: DialogContext, headers: readonly ExtraHeader[]): boolean;
}

/** Forwards everything: for tests, and for a proxy without a policy server. */
export const OPEN_POLICY: ProxyPolicy = {
  invite: async () => ({ forward: true }),
  response: async () => ({ forward: true }),
  ended: async () => undefined,
  reoffer: async () => ({ forward: true }),
};
