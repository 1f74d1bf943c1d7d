/**
 * The proxy core (RFC 3261 §16): takes messages apart, finds what they belong to, and hands each request to the relay that
 * sees it through. Transaction-stateful, one target for each request.
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
import { FlowTokens } from "../transport/flow-token.js";
import type { Destination, FlowId, LocalPoint } from "../transport/transport.js";
import { framingOf, stampReceived } from "../transport/via-routing.js";
import { AckRelay } from "./ack-relay.js";
import { BranchMaker } from "./branch.js";
import { Calls } from "./calls.js";
import { type DialogParty, withRequest } from "./dialog-legs.js";
import { endCall } from "./end-call.js";
import { Forwarder } from "./forwarder.js";
import { InviteRelay } from "./invite-relay.js";
import { reofferRules, sessionRules, strangerRules } from "./invite-rules.js";
import { Leavers } from "./leavers.js";
import { LogLimiter } from "./log-limiter.js";
import { limitsOf, type ProxyLimits, type ProxyOptions, timersOf } from "./options.js";
import type { DialogContext, SessionControl, SessionEnding } from "./policy.js";
import { type Arrival, type RelayHost, refusalTo } from "./relay.js";
import { checkRequest, isForProxy } from "./request-checks.js";
import { RequestRelay } from "./request-relay.js";
import { Router } from "./routing.js";
import { UserDesk } from "./user-desk.js";
import type { Answer } from "./user-services.js";
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

type Ends = { readonly remote: Destination; readonly local: LocalPoint };

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
  /** Of the proxy's own users, if it has any. */
  readonly users: UserDesk | undefined;
  private readonly leavers: Leavers | undefined;
  /** By their server transactions: what a CANCEL reaches. */
  private readonly invites = new WeakMap<SipRequest, InviteRelay>();

  constructor(options: ProxyOptions) {
    const { clock, logger, transport, policy } = options;
    this.limits = limitsOf(options);
    const timers = timersOf(options);
    this.branches = new BranchMaker(options.random ?? randomBytes);
    this.layer = new TransactionLayer({ clock, timers, limit: this.limits.transactions });
    this.router = new Router(options.table, transport.locals, (user) => this.users?.agent(user));
    this.calls = new Calls({ clock, logger, policy, limits: this.limits }, timers);
    this.wire = new Wire(options, (message) => this.calls.sessionOf(message));
    this.log = new LogLimiter(clock, logger);
    const { branches, router } = this;
    const services = options.users;
    this.users = services === undefined ? undefined : new UserDesk({ services, router, clock, logger });
    this.host = {
      layer: this.layer,
      wire: this.wire,
      forwarder: new Forwarder({ router, branches, transport, resolver: options.resolver, tokens: new FlowTokens() }),
      branches,
      clock,
      timers,
      limits: this.limits,
      logger,
      isSelf: (place) => router.isSelf(place),
      isOurs: (uri) => this.isOurs(uri),
      locate: (request) => this.users?.locate(request),
      agentOn: (flow, who) => this.users?.agentOn(flow, who),
      flowTo: (context, party) => this.flowTo(context, party),
    };
    this.acks = new AckRelay(this.host);
    this.leavers = services && new Leavers({ ...services, clock, logger, policy, calls: this.calls, control: this });
    transport.onMessage((octets, remote, local) => this.receive(octets, { remote, local }));
    transport.onFlowClosed((flow) => {
      this.layer.flowClosed(flow.id);
      this.leavers?.flowClosed(flow.id);
    });
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
    this.leavers?.close();
  }

  private receive(octets: Buffer, ends: Ends): void {
    this.counters.received += 1;
    let parsed: ParseResult;
    try {
      parsed = parseMessage(octets, this.limits.message, framingOf(ends.local));
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
    this.wire.responses(ends).send(rejectionOf(stamped, rejection, this.branches.tag()), () => undefined);
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
      // It has no answer: one that its sender may not send is dropped.
      if (this.users?.refuse(arrival) === undefined) this.acks.onAck(arrival, this.callOf(request));
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
    const unwanted = checkRequest(request, { branches: this.branches, router: this.router });
    if (unwanted !== undefined) {
      this.answer(arrival, unwanted);
      return;
    }
    if (request.toTag === undefined && request.method !== "INVITE" && isForProxy(request, this.router)) {
      this.answerOwn(arrival);
      return;
    }
    const refused = this.users?.refuse(arrival);
    if (refused !== undefined) this.answer(arrival, refused);
    else this.relay({ ...arrival, request: this.users?.withoutCredentials(request) ?? request });
  }

  private relay(arrival: Arrival): void {
    if (arrival.request.method === "INVITE") this.onInvite(arrival);
    else new RequestRelay(this.host, arrival, this.callOf(arrival.request)).start();
  }

  /** §11.2: OPTIONS to the proxy itself. §10.3: REGISTER, if it has users of its own. */
  private answerOwn(arrival: Arrival): void {
    if (arrival.request.method === "REGISTER" && this.users !== undefined) {
      this.answerRegister(arrival, this.users.register(arrival));
    } else if (arrival.request.method === "OPTIONS") {
      const headers = [{ name: "Allow", value: "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO" }];
      this.startAnswer(arrival, responseTo(arrival.request, 200, { headers, toTag: this.branches.tag() }));
    } else this.startAnswer(arrival, responseTo(arrival.request, 501, { toTag: this.branches.tag() }));
  }

  private answerRegister(arrival: Arrival, answer: Answer): void {
    const { status, phrase, headers = [] } = answer;
    const { flow } = arrival.remote;
    if (status === 200 && flow !== undefined) this.leavers?.registered(flow);
    const response = responseTo(arrival.request, status, { phrase, headers, toTag: this.branches.tag() });
    // §8.2.7: a challenge keeps no state. What was carried out must not be carried out again when it is repeated.
    if (status === 401 || status === 403) this.wire.responses(arrival).send(response, () => undefined);
    else this.startAnswer(arrival, response);
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
    // Who is called may stand in a directory: then that is asked first.
    const unroutable = this.users === undefined ? this.host.forwarder.check(request, arrival.remote) : undefined;
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
    return {
      session,
      callId: request.callId,
      callerTag: request.fromTag ?? "",
      calleeTag: undefined,
      side: this.isOurs(this.router.preprocess(request).requestUri) ? "terminating" : "originating",
      caller: request.from?.uri ?? "",
      callee: request.requestUri,
      source: remote,
    };
  }

  private isOurs(text: string): boolean {
    const uri = parseSipUri(text);
    return uri !== undefined && this.router.isOurs(uri);
  }

  /** Of a registered agent the connection that it has now, of others the one that the dialog began with. */
  private flowTo({ agents, legs }: DialogContext, party: DialogParty): FlowId | undefined {
    const agent = agents?.[party];
    return (agent === undefined ? undefined : this.users?.flowOf(agent)) ?? legs?.[party].flow;
  }

  private overload(arrival: Arrival): void {
    this.counters.overloaded += 1;
    this.log.warn("sip.overload", () => ({ transactions: this.layer.size, dialogs: this.calls.size }));
    const headers = [{ name: "Retry-After", value: "5" }];
    const refusal = { status: 503, phrase: "Service Unavailable", headers };
    // Without state: that is what there is too much of.
    const response = refusalTo(arrival.request, refusal, this.branches);
    this.wire.responses(arrival).send(response, () => undefined);
  }

  private answer(arrival: Arrival, unwanted: Answer): void {
    this.counters.rejected += 1;
    this.startAnswer(arrival, refusalTo(arrival.request, unwanted, this.branches));
  }

  private startAnswer(arrival: Arrival, response: SipResponse): void {
    this.layer.startServer(arrival.request, this.wire.responses(arrival)).respond(response);
  }
}
