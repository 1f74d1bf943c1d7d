/** An aggregate that carries end-to-end reservations, at its aggregator: as large as they need, and they are admitted as it grows. */
import type { Clock, Timer } from "../../../model/clock.js";
import type { BytesPerSecond, Millis } from "../../../model/units.js";
import { ADMISSION, RSVP_ERROR } from "../../../rsvp/codec/codes.js";
import type { ErrorAnswer } from "../../../rsvp/codec/errors.js";
import { filterKey, sessionKey } from "../../../rsvp/codec/keys.js";
import type { SenderTemplate, Session, TokenBucket } from "../../../rsvp/codec/objects.js";
import { DEFAULT_AGGREGATE_RULES } from "../../../rsvp/machine/aggregate.js";
import { AggregateShares, aggregateTspec, type ShareAnswer } from "../../../rsvp/machine/aggregate-shares.js";
import type { NodeAction, NodeEvent, Notice } from "../../../rsvp/machine/events.js";
import { type ReservationRef, refKey } from "../../../rsvp/machine/keys.js";
import { AggregatorEnd } from "./aggregator-end.js";

export interface EndToEndAggregateOptions {
  readonly session: Session;
  /** The sender: this router. */
  readonly template: SenderTemplate;
  /** The most that it may become, layer 3. */
  readonly ceiling: BytesPerSecond;
  /** Its size is a multiple of this (RFC 3175 §1.4.4). */
  readonly block: BytesPerSecond;
  readonly refresh: Millis;
  readonly clock: Clock;
  readonly tell: (event: NodeEvent) => void;
}

/** A sender beyond the other edge's reach of which an edge said that it will need the aggregate. */
export interface MappedSender {
  readonly session: Session;
  readonly template: SenderTemplate;
  readonly tspec: TokenBucket;
}

export type ReserveRequest = Extract<NodeAction, { do: "reserve" }>;

export const NO_BANDWIDTH: ErrorAnswer = { code: RSVP_ERROR.admission, value: ADMISSION.bandwidth };

const senderKey = ({ session, template }: Pick<MappedSender, "session" | "template">): string =>
  `${sessionKey(session)}|${filterKey(template)}`;

export class EndToEndAggregate {
  readonly #options: EndToEndAggregateOptions;
  readonly #end: AggregatorEnd;
  readonly #shares = new AggregateShares();
  readonly #refs = new Map<string, ReservationRef>();
  readonly #senders = new Map<string, MappedSender>();
  /** What its Path says. */
  #wanted = 0;
  #patience: Timer | undefined;

  constructor(options: EndToEndAggregateOptions) {
    this.#options = options;
    const { session, template, refresh, clock, tell } = options;
    this.#end = new AggregatorEnd({
      session,
      template,
      rules: { ...DEFAULT_AGGREGATE_RULES, retryAfter: refresh },
      askAgain: { nothing: refresh, less: refresh },
      clock,
      tell,
      changed: () => this.#changed(),
    });
  }

  get session(): Session {
    return this.#options.session;
  }

  /** Octets per second at layer 3. */
  get granted(): BytesPerSecond {
    return (this.#end.granted / 8) as BytesPerSecond;
  }

  /** Octets per second at layer 3 of what was admitted to it. */
  get admitted(): BytesPerSecond {
    return this.#shares.admitted;
  }

  /** Nobody needs it: it was given up. */
  get isIdle(): boolean {
    return this.#shares.isEmpty && this.#senders.size === 0;
  }

  /** RFC 3175 §2.4: the flow is mapped onto it, for the time being. Until the first reservation it is as large as one flow. */
  map(sender: MappedSender): void {
    this.#senders.set(senderKey(sender), sender);
    this.#resize();
  }

  /** §2.9 */
  unmap(sender: Pick<MappedSender, "session" | "template">): void {
    if (this.#senders.delete(senderKey(sender))) this.#resize();
  }

  /** Forgets senders that went without a word. */
  tidy(isGone: (sender: MappedSender) => boolean): void {
    for (const sender of [...this.#senders.values()]) if (isGone(sender)) this.unmap(sender);
  }

  ask({ ref, id, flowspec }: ReserveRequest): void {
    const key = refKey(ref);
    this.#refs.set(key, ref);
    this.#shares.ask(key, { id, flowspec });
    // More than the ceiling will never be there: the others need not wait for it.
    if (this.#shares.needed > this.#options.ceiling) this.#answer(this.#shares.refuse(key));
    this.#resize();
  }

  release(ref: ReservationRef): void {
    const key = refKey(ref);
    this.#refs.delete(key);
    if (this.#shares.remove(key)) this.#resize();
  }

  /** Of the aggregate's session. */
  notice(notice: Notice): void {
    this.#end.notice(notice);
  }

  /** The reservation stays: soft state outlives a restart. */
  close(): void {
    this.#patience?.cancel();
    this.#end.close();
  }

  #resize(): void {
    if (this.isIdle) {
      this.#wanted = 0;
      this.#end.giveUp();
      this.#patience?.cancel();
      this.#patience = undefined;
      return;
    }
    const needed = this.#shares.needed;
    const senders = [...this.#senders.values()].map(({ tspec }) => tspec);
    const [tspecs, rate] =
      needed > 0 ? [this.#shares.tspecs, needed] : [senders, Math.max(...senders.map((each) => each.rate))];
    const tspec = aggregateTspec(tspecs, rate as BytesPerSecond, this.#options);
    this.#wanted = tspec.rate;
    this.#end.want(tspec);
    this.#settle();
  }

  #changed(): void {
    const lost = this.#shares.shrink(this.granted);
    for (const key of lost) {
      const ref = this.#refs.get(key);
      if (ref !== undefined) this.#options.tell({ type: "preempt", ref });
    }
    this.#settle();
    if (this.#end.failure !== undefined) this.#giveUpWaiting();
    else if (lost.length > 0) this.#resize();
  }

  /** While a smaller size is under way, what it will leave is all there is. */
  #settle(): void {
    this.#answer(this.#shares.settle(Math.min(this.granted, this.#wanted) as BytesPerSecond));
    if (!this.#shares.isWaiting) {
      this.#patience?.cancel();
      this.#patience = undefined;
      return;
    }
    // A grant of less may be of an earlier question: the last word is the one that nothing follows.
    this.#patience ??= this.#options.clock.after(DEFAULT_AGGREGATE_RULES.answerTimeout, () => this.#giveUpWaiting());
  }

  #giveUpWaiting(): void {
    this.#patience?.cancel();
    this.#patience = undefined;
    this.#answer(this.#shares.refuse());
    this.#resize();
  }

  #answer(answers: readonly ShareAnswer[]): void {
    for (const { key, id, admit } of answers) {
      const ref = this.#refs.get(key);
      const verdict = admit ? { admit } : ({ admit, error: NO_BANDWIDTH } as const);
      if (ref !== undefined) this.#options.tell({ type: "admission", ref, id, verdict });
    }
  }
}
