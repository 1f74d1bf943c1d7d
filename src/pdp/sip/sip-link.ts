/**
 * SIP proxies over COPS: their requests become operations on sessions, the outcome becomes a decision.
 * One handle per dialog; after a proxy's restart the same session may come under another handle.
 */
import { COMMAND, COPS_ERROR, R_TYPE } from "../../cops/codec/codes.js";
import type { CopsDecision, ReqMessage, RptMessage } from "../../cops/codec/message.js";
import type { DecisionBody } from "../../cops/endpoint/pdp-handlers.js";
import type { PdpPeer } from "../../cops/endpoint/pdp-peer.js";
import { type SipEvent, sipEventOf } from "../../cops/sip/codes.js";
import { encodeDirectives, type SipDirectives } from "../../cops/sip/directives.js";
import { requestName } from "../../cops/sip/ladder-name.js";
import type { Clock, Timer } from "../../model/clock.js";
import type { Refusal } from "../../model/decision.js";
import { DecodeError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { type SessionId, sessionIdOf } from "../../model/session.js";
import { seconds } from "../../model/units.js";
import type { SipMessage, SipRequest } from "../../sip/message/message.js";
import { refusalAnswer } from "../../sip/message/refusal.js";
import { type Refresh, refreshOf } from "../liveness/session-timer.js";
import { answerDirectives, untoldDirectives } from "../negotiation/granted-header.js";
import type { SessionAnswer } from "../session-facts.js";
import type { EndCause, SessionRecord } from "../session-record.js";
import type { SessionService } from "../session-service.js";
import { HandleTable } from "./handle-table.js";
import {
  descriptionOf,
  type ReadingRules,
  readAnswer,
  readInvite,
  readMessage,
  readReoffer,
  tellsGrants,
} from "./message-reading.js";
import { midDialog } from "./mid-dialog.js";
import { noticeOf } from "./shed-decision.js";
import { ShedTeller } from "./shed-teller.js";

export interface SipLinkOptions {
  readonly service: SessionService;
  readonly rules: ReadingRules;
  readonly clock: Clock;
  readonly log: Logger;
  /** Named in Warning headers (RFC 3261 §20.43). */
  readonly agent: string;
  /** Told of each question and each answer, for the trace. */
  readonly onExchange?: (session: SessionId, message: string, action: "sent" | "received", proxy: string) => void;
  /** Told of each message that sets or extends a session's timer (RFC 4028), and whether it passed now or is only said again. */
  readonly onRefresh?: (session: SessionId, refresh: Refresh, when: "now" | "before") => void;
}

/** Sessions of a proxy that does not come back are let go after this time. */
const PEER_HOLD = seconds(300);

interface Proxy {
  readonly peer: PdpPeer;
  readonly handles: HandleTable;
  readonly teller: ShedTeller;
}

export class SipLink {
  readonly #options: SipLinkOptions;
  readonly #proxies = new Map<string, Proxy>();
  readonly #absent = new Map<string, Timer>();

  constructor(options: SipLinkOptions) {
    this.#options = options;
    const peers = new Set(options.service.live().map(({ peer }) => peer));
    for (const pepId of peers) this.#waitFor(pepId);
  }

  /** A proxy opened its client-type: it is asked to say again what it holds (RFC 2748 §4.5). */
  opened(peer: PdpPeer): void {
    this.#absent.get(peer.pepId)?.cancel();
    this.#absent.delete(peer.pepId);
    this.#proxies.set(peer.pepId, this.#proxyOf(peer));
    peer.synchronize();
  }

  async request(peer: PdpPeer, req: ReqMessage): Promise<DecisionBody> {
    const event = sipEventOf(req.context.mType);
    const octets = req.signaled[0];
    if (event === undefined) return failure(COPS_ERROR.badMessageFormat);
    if (octets === undefined) return failure(COPS_ERROR.mandatoryClientSpecificInfoMissing);
    try {
      const isAdmission = (req.context.rType & R_TYPE.admission) !== 0;
      return await this.#decide(peer, req, { event: isAdmission ? "invite" : event, message: readMessage(octets) });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#options.log.warn("pdp.sip-unreadable", { peer: peer.pepId, error: error.message });
      return failure(COPS_ERROR.unableToProcess);
    }
  }

  /** Success: what was decided is in use now; it is charged from here. */
  report(peer: PdpPeer, rpt: RptMessage): void {
    const session = this.#sessionOf(peer, rpt.handle);
    const octets = rpt.signaled[0];
    if (session === undefined || rpt.reportType !== "success" || octets === undefined) return;
    this.#options.service.answered(session);
    try {
      this.#refresh(session, readMessage(octets), "now");
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#options.log.warn("pdp.sip-unreadable", { peer: peer.pepId, error: error.message });
    }
  }

  /** RFC 2748 §3.4: whatever the reason, the state of the handle is gone. */
  async deleted(peer: PdpPeer, handle: Buffer): Promise<void> {
    const session = this.#sessionOf(peer, handle);
    this.#proxies.get(peer.pepId)?.handles.unbind(handle);
    if (session !== undefined) await this.#options.service.release(session, "lost");
  }

  /**
   * What the proxy did not mention it has forgotten: nobody would ever release it. Of what it holds, it may not have
   * heard that it was taken back.
   */
  async synchronized(peer: PdpPeer): Promise<void> {
    const handles = this.#proxies.get(peer.pepId)?.handles;
    const its = this.#options.service.live().filter((record) => record.peer === peer.pepId);
    const isKnown = ({ id }: SessionRecord): boolean => handles?.handleOf(id) !== undefined;
    for (const record of its.filter(isKnown)) this.shed(record);
    for (const record of its) if (!isKnown(record)) await this.#options.service.release(record.id, "lost");
  }

  /**
   * Tells the proxy of a session that was shed, or that this server ended, unasked. One that is away is told when it has
   * synchronised.
   */
  shed(record: SessionRecord): void {
    const notice = record.state === "releasing" ? undefined : noticeOf(record);
    if (notice !== undefined) this.#proxies.get(record.peer)?.teller.tell(record.id, notice);
  }

  closed(peer: PdpPeer, reason: string): void {
    if (this.#proxies.get(peer.pepId)?.peer !== peer) return;
    this.#proxies.delete(peer.pepId);
    this.#options.log.warn("pdp.proxy-lost", { proxy: peer.pepId, reason });
    this.#waitFor(peer.pepId);
  }

  peers(): readonly PdpPeer[] {
    return [...this.#proxies.values()].map(({ peer }) => peer);
  }

  #proxyOf(peer: PdpPeer): Proxy {
    const { agent, log, onExchange } = this.#options;
    const handles = new HandleTable();
    const onTold = (session: SessionId) => onExchange?.(session, "DEC", "sent", peer.remote);
    return { peer, handles, teller: new ShedTeller({ peer, handles, agent, log, onTold }) };
  }

  async #decide(
    peer: PdpPeer,
    req: ReqMessage,
    { event, message }: { event: SipEvent; message: SipMessage },
  ): Promise<DecisionBody> {
    if (event === "invite") return this.#authorise(peer, req, message as SipRequest);
    const session = this.#bind(peer, req.handle, message);
    const record = session === undefined ? undefined : this.#options.service.get(session);
    if (session === undefined || record === undefined) return this.#answer(req, UNKNOWN);
    this.#trace(req, peer, session, "received", requestName(req.context));
    const answer = await this.#operate(record, event, message);
    if (answer.admitted) this.#refresh(session, message, req.lpdp.length === 0 ? "now" : "before");
    this.#trace(req, peer, session, "sent", "DEC");
    return this.#answer(req, answer, tellsGrants(message));
  }

  async #authorise(peer: PdpPeer, req: ReqMessage, invite: SipRequest): Promise<DecisionBody> {
    const { service, rules } = this.#options;
    const facts = readInvite(invite, peer.pepId, rules);
    if (!facts.ok) {
      if (facts.about !== undefined) await service.refuseUnread(facts.about, facts.refusal);
      return this.#answer(req, facts.refusal);
    }
    const { id } = facts.value;
    this.#trace(req, peer, id, "received", requestName(req.context));
    this.#proxies.get(peer.pepId)?.handles.bind(req.handle, id);
    const answer = await service.authorise(facts.value);
    if (!answer.admitted) this.#proxies.get(peer.pepId)?.handles.unbind(req.handle);
    this.#trace(req, peer, id, "sent", "DEC");
    return this.#answer(req, answer);
  }

  async #operate(
    record: SessionRecord,
    event: Exclude<SipEvent, "invite">,
    message: SipMessage,
  ): Promise<SessionAnswer> {
    const { service } = this.#options;
    switch (event) {
      case "provisional":
      case "answer":
        return this.#answered(record, message);
      case "reoffer":
        return this.#reoffer(record, message);
      case "bye":
      case "cancel":
      case "failure":
      case "timeout":
      case "left":
        await service.release(record.id, causeOf(event, record));
        return { admitted: true, record };
    }
  }

  #answered(record: SessionRecord, message: SipMessage): Promise<SessionAnswer> {
    const { service, rules } = this.#options;
    // The answer came before, as in a reliable provisional (RFC 3262 §5): who rings or accepts without another takes nothing back.
    const isSaid = descriptionOf(message) === undefined && (record.reoffer ?? record.offer)?.answered === true;
    if (isSaid) return Promise.resolve({ admitted: true, record });
    const answer = readAnswer(message, record, rules);
    return answer.ok ? service.reserve(record.id, answer.value) : service.refuseAnswer(record.id, answer.refusal);
  }

  /** An offer inside the dialog is looked at, its answer takes effect, its refusal leaves things as they were. */
  async #reoffer(record: SessionRecord, message: SipMessage): Promise<SessionAnswer> {
    const { service, rules } = this.#options;
    const callerTag = callerTagOf(message, record);
    const said = midDialog(message, record, callerTag);
    if (said.kind === "nothing") return { admitted: true, record };
    if (said.kind === "failure") return service.withdraw(record.id);
    if (said.kind === "answer") return this.#answered({ ...record, reoffer: said.to }, message);
    const offer = readReoffer(message, { callerTag, side: record.side }, rules);
    if (!offer.ok) return offer.refusal;
    if (offer.value === undefined) return { admitted: true, record };
    return service.reoffer(record.id, offer.value.offer, offer.value.flows);
  }

  /** The session that a handle stands for; after a restart it is found by what the message says. */
  #bind(peer: PdpPeer, handle: Buffer, message: SipMessage): SessionId | undefined {
    const handles = this.#proxies.get(peer.pepId)?.handles;
    const known = handles?.sessionOf(handle);
    if (known !== undefined) return known;
    const found = this.#options.service.findByDialog(message.callId, [message.fromTag, message.toTag]);
    if (found === undefined || found.peer !== peer.pepId) return undefined;
    handles?.bind(handle, found.id);
    return found.id;
  }

  #sessionOf(peer: PdpPeer, handle: Buffer): SessionId | undefined {
    return this.#proxies.get(peer.pepId)?.handles.sessionOf(handle);
  }

  #refresh(session: SessionId, message: SipMessage, when: "now" | "before"): void {
    const refresh = refreshOf(message);
    if (refresh !== undefined) this.#options.onRefresh?.(session, refresh, when);
  }

  /** @param tells - it is about a response that takes what was granted to the parties, unless it is an offer itself */
  #answer(req: ReqMessage, answer: SessionAnswer, tells = false): DecisionBody {
    const { agent } = this.#options;
    const directives = !answer.admitted
      ? this.#refusalDirectives(answer)
      : tells && answer.record.reoffer === undefined
        ? { ...grantDirectives(req, answer.record), ...answerDirectives(answer.record, agent) }
        : { ...grantDirectives(req, answer.record), ...untoldDirectives(answer.record) };
    const decision: CopsDecision = {
      context: req.context,
      command: answer.admitted ? COMMAND.install : COMMAND.remove,
      flags: 0,
      clientSpecific: encodeDirectives(directives),
    };
    return { decisions: [decision] };
  }

  #refusalDirectives(refusal: Refusal): SipDirectives {
    const { status, phrase, headers } = refusalAnswer(refusal.reason, refusal.text, this.#options.agent);
    return { addHeaders: headers, removeHeaders: [], refusal: { status, phrase } };
  }

  #waitFor(pepId: string): void {
    const { clock, service, log } = this.#options;
    const timer = clock.after(PEER_HOLD, () => {
      this.#absent.delete(pepId);
      const left = service.live().filter(({ peer }) => peer === pepId);
      log.warn("pdp.proxy-given-up", { proxy: pepId, sessions: left.length });
      for (const { id } of left) void service.release(id, "lost");
    });
    this.#absent.set(pepId, timer);
  }

  /** What is only said again, after a synchronisation, is no step of the ladder. */
  #trace(req: ReqMessage, peer: PdpPeer, session: SessionId, action: "sent" | "received", message: string): void {
    if (req.lpdp.length === 0) this.#options.onExchange?.(session, message, action, peer.remote);
  }
}

const UNKNOWN: Refusal = { admitted: false, reason: "notAuthorised", text: "this session was never authorised here" };

const failure = (code: number): DecisionBody => ({ decisions: [], error: { code, subCode: 0 } });

function grantDirectives(req: ReqMessage, record: SessionRecord): SipDirectives {
  const isAdmission = (req.context.rType & R_TYPE.admission) !== 0;
  return isAdmission
    ? { ...record.directives, session: record.id }
    : { addHeaders: [], removeHeaders: [], session: record.id };
}

const causeOf = (event: "bye" | "cancel" | "failure" | "timeout" | "left", record: SessionRecord): EndCause =>
  record.refusal === undefined ? event : "refused";

/** The tag of the dialog's caller: the one of the two that made this session's id. */
function callerTagOf(message: SipMessage, record: SessionRecord): string {
  const tags = [message.fromTag, message.toTag].filter((tag) => tag !== undefined);
  return tags.find((tag) => isCaller(record, tag)) ?? "";
}

const isCaller = (record: SessionRecord, tag: string): boolean => sessionIdOf(record.callId, tag) === record.id;
