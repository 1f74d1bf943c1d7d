/** Runs a node's machine: its messages through an endpoint, its timer, and everything else for the daemon to do. */
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { StepQueue } from "../../model/step-queue.js";
import { millis } from "../../model/units.js";
import type { Moment, NodeAction, NodeEvent } from "../machine/events.js";
import { type EndpointHandlers, type EndpointOptions, RsvpEndpoint } from "./rsvp-endpoint.js";

/** What is needed of the node: `RsvpNode` is one. */
export interface NodeMachine {
  step(event: NodeEvent, moment: Moment): readonly NodeAction[];
}

/** Routes, traffic control and applications: what the driver does not do by itself. */
export type OutsideAction = Exclude<NodeAction, { readonly do: "send" | "schedule" | "ignore" }>;

export interface NodeDriverOptions {
  readonly node: NodeMachine;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** May call `tell`: that is done when all actions of the step have been. */
  readonly outside: (action: OutsideAction) => void;
  /** A neighbour has started again: not for the node, whose soft state finds that out. */
  readonly restarted?: EndpointHandlers["restarted"];
  readonly endpoint: Omit<EndpointOptions, "clock" | "log" | "handlers">;
}

/** A timer of the platform holds no longer delay. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export class NodeDriver {
  readonly #options: NodeDriverOptions;
  readonly #events = new StepQueue<NodeEvent>((event) => this.#step(event));
  readonly #ignored = new Map<string, number>();
  #endpoint: RsvpEndpoint | undefined;
  #timer: Timer | undefined;

  private constructor(options: NodeDriverOptions) {
    this.#options = options;
  }

  /** @throws SystemError if no transport works here */
  static async open(options: NodeDriverOptions): Promise<NodeDriver> {
    const driver = new NodeDriver(options);
    const { clock, log } = options;
    driver.#endpoint = await RsvpEndpoint.open({
      ...options.endpoint,
      clock,
      log,
      handlers: {
        message: (message, arrival) => driver.tell({ type: "received", message, arrival }),
        unreadable: (error, arrival) => driver.tell({ type: "unreadable", error, arrival }),
        ...(options.restarted === undefined ? {} : { restarted: options.restarted }),
      },
    });
    return driver;
  }

  /** For its transport and counters. */
  get endpoint(): RsvpEndpoint | undefined {
    return this.#endpoint;
  }

  /** What was ignored, by its words. */
  get ignored(): ReadonlyMap<string, number> {
    return this.#ignored;
  }

  tell(event: NodeEvent): void {
    this.#events.push(event);
  }

  /** Counts what an application made nothing of, beside what the node ignored. */
  ignore(what: string): void {
    this.#ignored.set(what, (this.#ignored.get(what) ?? 0) + 1);
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    const endpoint = this.#endpoint;
    this.#endpoint = undefined;
    await endpoint?.close();
  }

  #step(event: NodeEvent): void {
    const { node, clock, random } = this.#options;
    for (const action of node.step(event, { now: clock.now(), random: random() })) this.#act(action);
  }

  #act(action: NodeAction): void {
    switch (action.do) {
      case "send":
        this.#endpoint?.send(action);
        return;
      case "schedule":
        this.#schedule(action.at);
        return;
      case "ignore":
        this.ignore(action.what);
        return;
      default:
        this.#options.outside(action);
    }
  }

  #schedule(at: number): void {
    this.#timer?.cancel();
    if (at === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(MAX_DELAY_MS, Math.max(0, at - this.#options.clock.now()));
    this.#timer = this.#options.clock.after(millis(delay), () => {
      if (this.#endpoint !== undefined) this.tell({ type: "due" });
    });
  }
}
