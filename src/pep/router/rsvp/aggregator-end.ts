/** This router as the aggregator of one aggregate: its machine with a timer, which asks again while less is granted than wanted. */
import type { Clock, Timer } from "../../../model/clock.js";
import { StepQueue } from "../../../model/step-queue.js";
import type { BitsPerSecond, BytesPerSecond, Millis } from "../../../model/units.js";
import type { SenderTemplate, Session, TokenBucket } from "../../../rsvp/codec/objects.js";
import { wayBackPolicy } from "../../../rsvp/codec/way-back.js";
import type { AggregateRules } from "../../../rsvp/machine/aggregate.js";
import {
  AGGREGATOR_INITIAL,
  type AggregatorAction,
  type AggregatorEvent,
  type AggregatorState,
  aggregatorStep,
} from "../../../rsvp/machine/aggregator.js";
import type { NodeEvent, Notice } from "../../../rsvp/machine/events.js";
import { tspecEqual } from "../../../rsvp/machine/flowspec-algebra.js";
import { describeFailure, describeLoss } from "./failure.js";
import { partFor } from "./notices.js";
import { floorBits } from "./sizes.js";

export interface AggregatorEndOptions {
  readonly session: Session;
  /** The sender: this router. */
  readonly template: SenderTemplate;
  readonly rules: AggregateRules;
  /** When it asks again: with nothing granted, and with less than is wanted. */
  readonly askAgain: { readonly nothing: Millis; readonly less: Millis };
  readonly clock: Clock;
  readonly tell: (event: NodeEvent) => void;
  /** What is granted has changed, or a question was answered. */
  readonly changed: () => void;
}

export class AggregatorEnd {
  readonly #options: AggregatorEndOptions;
  readonly #events = new StepQueue<AggregatorEvent>((event) => this.#step(event));
  #state: AggregatorState = AGGREGATOR_INITIAL;
  #wanted: TokenBucket | undefined;
  /** What is wanted of the way back. */
  #back: BytesPerSecond | undefined;
  #request: number | undefined;
  /** What the Path says now. */
  #said: TokenBucket | undefined;
  #granted = 0 as BytesPerSecond;
  #failure: string | undefined;
  #answer: Timer | undefined;
  #again: Timer | undefined;

  constructor(options: AggregatorEndOptions) {
    this.#options = options;
  }

  get phase(): AggregatorState["phase"] {
    return this.#state.phase;
  }

  /** Layer 3. */
  get granted(): BitsPerSecond {
    return floorBits(this.#granted);
  }

  /** Why it is not what was wanted; absent where it is, or is not known yet. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /**
   * @param back - what is wanted of the way back, octets/s; undefined: the other end is told nothing of it
   * @param request - where it is another than the last, what was refused is asked for again at once
   */
  want(tspec: TokenBucket, back?: BytesPerSecond, request?: number): void {
    const [before, backBefore, requestBefore] = [this.#wanted, this.#back, this.#request];
    this.#wanted = tspec;
    this.#back = back;
    this.#request = request;
    const isRepeated = request !== requestBefore && this.#failure !== undefined;
    if (before !== undefined && tspecEqual(before, tspec) && !isRepeated) {
      // No question to the network: its answer would be what it has given already.
      if (back !== backBefore && this.#said !== undefined) this.#open(this.#said);
      return;
    }
    // It was the failure of another question.
    this.#failure = undefined;
    this.#again?.cancel();
    this.#events.push({ type: "want", tspec });
  }

  giveUp(): void {
    this.#wanted = undefined;
    this.#again?.cancel();
    this.#events.push({ type: "want" });
  }

  /** Of the session; other aggregators' parts are left out here. */
  notice(notice: Notice): void {
    const part = partFor(this.#options.template, notice);
    if (part !== undefined) this.#events.push({ type: "notice", notice: part });
  }

  /** The reservation stays: soft state outlives a restart. */
  close(): void {
    this.#answer?.cancel();
    this.#again?.cancel();
  }

  #step(event: AggregatorEvent): void {
    const { state, actions } = aggregatorStep(this.#options.rules, this.#state, event);
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: AggregatorAction): void {
    const { session, template, tell, clock } = this.#options;
    switch (action.do) {
      case "open":
        this.#open(action.tspec);
        return;
      case "close":
        this.#said = undefined;
        tell({ type: "close", session, template });
        return;
      case "arm":
        this.#answer?.cancel();
        this.#answer = clock.after(action.delay, () => this.#events.push({ type: "timeout" }));
        return;
      case "cancel":
        this.#answer?.cancel();
        return;
      case "confirmed":
        this.#settle(action.size, undefined);
        return;
      case "refused":
        this.#settle(action.kept, describeFailure(action.failure));
        return;
      case "takenBack":
        this.#settle(action.size, describeLoss(action.size));
        return;
      case "ignore":
    }
  }

  /** While less is reserved than was wanted, no more is asked of the way back either. */
  #open(tspec: TokenBucket): void {
    const { session, template, tell } = this.#options;
    this.#said = tspec;
    const back = this.#back === undefined || this.#back < tspec.rate ? this.#back : tspec.rate;
    const policy = back === undefined ? [] : [wayBackPolicy(back)];
    tell({ type: "open", session, sender: { template, tspec }, policy });
  }

  #settle(granted: BytesPerSecond, failure: string | undefined): void {
    this.#granted = granted;
    this.#failure = failure;
    this.#again?.cancel();
    const { clock, askAgain, changed } = this.#options;
    // A confirmation of less is the deaggregator's decision: to ask it again the same would be no question.
    if (failure !== undefined) {
      this.#again = clock.after(granted === 0 ? askAgain.nothing : askAgain.less, () => this.#askAgain());
    }
    changed();
  }

  #askAgain(): void {
    const { phase } = this.#state;
    const isUnderWay = phase === "pathSent" || phase === "resizing";
    if (this.#wanted !== undefined && !isUnderWay) this.#events.push({ type: "want", tspec: this.#wanted });
  }
}
