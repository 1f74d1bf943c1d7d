/**
 * The router speaks RSVP: it keeps aggregates to other edges (RFC 3175 without end-to-end RSVP, §1.4.12), turns theirs around,
 * and lets through what only passes.
 */
import type { Clock, Timer } from "../../../model/clock.js";
import { SluiceError } from "../../../model/errors.js";
import type { IpAddress } from "../../../model/ip.js";
import type { Logger } from "../../../model/log.js";
import { type BitsPerSecond, type BytesPerSecond, type Millis, millis } from "../../../model/units.js";
import type { AggregateSession } from "../../../rsvp/codec/objects.js";
import { NodeDriver, type OutsideAction } from "../../../rsvp/endpoint/node-driver.js";
import type { EndpointOptions } from "../../../rsvp/endpoint/rsvp-endpoint.js";
import { type AggregateRules, aggregateSession, DEFAULT_AGGREGATE_RULES } from "../../../rsvp/machine/aggregate.js";
import type { NodeEvent, Notice } from "../../../rsvp/machine/events.js";
import { RsvpNode } from "../../../rsvp/machine/node.js";
import { DEFAULT_RULES, lifetime } from "../../../rsvp/machine/rules.js";
import type { AggregateState, Aggregates, WantedAggregate } from "../aggregates.js";
import { AggregatorEnd } from "./aggregator-end.js";
import { DeaggregatorEnd } from "./deaggregator-end.js";
import type { NetworkView } from "./network-view.js";
import { NetworkWatch } from "./network-watch.js";
import type { ReservedPools } from "./reserved-pools.js";
import { RestartGrace } from "./restart-grace.js";
import { tspecOf } from "./sizes.js";
import { TrafficControl, type TrafficControlOptions } from "./traffic-control.js";
import { joinWishes, type StandingAggregate, type Wish, type Wishes, wishKey } from "./wishes.js";

export interface RsvpSpeakerOptions extends Pick<TrafficControlOptions, "rooms" | "linkOverhead"> {
  /** Where aggregates end here; absent: nowhere. */
  readonly address?: IpAddress;
  /** R, RFC 2205 §3.7. */
  readonly refresh: Millis;
  /** The most that is reserved for one remote edge, layer 3. */
  readonly ceiling: BytesPerSecond;
  readonly standing: readonly StandingAggregate[];
  readonly network: NetworkView;
  /** How often interfaces and routes are looked at. */
  readonly lookEvery: Millis;
  readonly classes: Pick<ReservedPools, "reserve" | "release" | "sweep">;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  readonly endpoint: Pick<EndpointOptions, "keys" | "reliability" | "epoch" | "tos" | "transport">;
}

/** An aggregate that begins here. */
export interface Outgoing {
  readonly wish: Wish;
  readonly end: AggregatorEnd;
}

/** An aggregate that ends here. */
export interface Incoming {
  readonly session: AggregateSession;
  readonly aggregator: IpAddress;
  readonly end: DeaggregatorEnd;
}

/** With less granted than wanted, refreshes until it is asked for again. */
const REFRESHES_UNTIL_MORE = 10;

/** After a restart neighbours' refreshes come within 1.5 R; the rest is for one that is lost, and for a policy server. */
const GRACE_REFRESHES = 3;

export class RsvpSpeaker implements Aggregates {
  readonly #options: RsvpSpeakerOptions;
  readonly #rules: AggregateRules;
  readonly #node: RsvpNode;
  readonly #watch: NetworkWatch;
  readonly #control: TrafficControl;
  readonly #outgoing = new Map<string, Outgoing>();
  readonly #incoming = new Map<string, Incoming>();
  readonly #listeners: ((state: AggregateState) => void)[] = [];
  #rejected: Wishes["rejected"] = [];
  #driver: NodeDriver | undefined;
  #sweep: Timer | undefined;

  private constructor(options: RsvpSpeakerOptions) {
    this.#options = options;
    const { refresh, rooms, linkOverhead, classes, clock, log, network: view, lookEvery: interval } = options;
    this.#rules = { ...DEFAULT_AGGREGATE_RULES, retryAfter: refresh };
    this.#node = new RsvpNode({ ...DEFAULT_RULES, refreshPeriod: refresh });
    const tell = (event: NodeEvent): void => this.#tell(event);
    this.#watch = new NetworkWatch({ view, names: new Set(rooms.keys()), interval, clock, log, tell });
    const isOwn = (address: IpAddress): boolean => this.#watch.isOwn(address);
    this.#control = new TrafficControl({ rooms, classes, linkOverhead, isOwn, log, tell });
  }

  /** @throws SystemError if no transport works here */
  static async open(options: RsvpSpeakerOptions): Promise<RsvpSpeaker> {
    const speaker = new RsvpSpeaker(options);
    const { clock, log, random, endpoint } = options;
    const watch = speaker.#watch;
    const driver = await NodeDriver.open({
      node: new RestartGrace(speaker.#node, clock.now() + GRACE_REFRESHES * options.refresh),
      clock,
      log,
      random,
      outside: (action) => speaker.#outside(action),
      endpoint: {
        ...endpoint,
        isOwn: (address) => watch.isOwn(address),
        interfaceTo: (address) => watch.interfaceTo(address),
      },
    });
    speaker.#driver = driver;
    await speaker.#begin(driver);
    return speaker;
  }

  get node(): RsvpNode {
    return this.#node;
  }

  get driver(): NodeDriver | undefined {
    return this.#driver;
  }

  get control(): TrafficControl {
    return this.#control;
  }

  get watch(): NetworkWatch {
    return this.#watch;
  }

  get outgoing(): ReadonlyMap<string, Outgoing> {
    return this.#outgoing;
  }

  get incoming(): ReadonlyMap<string, Incoming> {
    return this.#incoming;
  }

  set(wanted: readonly WantedAggregate[]): void {
    const { address, standing } = this.#options;
    const { accepted, rejected } = joinWishes(address, standing, wanted);
    for (const [key, { end }] of [...this.#outgoing]) {
      if (accepted.has(key)) continue;
      this.#outgoing.delete(key);
      end.giveUp();
    }
    this.#rejected = rejected;
    for (const [key, wish] of accepted) {
      if (address === undefined) continue;
      const end = this.#outgoing.get(key)?.end ?? this.#aggregator(key, address, wish);
      this.#outgoing.set(key, { wish, end });
      end.want(tspecOf(wish));
    }
    for (const { pool, why } of rejected) this.#notify({ ...NOTHING, pool, failure: why });
  }

  states(): readonly AggregateState[] {
    const accepted = [...this.#outgoing.keys()].flatMap((key) => this.#stateOf(key) ?? []);
    return [...accepted, ...this.#rejected.map(({ pool, why }) => ({ ...NOTHING, pool, failure: why }))];
  }

  onChange(listener: (state: AggregateState) => void): void {
    this.#listeners.push(listener);
  }

  /** Nothing is torn: reservations outlive a restart, as calls do. */
  async close(): Promise<void> {
    this.#sweep?.cancel();
    for (const { end } of [...this.#outgoing.values(), ...this.#incoming.values()]) end.close();
    await this.#watch.close();
    await this.#driver?.close();
  }

  async #begin(driver: NodeDriver): Promise<void> {
    const { rooms, clock, refresh, classes, log } = this.#options;
    for (const [name, room] of rooms) this.#tell({ type: "resized", name, room: (room / 8) as BytesPerSecond });
    const transport = driver.endpoint?.transport;
    if (transport !== undefined) await this.#watch.start(transport);
    this.set([]);
    // Who still wants a class that was found at the start has said so within the lifetime of soft state.
    const whenSettled = millis(lifetime(DEFAULT_RULES, refresh));
    this.#sweep = clock.after(whenSettled, () => {
      classes.sweep().catch((error: unknown) => log.error("rsvp.sweep-failed", { error }));
    });
  }

  #tell(event: NodeEvent): void {
    this.#driver?.tell(event);
  }

  #outside(action: OutsideAction): void {
    if (action.do === "resolve") this.#watch.resolve(action.destination);
    else if (action.do === "forgetRoute") this.#watch.forget(action.destination);
    else if (action.do === "reserve") this.#control.reserve(action);
    else if (action.do === "release") this.#control.release(action.ref);
    // Nobody here is a receiver of single flows.
    else if (action.session.kind === "aggregate") this.#onNotice(action.session, action.notice);
  }

  #onNotice(session: AggregateSession, notice: Notice): void {
    const { destination, dscp } = session;
    if (destination !== this.#options.address) {
      this.#outgoing.get(wishKey(destination, dscp))?.end.notice(notice);
      return;
    }
    if (notice.what === "pathArrived") this.#deaggregator(session, notice.sender.template.address);
    for (const [key, incoming] of [...this.#incoming]) {
      if (incoming.session.dscp !== dscp) continue;
      incoming.end.notice(notice);
      if (incoming.end.phase !== "none") continue;
      this.#incoming.delete(key);
      incoming.end.close();
    }
  }

  #aggregator(key: string, address: IpAddress, { remote, dscp }: Wish): AggregatorEnd {
    const { clock, refresh } = this.#options;
    return new AggregatorEnd({
      session: aggregateSession(remote, dscp),
      address,
      rules: this.#rules,
      askAgain: { nothing: refresh, less: millis(REFRESHES_UNTIL_MORE * refresh) },
      clock,
      tell: (event) => this.#tell(event),
      changed: () => this.#changed(key, "outgoing"),
    });
  }

  #deaggregator(session: AggregateSession, aggregator: IpAddress): void {
    const key = wishKey(aggregator, session.dscp);
    if (this.#incoming.has(key)) return;
    const { ceiling, clock } = this.#options;
    const end = new DeaggregatorEnd({
      session,
      aggregator,
      rules: this.#rules,
      ceiling,
      clock,
      tell: (event) => this.#tell(event),
      changed: () => this.#changed(key, "incoming"),
    });
    this.#incoming.set(key, { session, aggregator, end });
  }

  #changed(key: string, direction: "outgoing" | "incoming"): void {
    const end = (direction === "outgoing" ? this.#outgoing : this.#incoming).get(key)?.end;
    const { log } = this.#options;
    const fields = { aggregate: key, direction, granted: end?.granted, failure: end?.failure };
    if (end?.failure === undefined) log.info("rsvp.aggregate", fields);
    else log.warn("rsvp.aggregate", fields);
    const state = this.#stateOf(key);
    if (state !== undefined) this.#notify(state);
  }

  /** Undefined for what the policy server did not ask for. */
  #stateOf(key: string): AggregateState | undefined {
    const outgoing = this.#outgoing.get(key);
    const pool = outgoing?.wish.pool;
    if (outgoing === undefined || pool === undefined) return undefined;
    const { granted, failure } = outgoing.end;
    const incoming = this.#incoming.get(key)?.end.granted ?? NOTHING.incoming;
    return { pool, outgoing: granted, incoming, ...(failure === undefined ? {} : { failure }) };
  }

  #notify(state: AggregateState): void {
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        this.#options.log.error("rsvp.listener-failed", { error });
      }
    }
  }
}

const NOTHING = { outgoing: 0 as BitsPerSecond, incoming: 0 as BitsPerSecond };
