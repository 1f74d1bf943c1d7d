/**
 * RSVP admission outsourced to a policy server (COPS-RSVP, RFC 2749): stands between the node, which wants reservations, and
 * traffic control, which makes them.
 *
 * ```
 *  node ── reserve ──> room? ── REQ ──> policy server
 *   ^                                       │ DEC Install
 *   └── admission <── traffic control <─────┘          RPT commit
 * ```
 */
import { REASON } from "../../../cops/codec/codes.js";
import type { DecMessage } from "../../../cops/codec/message.js";
import type { PepHandlers } from "../../../cops/endpoint/pep-client.js";
import {
  type DenialCause,
  newRequest,
  type OnLoss,
  type RequestAction,
  type RequestEvent,
  type RequestState,
  requestStep,
} from "../../../cops/rsvp/reservation-request.js";
import type { Clock, Timer } from "../../../model/clock.js";
import { ProtocolError } from "../../../model/errors.js";
import type { Logger } from "../../../model/log.js";
import { StepQueue } from "../../../model/step-queue.js";
import { type BitsPerSecond, type Millis, millis } from "../../../model/units.js";
import { ADMISSION, RSVP_ERROR } from "../../../rsvp/codec/codes.js";
import type { ErrorAnswer } from "../../../rsvp/codec/errors.js";
import type { NodeMachine } from "../../../rsvp/endpoint/node-driver.js";
import type { AdmissionVerdict, NodeEvent } from "../../../rsvp/machine/events.js";
import { bandwidthOf, covers } from "../../../rsvp/machine/flowspec-algebra.js";
import { type ReservationRef, refKey } from "../../../rsvp/machine/keys.js";
import { errorOf, PolicyErrors } from "./outsourced-errors.js";
import { type PolicyClient, Questions } from "./outsourced-questions.js";
import { type RequestContents, type RequestView, type ReserveAction, requestContents } from "./outsourced-request.js";

/** What the node's requests go to: traffic control, or what stands before it. */
export interface Admission {
  /** The answer comes as an `admission` event. */
  reserve(request: ReserveAction): void;
  release(ref: ReservationRef): void;
}

export interface OutsourcedAdmissionOptions {
  readonly onLoss: OnLoss;
  /** With `reject`: how long decisions of a server that is away are used. RFC 2749 §3.5: the lifetime of RSVP's state. */
  readonly hold: Millis;
  /** How long a new reservation waits for a connection that is away. */
  readonly patience: Millis;
  /** Reservations that are kept track of; further ones are refused. */
  readonly maxReservations: number;
  /** Requests that wait for a decision at the same time. */
  readonly maxUnderWay: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface AdmissionParts {
  /** Traffic control; what it tells goes to `answered`. */
  readonly local: Admission;
  readonly tell: (event: NodeEvent) => void;
  readonly view: (ref: ReservationRef) => RequestView;
  /** What is left of an interface's room, layer 3. */
  readonly free: (interfaceName: string) => BitsPerSecond;
}

interface Entry {
  readonly ref: ReservationRef;
  readonly key: string;
  state: RequestState<ReserveAction>;
  /** Traffic control's last word, for whoever waits. */
  lastWord: AdmissionVerdict | undefined;
}

interface EntryEvent {
  readonly entry: Entry;
  readonly event: RequestEvent<ReserveAction>;
}

/** What a server that sends no SSQ is told by itself, so that it knows of everything that is in force. */
const TELL_UNASKED_AFTER = millis(1000);
/** After a request without a decision. */
const RETRY_AFTER = millis(10_000);

const NO_BANDWIDTH: ErrorAnswer = { code: RSVP_ERROR.admission, value: ADMISSION.bandwidth };
const TOO_MANY: ErrorAnswer = { code: RSVP_ERROR.rsvpSystem, value: 0 };
/** Used rooms are told in whole bit/s: what is off by less is for traffic control to see. */
const ROUNDING = 1;

export type AdmissionCounter = "asked" | "admitted" | "refused" | "takenAway" | "undecided" | "noRoom";

export class OutsourcedAdmission implements Admission, PepHandlers {
  readonly #options: OutsourcedAdmissionOptions;
  readonly #questions: Questions<Entry>;
  readonly #entries = new Map<string, Entry>();
  readonly #events = new StepQueue<EntryEvent>((next) => this.#step(next));
  /** Errors of reservations that the node is being told to give up. */
  readonly #withdrawals = new Map<string, ErrorAnswer>();
  readonly #counters = new Map<AdmissionCounter, number>();
  #parts: AdmissionParts | undefined;
  #retry: Timer | undefined;
  #expiry: Timer | undefined;

  constructor(options: OutsourcedAdmissionOptions) {
    this.#options = options;
    this.#questions = new Questions(options);
  }

  /** Joins it with a node and its traffic control. */
  attach(parts: AdmissionParts): void {
    this.#parts = parts;
  }

  /** The client may connect afterwards: it reports to this. */
  start(client: PolicyClient): void {
    this.#questions.start(client);
  }

  /** The node as its driver is to run it: it says policy errors as such. */
  over(node: NodeMachine): NodeMachine {
    return new PolicyErrors(node, (ref) => {
      const error = this.#withdrawals.get(refKey(ref));
      this.#withdrawals.delete(refKey(ref));
      return error;
    });
  }

  get connected(): boolean {
    return this.#questions.connected;
  }

  get counters(): ReadonlyMap<AdmissionCounter, number> {
    return this.#counters;
  }

  /** Reservations that are kept track of, and those among them that no policy server has decided on. */
  get held(): { readonly all: number; readonly undecided: number } {
    const undecided = [...this.#entries.values()].filter(({ state }) => !state.known).length;
    return { all: this.#entries.size, undecided };
  }

  reserve(request: ReserveAction): void {
    const { ref, id, flowspec } = request;
    const entry = this.#entries.get(refKey(ref));
    const before = entry?.state.inForce;
    const reduction = before !== undefined && covers(before.flowspec, flowspec);
    if (entry === undefined && this.#entries.size >= this.#options.maxReservations) {
      this.#answer(ref, id, { admit: false, error: TOO_MANY });
    } else if (!reduction && !this.#fits(request, before)) {
      // The server is not asked for what there is no room for.
      this.#count("noRoom");
      this.#answer(ref, id, { admit: false, error: NO_BANDWIDTH });
    } else {
      this.#push(entry ?? this.#open(ref), { type: "ask", ask: request, reduction });
    }
  }

  release(ref: ReservationRef): void {
    const entry = this.#entries.get(refKey(ref));
    this.#parts?.local.release(ref);
    if (entry !== undefined) this.#push(entry, { type: "end" });
  }

  /** What traffic control says: its answers are for this, all else for the node. */
  answered(event: NodeEvent): void {
    if (event.type !== "admission") {
      this.#parts?.tell(event);
      return;
    }
    const entry = this.#entries.get(refKey(event.ref));
    if (entry === undefined) return;
    entry.lastWord = event.verdict;
    this.#push(entry, { type: "local", id: event.id, admitted: event.verdict.admit });
  }

  up(): void {
    this.#expiry?.cancel();
    this.#questions.up();
    this.#retryAfter(TELL_UNASKED_AFTER);
  }

  down(reason: string): void {
    const { onLoss, hold, clock, log } = this.#options;
    this.#questions.down();
    this.#retry?.cancel();
    this.#retry = undefined;
    log.warn("rsvp.policy-server-lost", { reason, reservations: this.#entries.size, onLoss });
    this.#forAll({ type: "lost" });
    if (onLoss !== "reject") return;
    this.#expiry?.cancel();
    this.#expiry = clock.after(hold, () => this.#forAll({ type: "expired" }));
  }

  decision(dec: DecMessage): void {
    const told = this.#questions.told(dec);
    if (told !== undefined) this.#push(told.owner, { type: "unsolicited", verdict: told.verdict });
  }

  /** RFC 2748 §3.5. */
  synchronize(handle?: Buffer): void {
    const entry = handle === undefined ? undefined : this.#questions.ownerOf(handle);
    if (handle !== undefined && entry === undefined) {
      this.#questions.deleteUnknown(handle, REASON.synchronizeHandleUnknown);
    }
    if (entry !== undefined) this.#push(entry, { type: "synchronize" });
    else if (handle === undefined) this.#forAll({ type: "synchronize" });
    void this.#questions.synchronized(handle);
  }

  /** RFC 2748 §3.5: a decision on it could not be read. */
  abandoned(handle: Buffer): void {
    const entry = this.#questions.ownerOf(handle);
    if (entry === undefined) return;
    this.#questions.abandoned(entry);
    this.#push(entry, { type: "lost" });
    this.#retryAfter(RETRY_AFTER);
  }

  /** What is reserved stays. */
  close(): void {
    this.#questions.close();
    this.#retry?.cancel();
    this.#expiry?.cancel();
    this.#parts = undefined;
  }

  #open(ref: ReservationRef): Entry {
    const key = refKey(ref);
    const entry: Entry = { ref, key, state: newRequest(), lastWord: undefined };
    this.#entries.set(key, entry);
    return entry;
  }

  #fits({ ref, flowspec }: ReserveAction, before: ReserveAction | undefined): boolean {
    const more = bandwidthOf(flowspec) - (before === undefined ? 0 : bandwidthOf(before.flowspec));
    return more * 8 <= (this.#parts?.free(ref.interface) ?? 0) + ROUNDING;
  }

  #push(entry: Entry, event: RequestEvent<ReserveAction>): void {
    this.#events.push({ entry, event });
  }

  #forAll(event: RequestEvent<ReserveAction>): void {
    for (const entry of [...this.#entries.values()]) this.#push(entry, event);
  }

  #step({ entry, event }: EntryEvent): void {
    // It may have ended while the event waited.
    if (this.#entries.get(entry.key) !== entry) return;
    const { state, actions } = requestStep(this.#options, entry.state, event);
    entry.state = state;
    for (const action of actions) this.#act(entry, action);
  }

  #act(entry: Entry, action: RequestAction<ReserveAction>): void {
    switch (action.do) {
      case "request":
        void this.#ask(entry, action);
        return;
      case "delete":
        this.#questions.delete(entry, action.reason);
        return;
      case "report":
        this.#questions.report(entry, action.success);
        return;
      case "install":
        this.#parts?.local.reserve(action.ask);
        return;
      case "uninstall":
        this.#parts?.local.release(entry.ref);
        return;
      case "admit":
        this.#count("admitted");
        this.#answer(entry.ref, action.ask.id, { admit: true });
        return;
      case "relay":
        this.#answer(entry.ref, action.ask.id, entry.lastWord ?? { admit: false, error: NO_BANDWIDTH });
        return;
      case "refuse":
        this.#refuse(entry, action.ask, action.cause);
        return;
      case "takeAway":
        this.#takeAway(entry, action.cause);
        return;
      case "forget":
        this.#questions.abandoned(entry);
        this.#entries.delete(entry.key);
        return;
    }
  }

  async #ask(entry: Entry, { serial, ask, held }: Extract<RequestAction<ReserveAction>, { do: "request" }>) {
    this.#count("asked");
    try {
      // When its turn has come: the session may say something else by now than when it was wanted.
      const verdict = await this.#questions.ask(entry, () => this.#contents(entry, ask, held));
      if (verdict.kind === "malformed" || verdict.kind === "error") this.#undecided(entry, verdict);
      this.#push(entry, { type: "decided", serial, verdict });
      if (!this.#questions.isOpen(entry)) this.#push(entry, { type: "lost" });
    } catch (error) {
      if (!(error instanceof ProtocolError)) this.#options.log.error("rsvp.policy-request-failed", { error });
      this.#undecided(entry, { error: error instanceof Error ? error.message : String(error) });
      this.#push(entry, { type: "undecided", serial });
    }
  }

  #contents(entry: Entry, ask: ReserveAction, held: boolean): RequestContents | undefined {
    const view = this.#parts?.view(entry.ref);
    if (this.#entries.get(entry.key) !== entry || view === undefined) return undefined;
    return requestContents(ask, view, held);
  }

  #undecided(entry: Entry, why: object): void {
    if (this.#entries.get(entry.key) !== entry) return;
    this.#count("undecided");
    this.#options.log.warn("rsvp.undecided", { reservation: entry.key, ...why });
    this.#retryAfter(RETRY_AFTER);
  }

  #retryAfter(delay: Millis): void {
    if (!this.#questions.connected) return;
    this.#retry ??= this.#options.clock.after(delay, () => {
      this.#retry = undefined;
      this.#forAll({ type: "retry" });
    });
  }

  #refuse(entry: Entry, { id }: ReserveAction, cause: DenialCause): void {
    const error = errorOf(cause);
    this.#count("refused");
    this.#options.log.info("rsvp.refused-by-policy", { reservation: entry.key, by: cause.by, value: error.value });
    this.#answer(entry.ref, id, { admit: false, error });
  }

  #takeAway(entry: Entry, cause: DenialCause): void {
    const error = errorOf(cause);
    this.#count("takenAway");
    this.#options.log.warn("rsvp.taken-away-by-policy", { reservation: entry.key, by: cause.by, value: error.value });
    this.#withdrawals.set(entry.key, error);
    this.#parts?.tell({ type: "preempt", ref: entry.ref });
  }

  #answer(ref: ReservationRef, id: number, verdict: AdmissionVerdict): void {
    this.#parts?.tell({ type: "admission", ref, id, verdict });
  }

  #count(what: AdmissionCounter): void {
    this.#counters.set(what, (this.#counters.get(what) ?? 0) + 1);
  }
}
