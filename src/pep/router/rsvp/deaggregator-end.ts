/** This router as the deaggregator of one aggregate: its machine with a timer. */
import type { Clock, Timer } from "../../../model/clock.js";
import { StepQueue } from "../../../model/step-queue.js";
import type { BitsPerSecond, BytesPerSecond } from "../../../model/units.js";
import type { SenderTemplate, Session } from "../../../rsvp/codec/objects.js";
import type { AggregateRules } from "../../../rsvp/machine/aggregate.js";
import {
  DEAGGREGATOR_INITIAL,
  type DeaggregatorAction,
  type DeaggregatorEvent,
  type DeaggregatorState,
  deaggregatorStep,
} from "../../../rsvp/machine/deaggregator.js";
import type { NodeEvent, Notice } from "../../../rsvp/machine/events.js";
import { describeFailure, describeLoss } from "./failure.js";
import { partFor } from "./notices.js";
import { floorBits } from "./sizes.js";

export interface DeaggregatorEndOptions {
  readonly session: Session;
  /** The sender: the other edge. */
  readonly template: SenderTemplate;
  readonly rules: AggregateRules;
  /** The most that is reserved whatever the aggregator says. */
  readonly ceiling: BytesPerSecond;
  readonly clock: Clock;
  readonly tell: (event: NodeEvent) => void;
  readonly changed: () => void;
}

export class DeaggregatorEnd {
  readonly #options: DeaggregatorEndOptions;
  readonly #events = new StepQueue<DeaggregatorEvent>((event) => this.#step(event));
  #state: DeaggregatorState = DEAGGREGATOR_INITIAL;
  #granted = 0 as BytesPerSecond;
  #failure: string | undefined;
  #timer: Timer | undefined;

  constructor(options: DeaggregatorEndOptions) {
    this.#options = options;
  }

  /** `none`: the aggregator's Path is gone, and with it everything else. */
  get phase(): DeaggregatorState["phase"] {
    return this.#state.phase;
  }

  /** Layer 3. */
  get granted(): BitsPerSecond {
    return floorBits(this.#granted);
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  /** Of the session; other aggregators' parts are left out here. */
  notice(notice: Notice): void {
    const part = partFor(this.#options.template, notice);
    if (part !== undefined) this.#events.push({ type: "notice", notice: part });
  }

  close(): void {
    this.#timer?.cancel();
  }

  #step(event: DeaggregatorEvent): void {
    const { rules, ceiling } = this.#options;
    const { state, actions } = deaggregatorStep(rules, ceiling, this.#state, event);
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: DeaggregatorAction): void {
    const { session, template: filter, tell, clock } = this.#options;
    switch (action.do) {
      case "reserve": {
        // FF: each aggregator has a reservation of its own in the session that they share.
        const flows = { style: "FF", flows: [{ filter, flowspec: action.flowspec }] } as const;
        const confirm = action.confirm ? { confirm: session.destination } : {};
        tell({ type: "reserve", session, flows, ...confirm });
        return;
      }
      case "release":
        tell({ type: "release", session, filters: [filter] });
        return;
      case "complain":
        tell({ type: "complain", session, template: filter, error: action.error });
        return;
      case "arm":
        this.#timer?.cancel();
        this.#timer = clock.after(action.delay, () => this.#events.push({ type: "timeout" }));
        return;
      case "cancel":
        this.#timer?.cancel();
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
    this.#options.changed();
  }
}
