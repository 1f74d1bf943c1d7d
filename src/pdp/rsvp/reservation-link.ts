/**
 * Routers that have their RSVP reservations decided here (COPS-RSVP, RFC 2749): a request becomes a question to the rules, the
 * verdict a decision.
 */
import type { ReservationDecisionView } from "../../control/reservation-views.js";
import { COMMAND, COPS_ERROR } from "../../cops/codec/codes.js";
import type { CopsContext, DrqMessage, ReqMessage, RptMessage } from "../../cops/codec/message.js";
import type { DecisionBody, PdpHandlers } from "../../cops/endpoint/pdp-handlers.js";
import type { PdpPeer } from "../../cops/endpoint/pdp-peer.js";
import { reservationContext } from "../../cops/rsvp/codes.js";
import { encodeRuling } from "../../cops/rsvp/verdict.js";
import type { Clock, Timer } from "../../model/clock.js";
import { ProtocolError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { type BitsPerSecond, type Millis, seconds } from "../../model/units.js";
import { RSVP_ERROR } from "../../rsvp/codec/codes.js";
import { encodeObject } from "../../rsvp/codec/object.js";
import { describeAsk, type ReservationAsk, type RsvpAsk, readRequest } from "./reservation-reading.js";
import { POLICY_VALUE, type ReservationRules, type RuleVerdict } from "./reservation-rules.js";
import { type GrantedReservation, ReservationTable } from "./reservation-table.js";

export interface ReservationLinkOptions {
  /** Names of the routers that may ask. */
  readonly routers: ReadonlySet<string>;
  readonly rules: ReservationRules;
  readonly maxReservations: number;
  /** Seconds. */
  readonly keepAlive: number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Router {
  readonly peer: PdpPeer;
  readonly connection: number;
}

/** Reservations of a router that does not come back are forgotten after this time. */
const ROUTER_HOLD = seconds(300);
const DECISIONS_KEPT = 256;
/** Withdrawals that are remembered; the oldest gives way. */
const MAX_BLOCKS = 10_000;

export class ReservationLink {
  readonly #options: ReservationLinkOptions;
  readonly #table = new ReservationTable();
  readonly #routers = new Map<string, Router>();
  readonly #absent = new Map<string, Timer>();
  readonly #decided: ReservationDecisionView[] = [];
  /** Withdrawn by an operator, with the time until which it stays refused. */
  readonly #blocked = new Map<string, number>();
  #connections = 0;

  constructor(options: ReservationLinkOptions) {
    this.#options = options;
  }

  open({ pepId }: PdpPeer): ReturnType<PdpHandlers["open"]> {
    const { routers, keepAlive, log } = this.#options;
    if (routers.has(pepId)) return { accept: true, keepAlive };
    log.warn("pdp.rsvp-router-refused", { router: pepId });
    return { accept: false, error: { code: COPS_ERROR.authenticationFailure, subCode: 0 } };
  }

  /** Handles are new with each connection, so all is to be said again (RFC 2748 §2.5). */
  opened(peer: PdpPeer): void {
    this.#absent.get(peer.pepId)?.cancel();
    this.#absent.delete(peer.pepId);
    this.#routers.set(peer.pepId, { peer, connection: ++this.#connections });
    peer.synchronize();
  }

  request(peer: PdpPeer, req: ReqMessage): DecisionBody {
    const reading = readRequest(req);
    if (!reading.ok) {
      this.#options.log.warn("pdp.rsvp-unreadable", { router: peer.pepId, why: reading.why });
      return { decisions: [], error: reading.error };
    }
    const { ask } = reading;
    if (ask.kind === "error") return allowed(req.context);
    const verdict = this.#judge(peer, ask);
    if (ask.kind === "reservation") this.#settle(peer, req, ask, verdict);
    else if (!verdict.admit) this.#options.log.info("pdp.rsvp-path-refused", { router: peer.pepId, ...verdict });
    return verdict.admit ? allowed(req.context) : { decisions: [refusal(req.context, peer, verdict.value)] };
  }

  /** RFC 2749 §3.3: commit, or no-commit: then another REQ or a DRQ follows. */
  report(peer: PdpPeer, { handle, reportType }: RptMessage): void {
    if (reportType === "success") this.#table.commit(peer.pepId, handle);
    else if (reportType === "failure") {
      const flow = this.#table.byHandle(peer.pepId, handle)?.ask;
      if (flow !== undefined)
        this.#options.log.info("pdp.rsvp-no-commit", { router: peer.pepId, flow: describeAsk(flow) });
    }
  }

  deleted(peer: PdpPeer, { handle, reason }: DrqMessage): void {
    const granted = this.#table.byHandle(peer.pepId, handle);
    if (granted === undefined) return;
    this.#table.remove(granted);
    const flow = describeAsk(granted.ask);
    this.#options.log.info("pdp.rsvp-ended", { router: peer.pepId, flow, reason: reason.code });
  }

  /** What the router did not mention it has not got any more. */
  synchronized({ pepId }: PdpPeer): void {
    // Requests that came in the same segment as the SSC are decided before it is acted upon.
    queueMicrotask(() => {
      const connection = this.#routers.get(pepId)?.connection;
      this.#forget(pepId, (granted) => granted.connection !== connection);
    });
  }

  closed(peer: PdpPeer, reason: string): void {
    const { pepId } = peer;
    if (this.#routers.get(pepId)?.peer !== peer) return;
    this.#routers.delete(pepId);
    this.#options.log.warn("pdp.rsvp-router-lost", { router: pepId, reason });
    const timer = this.#options.clock.after(ROUTER_HOLD, () => this.#forget(pepId, () => true));
    this.#absent.set(pepId, timer);
  }

  close(): void {
    for (const timer of this.#absent.values()) timer.cancel();
    this.#absent.clear();
  }

  /** By name. */
  peers(): readonly PdpPeer[] {
    return [...this.#routers.values()].map(({ peer }) => peer);
  }

  reservations(): readonly GrantedReservation[] {
    return this.#table.all();
  }

  decisions(): readonly ReservationDecisionView[] {
    return this.#decided;
  }

  /**
   * Takes reservations back, unasked, and refuses them for a time: receivers ask again with every refresh.
   * @returns what was taken back
   */
  withdraw(which: (granted: GrantedReservation) => boolean, blockedFor: Millis): readonly GrantedReservation[] {
    const until = this.#options.clock.now() + blockedFor;
    const taken = this.#table.all().filter(which);
    for (const granted of taken) {
      const { router, ask } = granted;
      this.#block(blockKey(router, ask), until);
      this.#table.remove(granted);
      this.#options.log.warn("pdp.rsvp-withdrawn", { router, flow: describeAsk(ask), rate: ask.rate });
      const peer = this.#routers.get(router)?.peer;
      if (peer !== undefined) void this.#tell(peer, granted);
    }
    return taken;
  }

  /** The router answers by a DRQ or a report; one that is gone is refused what it had when it comes back. */
  async #tell(peer: PdpPeer, { handle, ask }: GrantedReservation): Promise<void> {
    // Whatever the steps were that it was asked about: resources are part of all of them.
    const context = reservationContext("merged");
    try {
      await peer.decide(handle, [refusal(context, peer, POLICY_VALUE.preempt)]);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.log.debug("pdp.rsvp-withdrawal-unreported", { router: peer.pepId, flow: describeAsk(ask) });
    }
  }

  #judge({ pepId }: PdpPeer, ask: Exclude<RsvpAsk, { kind: "error" }>): RuleVerdict {
    const { rules, maxReservations } = this.#options;
    if (ask.kind === "path") return rules.judge(ask, () => 0 as BitsPerSecond);
    if (this.#isBlocked(blockKey(pepId, ask))) {
      return { admit: false, value: POLICY_VALUE.preempt, text: "an operator has taken it back" };
    }
    const before = this.#table.get(pepId, ask.identity);
    if (before === undefined && this.#table.size >= maxReservations) {
      return { admit: false, value: POLICY_VALUE.exceed, text: `${maxReservations} reservations are the most` };
    }
    return rules.judge(ask, (rule) => this.#table.used(pepId, rule, before));
  }

  /** After a refusal what was granted before stays: the router asks for that again, or ends it (RFC 2749 §3.3). */
  #settle({ pepId }: PdpPeer, { handle, lpdp }: ReqMessage, ask: ReservationAsk, verdict: RuleVerdict): void {
    const { clock, log } = this.#options;
    const before = this.#table.get(pepId, ask.identity);
    if (verdict.admit) {
      const connection = this.#routers.get(pepId)?.connection ?? 0;
      const since = before?.since ?? clock.now();
      // What the router's own decision let in is in force there already (RFC 2749 §3.5).
      const held = lpdp.some(({ command }) => command === COMMAND.install);
      const committed = held || (before?.committed ?? false);
      this.#table.set({ router: pepId, ask, rule: verdict.rule, since, handle, committed, connection });
    }
    const { admit: admitted, ...why } = verdict;
    const flow = describeAsk(ask);
    this.#remember({ at: clock.now(), router: pepId, flow, rate: ask.rate, admitted, ...why });
    log.info(admitted ? "pdp.rsvp-admitted" : "pdp.rsvp-refused", { router: pepId, flow, rate: ask.rate, ...why });
  }

  #remember(decided: ReservationDecisionView): void {
    this.#decided.push(decided);
    if (this.#decided.length > DECISIONS_KEPT) this.#decided.shift();
  }

  #forget(router: string, which: (granted: GrantedReservation) => boolean): void {
    const gone = this.#table.all().filter((granted) => granted.router === router && which(granted));
    for (const granted of gone) this.#table.remove(granted);
    if (gone.length > 0) this.#options.log.info("pdp.rsvp-forgotten", { router, reservations: gone.length });
  }

  #block(key: string, until: number): void {
    this.#blocked.delete(key);
    this.#blocked.set(key, until);
    const [oldest] = this.#blocked.keys();
    if (this.#blocked.size > MAX_BLOCKS && oldest !== undefined) this.#blocked.delete(oldest);
  }

  #isBlocked(key: string): boolean {
    const until = this.#blocked.get(key);
    if (until === undefined) return false;
    if (until > this.#options.clock.now()) return true;
    this.#blocked.delete(key);
    return false;
  }
}

const blockKey = (router: string, { identity }: ReservationAsk): string => `${router} ${identity}`;

const allowed = (context: CopsContext): DecisionBody => ({ decisions: [encodeRuling(context, { install: true })] });

/** RFC 2749 §3.7: the contents of the error that the router sends. The node is the router's to fill in. */
function refusal(context: CopsContext, { remote }: PdpPeer, value: number) {
  const node = remote.includes("[") ? "::" : "0.0.0.0";
  const spec = encodeObject({ name: "errorSpec", value: { node, flags: 0, code: RSVP_ERROR.policy, value } });
  return encodeRuling(context, { install: false, replacement: spec });
}
