/**
 * One INVITE through the proxy: a server transaction towards the caller, at most one client transaction towards the
 * callee, and the policy between them. Its life:
 * ```
 *  deciding --forward--> waiting --1xx--> ringing --2xx allowed--> answered
 *     | refused / CANCEL    | B: 408         | C: 408, CANCEL
 *     v                     v                v 300-699: passed on
 *    over                  over             over        (a 2xx that comes after `over`: ACK and BYE)
 * ```
 */
import type { Timer } from "../../model/clock.js";
import { cancelFor, type ExtraHeader, responseTo } from "../message/build.js";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.js";
import { lifetime } from "../transaction/timers.js";
import type { Channel, ServerTransaction } from "../transaction/transaction-layer.js";
import { grantsIn } from "./assertions.js";
import type { Call, SetUp } from "./call.js";
import { withRefresh } from "./dialog-legs.js";
import { applyEdits, type Outgoing } from "./forwarder.js";
import { hangUp } from "./hang-up.js";
import { learnDialog } from "./learn-dialog.js";
import { onwards } from "./onward-flow.js";
import type { EndKind, RefusedVerdict, RequestVerdict, ResponseVerdict, SessionEnding } from "./policy.js";
import { reasonOf, reasonsIn } from "./reason.js";
import { type Arrival, type RelayHost, refusalTo } from "./relay.js";
import { SeenResponses } from "./seen-responses.js";

/** What differs between the INVITE that makes a session and one inside it. */
export interface InviteRules {
  /** Asked before the request goes on. */
  request(request: SipRequest): Promise<RequestVerdict>;
  /** Asked before a provisional or a 2xx goes on. */
  response(response: SipResponse): Promise<ResponseVerdict>;
  /** A failure is about to be passed on; not asked, but told in order. */
  failure(response: SipResponse): Promise<void>;
  /** Nothing was forwarded, for the policy refused or was never asked. */
  dropped(): void;
  /** It came to nothing. */
  ended(kind: EndKind, message: SipMessage): void;
  /** A 2xx to it that must not stand also ends the callee's side of the dialog. */
  readonly makesDialog: boolean;
}

export class InviteRelay implements SetUp {
  private readonly host: RelayHost;
  private readonly call: Call;
  private readonly arrival: Arrival;
  private readonly rules: InviteRules;
  private readonly server: ServerTransaction;
  private readonly seen: SeenResponses;
  private outgoing: Outgoing | undefined;
  private cancelRequest: SipRequest | undefined;
  private cancelSent = false;
  private provisionalSeen = false;
  private timerC: Timer | undefined;
  /** Has the client transaction end without an answer. */
  private giveUp: () => void = () => undefined;
  /** On CANCEL and BYE of our own. */
  private endHeaders: readonly ExtraHeader[] = [];

  constructor(host: RelayHost, parts: { call: Call; arrival: Arrival; rules: InviteRules }) {
    this.host = host;
    this.call = parts.call;
    this.arrival = parts.arrival;
    this.rules = parts.rules;
    this.seen = new SeenResponses(host.limits.provisionals);
    this.server = host.layer.startServer(parts.arrival.request, host.wire.responses(parts.arrival));
  }

  private get isOver(): boolean {
    return this.server.finalStatus !== undefined;
  }

  start(): void {
    if (!this.call.hold(() => this.decideRequest())) {
      this.refuse({ status: 503, phrase: "Too Much Waiting" });
      this.rules.dropped();
    }
  }

  /** §16.10 and §9.2: the CANCEL itself has been answered. */
  cancel(request: SipRequest): void {
    if (this.isOver || this.cancelRequest !== undefined) return;
    this.cancelRequest = request;
    // RFC 3326 §2: what the caller says of it, the callee is told.
    this.endHeaders = reasonsIn(request);
    // Not forwarded yet: there is nothing to cancel downstream, so the answer is ours.
    if (this.outgoing === undefined) this.respond(487);
    else if (this.provisionalSeen) this.sendCancel();
    // §9.1: else it waits for the first provisional, which onResponse sees.
  }

  /** The policy takes the session back: as if Timer C had run out, with its own answer. */
  withdraw({ refusal, headers }: SessionEnding): boolean {
    if (this.isOver) return false;
    this.endHeaders = headers;
    this.stopTimerC();
    const answer = this.refuse(refusal);
    this.sendCancel();
    this.rules.ended("failure", answer);
    return true;
  }

  private async decideRequest(): Promise<void> {
    // Cancelled while it waited for its turn: nobody has been asked, nobody need be told.
    if (this.isOver) return this.rules.dropped();
    const request = await this.locate();
    if (request === undefined) return this.rules.dropped();
    const verdict = await this.rules.request(request);
    if (!verdict.forward) {
      if (!this.isOver) this.refuse(verdict);
      return this.rules.dropped();
    }
    if (this.cancelRequest !== undefined) return this.rules.ended("cancel", this.cancelRequest);
    const { addHeaders = [], removeHeaders = [], nextHop, direct } = verdict;
    const { local: arrival, remote: source } = this.arrival;
    const edits = { addHeaders, removeHeaders };
    const wish = { arrival, source, edits, nextHop, direct, ...onwards(this.host, this.call, request) };
    const outgoing = await this.host.forwarder.prepare(request, wish).catch((cause: unknown) => {
      this.host.logger.error("sip.edit.failed", { cause: String(cause) });
      return { kind: "unroutable", status: 503, phrase: "Service Unavailable" } as const;
    });
    // The name lookup took time: the caller may have gone.
    if (this.cancelRequest !== undefined) return this.rules.ended("cancel", this.cancelRequest);
    // The policy took the session back: `withdraw` has told the end.
    if (this.isOver) return;
    if (outgoing.kind === "unroutable") return this.rules.ended("failure", this.refuse(outgoing));
    if (this.rules.makesDialog) this.noteWay(outgoing, direct === true);
    this.forward(outgoing);
  }

  /** Undefined if there is nobody to send it to; then it has been answered. Nothing was asked of the policy so far. */
  private async locate(): Promise<SipRequest | undefined> {
    const { request, remote } = this.arrival;
    if (!this.rules.makesDialog) return request;
    const located = (await this.host.locate(request)) ?? ({ kind: "found", request } as const);
    // Cancelled meanwhile.
    if (this.isOver) return undefined;
    const unroutable = located.kind === "refused" ? located : this.host.forwarder.check(located.request, remote);
    // A request that the policy may still give a next hop is not refused for want of a route.
    if (located.kind === "refused" || (unroutable !== undefined && unroutable.phrase !== "No Route")) {
      if (unroutable !== undefined) this.refuse(unroutable);
      return undefined;
    }
    if (located.request !== request) {
      const callee = located.request.requestUri;
      const side = this.host.isOurs(callee) ? "terminating" : "originating";
      this.call.context = { ...this.call.context, callee, side };
    }
    return located.request;
  }

  /** Who is reached by a connection of its own, and whether this proxy leaves the path. */
  private noteWay({ request, remote, recorded }: Outgoing, direct: boolean): void {
    const { call, host, arrival } = this;
    const caller = host.agentOn(arrival.remote.flow, { from: call.context.caller });
    const callee = host.agentOn(remote.flow, { contact: request.requestUri });
    const agents = { ...(caller === undefined ? {} : { caller }), ...(callee === undefined ? {} : { callee }) };
    if (direct && recorded) host.logger.info("sip.direct.ignored", { session: call.context.session });
    call.context = {
      ...call.context,
      ...(caller === undefined && callee === undefined ? {} : { agents }),
      ...(direct ? { direct: !recorded } : {}),
    };
  }

  private forward(outgoing: Outgoing): void {
    this.outgoing = outgoing;
    // §16.6 step 11: Timer C bounds how long an INVITE stays unanswered.
    this.armTimerC();
    const channel = this.host.wire.requests(outgoing.local, outgoing.remote);
    const send: Channel["send"] = (message, failed) => {
      this.giveUp = failed;
      channel.send(message, failed);
    };
    this.host.layer.startClient(
      outgoing.request,
      { ...channel, send },
      { response: (response) => this.onResponse(response), failed: (reason) => this.onFailed(reason) },
    );
  }

  private onResponse(received: SipResponse): void {
    const response = received.removeTopVia();
    if (response.status < 200) {
      this.provisionalSeen = true;
      // §9.1: a CANCEL that waited for a provisional goes out now.
      if (this.cancelRequest !== undefined || this.isOver) this.sendCancel();
      // §16.7 step 2: 101 to 199 start Timer C anew; 100 does not, and is never forwarded. §9.1: after a CANCEL nothing does.
      if (response.status === 100) return;
      if (!this.cancelSent && this.timerC !== undefined) this.armTimerC();
      this.onHeld(response, () => this.decideProvisional(response));
      return;
    }
    this.stopTimerC();
    if (response.status < 300) {
      this.onHeld(response, () => this.decideAnswer(response));
      return;
    }
    this.holdOr(
      () => this.passFailure(response),
      () => this.refuse({ status: 500, phrase: "Too Much Waiting" }),
    );
  }

  /** A response that the policy is asked about; its retransmissions are not. */
  private onHeld(response: SipResponse, decide: () => Promise<void>): void {
    const before = this.seen.find(response);
    if (before === undefined) {
      if (!this.seen.begin(response)) return;
      this.holdOr(decide, () => this.seen.forget(response));
    } else if (before.kind === "forwarded") {
      // RFC 6026 §7.3: every 2xx retransmission is passed on. A provisional only while nothing final was.
      if (response.status >= 200 || !this.isOver) this.server.respond(before.message);
    } else if (before.kind === "hungUp") before.again();
  }

  private holdOr(task: () => Promise<void>, full: () => void): void {
    if (!this.call.hold(task)) full();
  }

  private async decideProvisional(response: SipResponse): Promise<void> {
    if (this.isOver || this.cancelRequest !== undefined || this.call.ending !== undefined) return;
    this.learn(response);
    const verdict = await this.rules.response(response);
    if (this.isOver) return;
    if (verdict.forward) return this.pass(response, verdict);
    const answer = this.refuse(verdict);
    this.endHeaders = [reasonOf(verdict)];
    this.stopTimerC();
    this.sendCancel();
    this.rules.ended("failure", answer);
  }

  private async decideAnswer(response: SipResponse): Promise<void> {
    const stands = this.server.finalStatus === undefined || this.server.finalStatus < 300;
    // Refused, timed out or ended before: the callee must not be left in a call that nobody has.
    if (!stands || this.call.ending !== undefined) {
      if (!this.isOver) this.respond(487);
      return this.hangUp(response);
    }
    this.learn(response);
    const verdict = await this.rules.response(response);
    if (verdict.forward && this.call.ending === undefined) return this.pass(response, verdict);
    const answer = verdict.forward ? this.respond(487) : this.refuse(verdict);
    if (!verdict.forward) this.endHeaders = [reasonOf(verdict)];
    this.hangUp(response);
    this.rules.ended("failure", answer);
  }

  private learn(response: SipResponse): void {
    const { call, host, arrival, outgoing } = this;
    if (this.rules.makesDialog) {
      if (outgoing === undefined) return;
      learnDialog(call, response, { arrival, outgoing, isSelf: (place) => host.isSelf(place) });
    } else if (response.status >= 200) {
      const { request } = arrival;
      call.follow((legs) => withRefresh(legs, call.partyOf(request), { request, accepted: response }));
    }
  }

  private pass(response: SipResponse, verdict: Exclude<ResponseVerdict, RefusedVerdict>): void {
    const message = this.call.withNotice(applyEdits(response, verdict));
    const { context } = this.call;
    // A policy that has the proxy leave the path says nothing for the ACK; if it has to stay, the callee learns all the same.
    const granted = verdict.ackHeaders ?? (context.direct === false ? grantsIn(message) : undefined);
    if (granted !== undefined) this.call.onAcknowledgement(response, granted);
    this.seen.settle(response, { kind: "forwarded", message });
    this.server.respond(message);
  }

  private async passFailure(response: SipResponse): Promise<void> {
    if (this.isOver) return;
    await this.rules.failure(response);
    if (this.isOver) return;
    // §16.7 step 6 would turn 503 into 500; here the next proxy's 503 is its policy's answer, and the caller needs it.
    this.server.respond(response);
    if (this.cancelRequest !== undefined) this.rules.ended("cancel", this.cancelRequest);
    else this.rules.ended("failure", response);
  }

  private onFailed(reason: "timeout" | "transportError"): void {
    this.stopTimerC();
    if (this.isOver) return;
    if (this.cancelRequest !== undefined) {
      this.respond(487);
      this.rules.ended("cancel", this.cancelRequest);
      return;
    }
    // §16.7 with §17.1.1.2: Timer B counts as 408. §16.9: a transport error counts as 503.
    const answer = this.respond(reason === "timeout" ? 408 : 503);
    this.rules.ended(reason === "timeout" ? "timeout" : "failure", answer);
  }

  private armTimerC(): void {
    this.timerC?.cancel();
    this.timerC = this.host.clock.after(this.host.timers.timerC, () => this.onTimerC());
  }

  private stopTimerC(): void {
    this.timerC?.cancel();
    this.timerC = undefined;
  }

  /** §16.8: the client transaction is given up: CANCEL downstream, and as if 408 had come. */
  private onTimerC(): void {
    if (this.isOver) return;
    const answer = this.respond(408);
    this.endHeaders = [reasonOf({ status: 408, phrase: "Request Timeout" })];
    this.sendCancel();
    this.rules.ended("timeout", answer);
  }

  private sendCancel(): void {
    if (this.cancelSent || this.outgoing === undefined || !this.provisionalSeen) return;
    this.cancelSent = true;
    const { request, local, remote } = this.outgoing;
    const send = this.host.wire.requests(local, remote);
    const cancel = applyEdits(cancelFor(request), { addHeaders: this.endHeaders });
    this.host.layer.startClient(cancel, send, { response: () => undefined, failed: () => undefined });
    // §9.1: without a final answer in 64*T1 the INVITE counts as cancelled, and its transaction goes: nothing else ends it.
    this.stopTimerC();
    this.timerC = this.host.clock.after(lifetime(this.host.timers), () => this.giveUp());
  }

  /** Ends at the callee what the caller does not have: ACK, and BYE if the 2xx had made a dialog. */
  private hangUp(response: SipResponse): void {
    if (this.outgoing === undefined) return;
    const again = hangUp(this.host, {
      outgoing: this.outgoing,
      accepted: response,
      withBye: this.rules.makesDialog,
      byeHeaders: this.endHeaders,
    });
    this.seen.settle(response, { kind: "hungUp", again });
  }

  private respond(status: number): SipResponse {
    const response = responseTo(this.arrival.request, status, { toTag: this.host.branches.tag() });
    this.server.respond(response);
    return response;
  }

  private refuse(refusal: Omit<RefusedVerdict, "forward">): SipResponse {
    const response = refusalTo(this.arrival.request, refusal, this.host.branches);
    this.server.respond(response);
    return response;
  }
}
