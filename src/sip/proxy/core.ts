/**
 * The proxy core (RFC 3261 §16): takes messages apart, finds what they belong to, and hands each request to the relay that
 * sees it through. Transaction-stateful, one target for each request.
 */
import { randomBytes } from "node:crypto";
import { formatEndpoint } from "../../model/ip.js";
import { type SessionId, sessionIdOf } from "../../model/session.js";
import { type ExtraHeader, rejectionOf, responseTo } from "../message/build.js";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.js";
import { type ParseResult, parseMessage } from "../message/parse.js";
import { isAnswerable, isValidResponse, type Rejection, validateRequest } from "../message/validate.js";
import { TransactionLayer } from "../transaction/transaction-layer.js";
import { FlowTokens } from "../transport/flow-token.js";
import type { Destination, FlowId, LocalPoint } from "../transport/transport.js";
import { framingOf, stampReceived } from "../transport/via-routing.js";
import { AckRelay } from "./ack-relay.js";
import { withoutAssertions } from "./assertions.js";
import { BranchMaker } from "./branch.js";
import type { Call } from "./call.js";
import { Calls } from "./calls.js";
import { newProxyCounters, type ProxyCounters } from "./counters.js";
import { type DialogParty, withRequest } from "./dialog-legs.js";
import { endCall } from "./end-call.js";
import { Forwarder } from "./forwarder.js";
import { InviteRelay } from "./invite-relay.js";
import { reofferRules, sessionRules } from "./invite-rules.js";
import { Leavers } from "./leavers.js";
import { LogLimiter } from "./log-limiter.js";
import { newContext } from "./new-context.js";
import { limitsOf, type ProxyLimits, type ProxyOptions, timersOf } from "./options.js";
import type { DialogContext, SessionControl, SessionEnding } from "./policy.js";
import { type Arrival, type RelayHost, refusalTo } from "./relay.js";
import { checkRequest, isForProxy } from "./request-checks.js";
import { RequestRelay } from "./request-relay.js";
import { Router } from "./routing.js";
import { NO_DIALOG, SenderCheck } from "./sender-check.js";
import { UserDesk } from "./user-desk.js";
import type { Answer } from "./user-services.js";
import { Wire } from "./wire.js";

type Ends = { readonly remote: Destination; readonly local: LocalPoint };

export class ProxyCore implements SessionControl {
  readonly counters: ProxyCounters = newProxyCounters();
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
  private readonly senders: SenderCheck;
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
    this.senders = new SenderCheck({ router, counters: this.counters, users: this.users });
    this.host = {
      layer: this.layer,
      wire: this.wire,
      forwarder: new Forwarder({
        router,
        branches,
        transport,
        resolver: options.resolver,
        tokens: new FlowTokens(),
        notRelayed: (source) => this.notRelayed(source),
      }),
      branches,
      clock,
      timers,
      limits: this.limits,
      logger,
      isSelf: (place) => router.isSelf(place),
      isOurs: (uri) => router.isOursBy(uri),
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
    this.onRequest({ request: this.believed(stampReceived(parsed.request, ends.remote), ends), ...ends });
  }

  private believed<M extends SipMessage>(message: M, { remote }: Ends): M {
    return this.router.reach.isHop(remote.address) ? message : withoutAssertions(message);
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

  private onResponse(received: SipResponse, ends: Ends): void {
    const response = this.believed(received, ends);
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
      const call = this.calls.ofDialog(request);
      // It has no answer: one that its sender may not send is dropped.
      if (this.senders.refuse(arrival, call) === undefined) this.acks.onAck(arrival, followed(call, request));
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
    const call = this.calls.ofDialog(request);
    const refused = this.senders.refuse(arrival, call);
    if (refused !== undefined) this.refuse(arrival, refused);
    else
      this.relay({ ...arrival, request: this.users?.withoutCredentials(request) ?? request }, followed(call, request));
  }

  private relay(arrival: Arrival, call: Call | undefined): void {
    const { method, toTag } = arrival.request;
    if (method !== "INVITE") new RequestRelay(this.host, arrival, call).start();
    else if (toTag === undefined) this.onInvite(arrival);
    else this.onReinvite(arrival, call);
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
    const call = this.calls.open(newContext(arrival, session, this.router));
    call.after(before?.ending);
    const relay = new InviteRelay(this.host, { call, arrival, rules: sessionRules(call) });
    call.setUp = relay;
    this.startInvite(relay, request);
  }

  private onReinvite(arrival: Arrival, call: Call | undefined): void {
    const { request } = arrival;
    if (call === undefined || call.ending !== undefined) this.answer(arrival, NO_DIALOG);
    else this.startInvite(new InviteRelay(this.host, { call, arrival, rules: reofferRules(call, request) }), request);
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
      this.answer(arrival, NO_DIALOG);
      return;
    }
    this.startAnswer(arrival, responseTo(request, 200, { toTag: this.branches.tag() }));
    this.invites.get(invite.request)?.cancel(request);
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

  private refuse(arrival: Arrival, refused: Answer): void {
    const { status, phrase } = refused;
    // §22.2: a challenge is no refusal yet.
    if (status !== 407) this.log.warn("sip.request.refused", () => ({ status, phrase, from: arrival.remote.address }));
    this.answer(arrival, refused);
  }

  /** It is answered by whoever wanted to pass it on. */
  private notRelayed(source: Destination | undefined): void {
    this.counters.notRelayed += 1;
    this.log.warn("sip.request.not-relayed", () => ({ from: source?.address ?? "" }));
  }

  private answer(arrival: Arrival, unwanted: Answer): void {
    this.counters.rejected += 1;
    this.startAnswer(arrival, refusalTo(arrival.request, unwanted, this.branches));
  }

  private startAnswer(arrival: Arrival, response: SipResponse): void {
    this.layer.startServer(arrival.request, this.wire.responses(arrival)).respond(response);
  }
}

/** The highest CSeq number of each party is known (§12.2.2). */
function followed(call: Call | undefined, request: SipRequest): Call | undefined {
  call?.follow((legs) => withRequest(legs, call.partyOf(request), request));
  return call;
}
