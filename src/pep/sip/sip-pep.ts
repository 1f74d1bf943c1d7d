/**
 * The proxy's enforcement point: SIP events become COPS requests, decisions become what the proxy does with the
 * message it holds.
 *
 * ```
 *  INVITE ──▶ REQ AAA ──granted──▶ policed ──18x/2xx──▶ REQ LDP ─┐
 *     │          │                    ▲───────────────granted───┘ refused: the proxy ends the call
 *     │          └─refused: DRQ       │
 *     └─no answer, onLoss bestEffort─▶ unpoliced
 *  policed ──DEC, unasked──▶ policed: the parties are told, or BYE to both; ending, if they cannot be reached
 *  policed ──BYE, CANCEL, failure, time-out──▶ ending ──REQ noLDP, DEC──▶ RPT, DRQ, forgotten
 *  ending ──no answer──▶ ending, asked again after a while, and after the next synchronisation
 * ```
 */
import { COMMAND, REASON } from "../../cops/codec/codes.js";
import type { DecMessage } from "../../cops/codec/message.js";
import type { PepClient, PepHandlers } from "../../cops/endpoint/pep-client.js";
import { aaaContext, dialogHandle, handleNumber, ldpContext, type SipEvent } from "../../cops/sip/codes.js";
import { requestName } from "../../cops/sip/ladder-name.js";
import type { Clock } from "../../model/clock.js";
import type { RefusalReason } from "../../model/decision.js";
import { DecodeError, SluiceError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { SessionId } from "../../model/session.js";
import { type Millis, seconds } from "../../model/units.js";
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/message.js";
import { refusalAnswer } from "../../sip/message/refusal.js";
import type {
  DialogContext,
  EndKind,
  ProxyPolicy,
  RefusedVerdict,
  RequestVerdict,
  ResponseVerdict,
  SessionControl,
} from "../../sip/proxy/policy.js";
import type { DialogStore, Notice, PepDialog } from "./dialog-store.js";
import { type Ruling, requestVerdict, responseVerdict, rulingOf, takenBack } from "./verdicts.js";

export interface SipPepOptions {
  readonly store: DialogStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Named in the Warning of our own refusals (RFC 3261 §20.43). */
  readonly agent: string;
  /** What becomes of sessions that no policy server decided on in time. */
  readonly onLoss: "refuse" | "bestEffort";
  /** Media in flight at hang-up keeps its class for so long. */
  readonly linger: Millis;
  /** Told of each question and each answer, for the trace. */
  readonly onSession?: (callId: string, session: SessionId) => void;
  readonly onExchange?: (session: SessionId, message: string, action: "sent" | "received") => void;
}

const LET_GO_AGAIN = seconds(2);

export class SipPep implements ProxyPolicy, PepHandlers {
  readonly #options: SipPepOptions;
  #client: PepClient | undefined;
  #control: SessionControl | undefined;

  constructor(options: SipPepOptions) {
    this.#options = options;
  }

  /** @param control - the proxy that asks this policy */
  start(client: PepClient, control: SessionControl): void {
    const { store } = this.#options;
    // A call that was still being set up when this proxy stopped has lost its transactions: it is over.
    for (const dialog of store.all()) if (!dialog.answered) store.save({ ...dialog, phase: "ending" });
    this.#client = client;
    this.#control = control;
    client.start();
  }

  dialogs(): readonly PepDialog[] {
    return this.#options.store.all();
  }

  async invite(context: DialogContext, request: SipRequest): Promise<RequestVerdict> {
    const { store, onLoss } = this.#options;
    const handle = store.nextHandle();
    this.#options.onSession?.(context.callId, context.session);
    const ruling = await this.#ask(context.session, handle, "invite", request.toBuffer());
    const dialog = {
      context,
      handle,
      answered: false,
      since: this.#options.clock.now(),
      last: noticeOf("invite", request),
      answer: undefined,
    };
    if (ruling.granted === undefined) {
      if (onLoss === "refuse") return this.#refuse("policyUnavailable", `no decision: ${ruling.text}`);
      store.save({ ...dialog, phase: "unpoliced" });
      return { forward: true };
    }
    if (ruling.granted) store.save({ ...dialog, phase: "policed" });
    else this.#client?.deleteRequest(dialogHandle(handle), { code: REASON.tear, subCode: 0 });
    return requestVerdict(ruling);
  }

  async response(context: DialogContext, response: SipResponse): Promise<ResponseVerdict> {
    const { store } = this.#options;
    const dialog = store.get(context.session);
    const isAnswer = response.status >= 200;
    // Nobody else knows its tags after a restart, and its BYE would be a stranger's.
    if (dialog?.phase === "unpoliced" && isAnswer) store.save({ ...dialog, context, answered: true });
    if (dialog?.phase !== "policed") return FORWARD;
    const event = isAnswer ? ("answer" as const) : ("provisional" as const);
    const verdict = isNews(dialog, response)
      ? await this.#reserve(dialog, context, { event, message: response })
      : FORWARD;
    if (isAnswer && verdict.forward) this.#commit(context, response);
    return verdict;
  }

  async reoffer(context: DialogContext, message: SipRequest | SipResponse): Promise<ResponseVerdict> {
    const dialog = this.#options.store.get(context.session);
    if (dialog === undefined || dialog.phase !== "policed") return { forward: true };
    return this.#reserve(dialog, context, { event: "reoffer", message });
  }

  async ended(context: DialogContext, kind: EndKind, message: SipMessage): Promise<void> {
    const { store, linger } = this.#options;
    const dialog = store.get(context.session);
    if (dialog === undefined || dialog.phase === "ending") return;
    if (dialog.phase === "unpoliced") return store.remove(context.session);
    const ending = store.save({ ...dialog, context, phase: "ending", end: noticeOf(kind, message) });
    if (kind === "bye") await this.#pause(linger);
    await this.#letGo(ending);
  }

  recall(callId: string, tags: readonly [string, string]): DialogContext | undefined {
    return this.#options.store.find(callId, tags)?.context;
  }

  known(): readonly DialogContext[] {
    return this.#options.store.all().flatMap(({ context, phase }) => (phase === "ending" ? [] : [context]));
  }

  up(): void {
    this.#options.log.info("proxy.policy-server-up");
  }

  down(reason: string): void {
    this.#options.log.warn("proxy.policy-server-lost", { reason });
  }

  /** RFC 2748 §4.4: what was granted may be taken back at any time. The report (§3.3) says whether that could be done. */
  decision(dec: DecMessage): void {
    const dialog = this.#options.store.ofHandle(handleNumber(dec.handle));
    const done = dialog !== undefined && this.#takeBack(dialog, dec);
    this.#client?.report(dec.handle, { type: done ? "success" : "failure", solicited: true });
  }

  /** RFC 2748 §3.5 and §4.5: every request state again, and the hang-ups that nobody heard; then SSC. */
  synchronize(): void {
    this.#synchronize().catch((error: unknown) => this.#options.log.error("proxy.synchronize-failed", { error }));
  }

  /** May be said again: by a policy server that cannot know whether it was heard. */
  #takeBack(dialog: PepDialog, dec: DecMessage): boolean {
    const { store, log, onExchange } = this.#options;
    const { context, phase, shed } = dialog;
    const { session } = context;
    onExchange?.(session, "DEC", "received");
    if (phase === "ending") return true;
    const ruling = this.#read(dec);
    if (ruling.granted === undefined || phase === "unpoliced") {
      log.warn("proxy.unsolicited-decision", { session, phase, text: ruling.granted === undefined ? ruling.text : "" });
      return false;
    }
    const order = takenBack(ruling);
    if (order.do === "notify" && shed !== undefined) return true;
    const done =
      order.do === "notify"
        ? this.#control?.notify(context, order.headers)
        : this.#control?.hangUp(context, order.ending);
    const now = order.do === "notify" ? "bestEffort" : "bye";
    log.warn("proxy.session-shed", { session, treatment: now, done: done === true });
    if (done === true) store.save({ ...dialog, shed: now });
    // Perhaps no BYE of its parties ever passes here: what is held for them goes all the same.
    else if (order.do === "hangUp") this.#release(store.save({ ...dialog, phase: "ending" }));
    return done === true;
  }

  #read(dec: DecMessage): Ruling {
    try {
      return rulingOf(dec);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return { granted: undefined, text: error.message };
    }
  }

  async #synchronize(): Promise<void> {
    const { store } = this.#options;
    const dialogs = store.all().filter(({ phase }) => phase === "policed");
    const waiting = store.all().filter(({ phase }) => phase === "ending");
    // Before SSC: what was not mentioned by then counts as forgotten, and would end as lost.
    await Promise.all([
      ...dialogs.map((dialog) => this.#restate(dialog)),
      ...waiting.map((dialog) => this.#close(dialog)),
    ]);
    this.#client?.synchronizeComplete();
  }

  /** A hang-up that nobody heard. The policy server may not even have heard that the call was answered. */
  async #close(dialog: PepDialog): Promise<void> {
    if (dialog.answered) await this.#restate(dialog);
    await this.#letGo(dialog);
  }

  async #restate(dialog: PepDialog): Promise<void> {
    const { event, message } = dialog.last;
    const { session } = dialog.context;
    const ruling = await this.#ask(session, dialog.handle, event, Buffer.from(message, "base64"), "restate");
    // It may have ended while we asked.
    const current = this.#options.store.get(session);
    if (current?.phase !== "policed") return;
    // A policy server that has never heard of it will not release it either: the call goes on as it is.
    if (ruling.granted === false) this.#options.store.save({ ...current, phase: "unpoliced" });
  }

  async #reserve(
    dialog: PepDialog,
    context: DialogContext,
    { event, message }: { event: SipEvent; message: SipMessage },
  ): Promise<ResponseVerdict> {
    const octets = message.toBuffer();
    const ruling = await this.#ask(context.session, dialog.handle, event, octets);
    if (ruling.granted === undefined) {
      if (this.#options.onLoss === "bestEffort") return FORWARD;
      return this.#refuse("policyUnavailable", `no decision: ${ruling.text}`);
    }
    const current = this.#options.store.get(context.session);
    if (ruling.granted && current?.phase === "policed") {
      const answer = message.kind === "response" && message.body.length > 0 ? bodyOf(message) : current.answer;
      const last = noticeOf(event, message);
      this.#options.store.save({ ...current, context, last, answer, untold: ruling.directives.untold === true });
    }
    return responseVerdict(ruling);
  }

  /** RFC 2749 §4: Success says that what was decided is in use; accounting starts here. */
  #commit(context: DialogContext, response: SipResponse): void {
    const { store } = this.#options;
    const dialog = store.get(context.session);
    if (dialog === undefined || dialog.answered) return;
    // Kept as what is in force: said again, it tells a policy server that missed it that the call was answered.
    const last =
      response.body.length > 0 || dialog.last.event === "invite" ? noticeOf("answer", response) : dialog.last;
    store.save({ ...dialog, context, answered: true, last });
    this.#client?.report(dialogHandle(dialog.handle), { type: "success", signaled: [response.toBuffer()] });
  }

  async #letGo(dialog: PepDialog): Promise<void> {
    const { session } = dialog.context;
    // A set-up that was cut off by our own stop has no message that ended it.
    const { event, message } = dialog.end ?? { event: "timeout", message: dialog.last.message };
    const ruling = await this.#ask(session, dialog.handle, event, Buffer.from(message, "base64"));
    if (ruling.granted === undefined) return this.#letGoLater(session);
    const handle = dialogHandle(dialog.handle);
    this.#client?.report(handle, { type: "success" });
    this.#client?.deleteRequest(handle, { code: REASON.tear, subCode: 0 });
    this.#options.store.remove(session);
  }

  /** A policy server that is there but silent will not ask us to synchronise. */
  #letGoLater(session: SessionId): void {
    this.#options.clock.after(LET_GO_AGAIN, () => {
      const dialog = this.#options.store.get(session);
      if (dialog?.phase === "ending") this.#release(dialog);
    });
  }

  #release(dialog: PepDialog): void {
    const { session } = dialog.context;
    this.#letGo(dialog).catch((error: unknown) => this.#options.log.error("proxy.release-failed", { session, error }));
  }

  async #ask(session: SessionId, handle: number, event: SipEvent, message: Buffer, why?: "restate"): Promise<Ruling> {
    const context = event === "invite" ? aaaContext() : ldpContext(event);
    const { onExchange, log } = this.#options;
    if (this.#client === undefined) return { granted: undefined, text: "not started" };
    try {
      if (why === undefined) onExchange?.(session, requestName(context), "sent");
      const dec = await this.#client.request({
        handle: dialogHandle(handle),
        context,
        signaled: [message],
        // RFC 2748 §2.2.7, as RFC 2749 uses it after a synchronisation: what is in force here already.
        ...(why === undefined ? {} : { lpdp: [{ command: COMMAND.install, flags: 0 }] }),
      });
      if (why === undefined) onExchange?.(session, "DEC", "received");
      return rulingOf(dec);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      log.warn("proxy.no-decision", { session, event, code: error.code });
      return { granted: undefined, text: error.message };
    }
  }

  #refuse(reason: RefusalReason, text: string): RefusedVerdict {
    return { forward: false, ...refusalAnswer(reason, text, this.#options.agent) };
  }

  #pause(delay: Millis): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(delay, resolve);
    });
  }
}

const FORWARD: ResponseVerdict = { forward: true };

const noticeOf = (event: SipEvent, message: SipMessage): Notice => ({
  event,
  message: message.toBuffer().toString("base64"),
});

const bodyOf = (message: SipMessage): string => message.body.toString("latin1");

/**
 * A response changes something if it is the first, or carries a session description that was not decided on. A 2xx with one that
 * was (RFC 3261 §13.2.1) is what tells the parties of it, if nothing has before.
 */
function isNews({ last, answer, untold }: PepDialog, response: SipResponse): boolean {
  if (last.event === "invite") return true;
  if (response.body.length === 0) return false;
  return bodyOf(response) !== answer || (untold === true && response.status >= 200);
}
