/** This router as the aggregator of one aggregate: its machine with a timer, which asks again while less is granted than wanted. */
import type { Clock, Timer } from "../../../model/clock.js";
import type { IpAddress } from "../../../model/ip.js";
import { StepQueue } from "../../../model/step-queue.js";
import type { BitsPerSecond, BytesPerSecond, Millis } from "../../../model/units.js";
import type { AggregateSession, TokenBucket } from "../../../rsvp/codec/objects.js";
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
  readonly session: AggregateSession;
  /** Own address: the sender. */
  readonly address: IpAddress;
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

  want(tspec: TokenBucket): void {
    const before = this.#wanted;
    this.#wanted = tspec;
    if (before !== undefined && tspecEqual(before, tspec)) return;
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
    const part = partFor(this.#options.address, notice);
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
    const { session, address, tell, clock } = this.#options;
    switch (action.do) {
      case "open":
        tell({ type: "open", session, sender: { template: { address }, tspec: action.tspec } });
        return;
      case "close":
        tell({ type: "close", session, template: { address } });
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
