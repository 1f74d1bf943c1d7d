/**
 * The proxy core (RFC 3261 §16): takes datagrams apart, finds what they belong to, and hands each request to the relay that
 * sees it through. Transaction-stateful, one target for each request, over UDP.
 */
import { randomBytes } from "node:crypto";
import { formatEndpoint } from "../../model/ip.js";
import { type SessionId, sessionIdOf } from "../../model/session.js";
import { type ExtraHeader, rejectionOf, responseTo } from "../message/build.js";
import type { SipRequest, SipResponse } from "../message/message.js";
import { type ParseResult, parseMessage } from "../message/parse.js";
import { parseSipUri } from "../message/uri.js";
import { isAnswerable, isValidResponse, type Rejection, validateRequest } from "../message/validate.js";
import { TransactionLayer } from "../transaction/transaction-layer.js";
import type { SocketAddress } from "../transport/transport.js";
import { stampReceived } from "../transport/via-routing.js";
import { AckRelay } from "./ack-relay.js";
import { BranchMaker } from "./branch.js";
import { Calls } from "./calls.js";
import { withRequest } from "./dialog-legs.js";
import { endCall } from "./end-call.js";
import { Forwarder } from "./forwarder.js";
import { InviteRelay } from "./invite-relay.js";
import { reofferRules, sessionRules, strangerRules } from "./invite-rules.js";
import { LogLimiter } from "./log-limiter.js";
import { limitsOf, type ProxyLimits, type ProxyOptions, timersOf } from "./options.js";
import type { DialogContext, SessionControl, SessionEnding } from "./policy.js";
import { type Arrival, type RelayHost, refusalTo } from "./relay.js";
import { RequestRelay } from "./request-relay.js";
import { Router } from "./routing.js";
import { Wire } from "./wire.js";

/** Since the start. */
export interface ProxyCounters {
  received: number;
  /** Datagrams that were no SIP message that could be answered, or broken responses. */
  unreadable: number;
  /** Requests answered 400, 416, 420, 482, 483, 505 or 513. */
  rejected: number;
  /** Responses that no transaction waited for. */
  stray: number;
  /** Requests answered 503, since there were too many transactions or sessions. */
  overloaded: number;
}

type Ends = { readonly remote: SocketAddress; readonly local: SocketAddress };

/** A check that failed: its answer. */
interface Unwanted {
  readonly status: number;
  readonly phrase: string;
  readonly headers?: readonly { readonly name: string; readonly value: string }[];
}

export class ProxyCore implements SessionControl {
  readonly counters: ProxyCounters = { received: 0, unreadable: 0, rejected: 0, stray: 0, overloaded: 0 };
  private readonly limits: ProxyLimits;
  private readonly layer: TransactionLayer;
  private readonly branches: BranchMaker;
  private readonly router: Router;
  private readonly calls: Calls;
  private readonly wire: Wire;
  private readonly log: LogLimiter;
  private readonly host: RelayHost;
  private readonly acks: AckRelay;
  /** By their server transactions: what a CANCEL reaches. */
  private readonly invites = new WeakMap<SipRequest, InviteRelay>();

  constructor(options: ProxyOptions) {
    const { clock, logger, transport, policy } = options;
    this.limits = limitsOf(options);
    const timers = timersOf(options);
    this.branches = new BranchMaker(options.random ?? randomBytes);
    this.layer = new TransactionLayer({ clock, timers, limit: this.limits.transactions });
    this.router = new Router(options.table, transport.locals);
    this.calls = new Calls({ clock, logger, policy, limits: this.limits }, timers);
    this.wire = new Wire(options, (message) => this.calls.sessionOf(message));
    this.log = new LogLimiter(clock, logger);
    const { branches, router } = this;
    this.host = {
      layer: this.layer,
      wire: this.wire,
      forwarder: new Forwarder({ router, branches, transport, resolver: options.resolver }),
      branches,
      clock,
      timers,
      limits: this.limits,
      logger,
      isSelf: (place) => router.isSelf(place),
    };
    this.acks = new AckRelay(this.host);
    transport.onDatagram((octets, remote, local) => this.receive(octets, { remote, local }));
  }

  get liveDialogs(): number {
    return this.calls.size;
  }

  get liveTransactions(): number {
    return this.layer.size;
  }

  hangUp(context: DialogContext, ending: SessionEnding): boolean {
    const call = this.calls.recalled(context);
    return call !== undefined && endCall(this.host, call, ending);
  }

  notify(context: DialogContext, headers: readonly ExtraHeader[]): boolean {
    const call = this.calls.recalled(context);
    call?.notify(headers);
    return call !== undefined;
  }

  /** The policy ended a session by itself (idle media, lost router): forget it; its `ended` is not called. */
  forget(session: SessionId): void {
    this.calls.get(session)?.discard();
  }

  /** Stops all timers. Sessions stay with the policy, which recalls them after the restart. */
  close(): void {
    this.layer.close();
  }

  private receive(octets: Buffer, ends: Ends): void {
    this.counters.received += 1;
    let parsed: ParseResult;
    try {
      parsed = parseMessage(octets, this.limits.message);
    } catch (error) {
      this.unreadable(ends, error);
      return;
    }
    if (parsed.kind === "keepalive") return;
    if (parsed.kind === "response") {
      if (isValidResponse(parsed.response, parsed.defects, this.limits.message)) {
        this.onResponse(parsed.response, ends);
        return;
      }
      this.unreadable(ends, "response");
      return;
    }
    const rejection = validateRequest(parsed.request, parsed.defects, this.limits.message);
    if (rejection !== undefined) {
      this.reject(parsed.request, rejection, ends);
      return;
    }
    this.onRequest({ request: stampReceived(parsed.request, ends.remote), ...ends });
  }

  private unreadable(ends: Ends, cause: unknown): void {
    this.counters.unreadable += 1;
    const from = formatEndpoint(ends.remote.address, ends.remote.port);
    this.log.warn("sip.message.unreadable", () => ({ from, cause: String(cause) }));
  }

  /** Without state (§8.2.7): what is malformed is not worth a transaction. */
  private reject(request: SipRequest, rejection: Rejection, ends: Ends): void {
    if (!isAnswerable(request)) {
      this.unreadable(ends, rejection.phrase);
      return;
    }
    this.counters.rejected += 1;
    const { status, phrase } = rejection;
    this.log.warn("sip.request.rejected", () => ({ status, phrase, from: ends.remote.address }));
    const stamped = stampReceived(request, ends.remote);
    this.wire.responses(ends.local)(rejectionOf(stamped, rejection, this.branches.tag()), () => undefined);
  }

  private onResponse(response: SipResponse, ends: Ends): void {
    this.wire.trace("received", response, ends);
    const via = response.topVia;
    // §16.7 step 3: the top Via is ours, or the response is not for us. RFC 6026 §8.9: a stray one is dropped.
    if (via !== undefined && this.router.isSelf(via) && this.layer.receiveResponse(response)) return;
    this.counters.stray += 1;
    this.log.warn("sip.response.stray", () => ({ status: response.status, from: ends.remote.address }));
  }

  private onRequest(arrival: Arrival): void {
    const { request } = arrival;
    this.wire.trace("received", request, arrival);
    if (this.layer.receiveRequest(request)) return;
    if (request.method === "ACK") {
      this.acks.onAck(arrival, this.callOf(request));
      return;
    }
    if (request.method === "CANCEL") {
      this.onCancel(arrival);
      return;
    }
    if (!this.layer.hasRoomFor(request.method)) {
      this.overload(arrival);
      return;
    }
    const unwanted = this.checkRequest(request);
    if (unwanted !== undefined) {
      this.answer(arrival, unwanted);
      return;
    }
    if (request.method === "INVITE") {
      this.onInvite(arrival);
      return;
    }
    if (request.toTag === undefined && this.isForUs(request)) {
      this.answerOwn(arrival);
      return;
    }
    new RequestRelay(this.host, arrival, this.callOf(request)).start();
  }

  /** §16.3, in its order; syntax and scheme were the validator's. */
  private checkRequest(request: SipRequest): Unwanted | undefined {
    // §16.3 step 3. An OPTIONS that ends here may be answered as if it were for us (§11.1).
    if (request.maxForwards === 0 && request.method !== "OPTIONS") return { status: 483, phrase: "Too Many Hops" };
    // §16.3 step 4.
    if (this.branches.isLoop(request, (via) => this.router.isSelf(via)))
      return { status: 482, phrase: "Loop Detected" };
    // §16.3 step 5: this proxy knows no extension by name.
    const required = request.headerList("proxy-require");
    if (required.length === 0) return undefined;
    const headers = [{ name: "Unsupported", value: required.join(", ") }];
    return { status: 420, phrase: "Bad Extension", headers };
  }

  private isForUs(request: SipRequest): boolean {
    if (request.maxForwards === 0 || request.method === "REGISTER") return true;
    const preprocessed = this.router.preprocess(request);
    const uri = parseSipUri(preprocessed.requestUri);
    return preprocessed.routes.length === 0 && uri?.user === undefined && uri !== undefined && this.router.isOurs(uri);
  }

  /** §11.2: OPTIONS to the proxy itself. There is no registrar: users stand in a table. */
  private answerOwn(arrival: Arrival): void {
    if (arrival.request.method === "OPTIONS") {
      const headers = [{ name: "Allow", value: "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO" }];
      this.startAnswer(arrival, responseTo(arrival.request, 200, { headers, toTag: this.branches.tag() }));
    } else this.startAnswer(arrival, responseTo(arrival.request, 501, { toTag: this.branches.tag() }));
  }

  private onInvite(arrival: Arrival): void {
    const { request } = arrival;
    if (request.toTag !== undefined) {
      this.onReinvite(arrival);
      return;
    }
    const fromTag = request.fromTag ?? "";
    const session = sessionIdOf(request.callId, fromTag);
    const before = this.calls.get(session);
    if (before !== undefined && before.ending === undefined) {
      // §8.2.2.2: the same call by another way. Two contexts of one session could not be told apart afterwards.
      this.answer(arrival, { status: 482, phrase: "Merged Request" });
      return;
    }
    if (before === undefined && this.calls.isFull) {
      this.overload(arrival);
      return;
    }
    const unroutable = this.host.forwarder.check(request);
    // A request that a policy may still give a next hop is not refused for want of a route.
    if (unroutable !== undefined && unroutable.phrase !== "No Route") {
      this.answer(arrival, unroutable);
      return;
    }
    const call = this.calls.open(this.contextOf(arrival, session));
    call.after(before?.ending);
    const relay = new InviteRelay(this.host, { call, arrival, rules: sessionRules(call) });
    call.setUp = relay;
    this.startInvite(relay, request);
  }

  private onReinvite(arrival: Arrival): void {
    const call = this.callOf(arrival.request);
    const rules = call === undefined ? strangerRules() : reofferRules(call, arrival.request);
    const queue = call ?? this.calls.stranger(this.contextOf(arrival, this.calls.sessionOf(arrival.request)));
    this.startInvite(new InviteRelay(this.host, { call: queue, arrival, rules }), arrival.request);
  }

  private startInvite(relay: InviteRelay, request: SipRequest): void {
    this.invites.set(request, relay);
    relay.start();
  }

  private onCancel(arrival: Arrival): void {
    const { request } = arrival;
    const invite = this.layer.inviteOf(request);
    if (!this.layer.hasRoomFor("CANCEL")) {
      this.overload(arrival);
      return;
    }
    if (invite === undefined) {
      // §16.10 would pass it on without state; our branches are random, so it could match nothing there.
      this.answer(arrival, { status: 481, phrase: "Call/Transaction Does Not Exist" });
      return;
    }
    this.startAnswer(arrival, responseTo(request, 200, { toTag: this.branches.tag() }));
    this.invites.get(invite.request)?.cancel(request);
  }

  private callOf(request: SipRequest) {
    const call = request.toTag === undefined ? undefined : this.calls.ofDialog(request);
    if (call?.isOwn(request) === true) call.follow((legs) => withRequest(legs, call.partyOf(request), request));
    return call;
  }

  private contextOf(arrival: Arrival, session: SessionId): DialogContext {
    const { request, remote } = arrival;
    const uri = parseSipUri(this.router.preprocess(request).requestUri);
    return {
      session,
      callId: request.callId,
      callerTag: request.fromTag ?? "",
      calleeTag: undefined,
      side: uri !== undefined && this.router.isOurs(uri) ? "terminating" : "originating",
      caller: request.from?.uri ?? "",
      callee: request.requestUri,
      source: remote,
    };
  }

  private overload(arrival: Arrival): void {
    this.counters.overloaded += 1;
    this.log.warn("sip.overload", () => ({ transactions: this.layer.size, dialogs: this.calls.size }));
    const headers = [{ name: "Retry-After", value: "5" }];
    const refusal = { status: 503, phrase: "Service Unavailable", headers };
    // Without state: that is what there is too much of.
    const response = refusalTo(arrival.request, refusal, this.branches);
    this.wire.responses(arrival.local)(response, () => undefined);
  }

  private answer(arrival: Arrival, unwanted: Unwanted): void {
    this.counters.rejected += 1;
    this.startAnswer(arrival, refusalTo(arrival.request, unwanted, this.branches));
  }

  private startAnswer(arrival: Arrival, response: SipResponse): void {
    this.layer.startServer(arrival.request, this.wire.responses(arrival.local)).respond(response);
  }
}
