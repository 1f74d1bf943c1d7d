/**
 * The router speaks RSVP: it keeps aggregates to other edges (RFC 3175 without end-to-end RSVP, §1.4.12), turns theirs around,
 * and lets through what only passes.
 */
import type { Clock, Timer } from "../../../model/clock.js";
import { SluiceError } from "../../../model/errors.js";
import type { IpAddress } from "../../../model/ip.js";
import type { Logger } from "../../../model/log.js";
import { type BitsPerSecond, type BytesPerSecond, type Millis, millis } from "../../../model/units.js";
import { filterKey } from "../../../rsvp/codec/keys.js";
import type { Session } from "../../../rsvp/codec/objects.js";
import { NodeDriver, type OutsideAction } from "../../../rsvp/endpoint/node-driver.js";
import type { EndpointOptions } from "../../../rsvp/endpoint/rsvp-endpoint.js";
import { type AggregateRules, aggregateSession, DEFAULT_AGGREGATE_RULES } from "../../../rsvp/machine/aggregate.js";
import type { NodeEvent, Notice } from "../../../rsvp/machine/events.js";
import { RsvpNode } from "../../../rsvp/machine/node.js";
import { DEFAULT_RULES, lifetime } from "../../../rsvp/machine/rules.js";
import type { AggregateState, Aggregates, WantedAggregate } from "../aggregates.js";
import { incomingTunnel, outgoingSession, outgoingTemplate } from "./aggregate-name.js";
import { AggregatorEnd } from "./aggregator-end.js";
import type { EndToEndEdge, EndToEndParts } from "./e2e-edge.js";
import { Ends, type EndsView, type Incoming, type Outgoing } from "./ends.js";
import type { RsvpHappenings } from "./happenings.js";
import { IncomingAggregates } from "./incoming-aggregates.js";
import type { NetworkView } from "./network-view.js";
import { NetworkWatch } from "./network-watch.js";
import { isForSender } from "./notices.js";
import type { Admission, OutsourcedAdmission } from "./outsourced-admission.js";
import { reservationEnds } from "./reservation-ends.js";
import type { ReservedPools } from "./reserved-pools.js";
import { RestartGrace } from "./restart-grace.js";
import { sizeFor, tspecOf, wayBackWanted } from "./sizes.js";
import { TrafficControl, type TrafficControlOptions } from "./traffic-control.js";
import { joinWishes, type StandingAggregate, type Wish, type Wishes } from "./wishes.js";

export interface RsvpSpeakerOptions extends Pick<TrafficControlOptions, "rooms" | "linkOverhead"> {
  /** Where aggregates end here; absent: nowhere. */
  readonly address?: IpAddress;
  /** R, RFC 2205 §3.7. */
  readonly refresh: Millis;
  /** The most that is reserved for one remote edge, and towards it for its sake; layer 3. */
  readonly ceiling: BytesPerSecond;
  readonly standing: readonly StandingAggregate[];
  readonly network: NetworkView;
  /** How often interfaces and routes are looked at. */
  readonly lookEvery: Millis;
  /** Has a policy server admit reservations (RFC 2749); absent: the rooms decide alone. */
  readonly outsourced?: OutsourcedAdmission;
  /** Carries end-to-end reservations of hosts in aggregates; absent: they go from router to router. */
  readonly endToEnd?: EndToEndEdge;
  /** Told of the aggregates that have an end here as they change, and of neighbours that start again. */
  readonly happenings?: RsvpHappenings;
  readonly classes: Pick<ReservedPools, "reserve" | "release" | "sweep">;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  readonly endpoint: Pick<EndpointOptions, "keys" | "reliability" | "epoch" | "tos" | "transport">;
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
  readonly #admission: Admission;
  /** What reservations may take of each interface now, layer 3. */
  readonly #rooms: Map<string, BitsPerSecond>;
  readonly #outgoing = new Ends<Outgoing>();
  readonly #incoming: IncomingAggregates;
  readonly #listeners: ((state: AggregateState) => void)[] = [];
  #rejected: Wishes["rejected"] = [];
  #driver: NodeDriver | undefined;
  #sweep: Timer | undefined;

  private constructor(options: RsvpSpeakerOptions) {
    this.#options = options;
    const rooms = new Map(options.rooms);
    const { refresh, linkOverhead, classes, clock, log, network: view, lookEvery: interval } = options;
    this.#rooms = rooms;
    this.#rules = { ...DEFAULT_AGGREGATE_RULES, retryAfter: refresh };
    this.#node = new RsvpNode({ ...DEFAULT_RULES, refreshPeriod: refresh });
    const tell = (event: NodeEvent): void => this.#tell(event);
    this.#watch = new NetworkWatch({ view, names: new Set(rooms.keys()), interval, clock, log, tell });
    const isOwn = (address: IpAddress): boolean => this.#watch.isOwn(address);
    this.#incoming = this.#incomingAggregates();
    const { outsourced } = options;
    const answer = outsourced === undefined ? tell : (event: NodeEvent) => outsourced.answered(event);
    this.#control = new TrafficControl({ rooms, classes, linkOverhead, isOwn, log, tell: answer });
    this.#admission = outsourced ?? this.#control;
    outsourced?.attach({
      local: this.#control,
      tell,
      view: ({ session }) => ({ session: this.#node.session(session), refreshPeriod: refresh }),
      free: (name) => ((rooms.get(name) ?? 0) - this.#control.reserved(name)) as BitsPerSecond,
    });
  }

  /** @throws SystemError if no transport works here */
  static async open(options: RsvpSpeakerOptions): Promise<RsvpSpeaker> {
    const speaker = new RsvpSpeaker(options);
    const { clock, log, random, endpoint } = options;
    const watch = speaker.#watch;
    const node = new RestartGrace(speaker.#node, clock.now() + GRACE_REFRESHES * options.refresh);
    const edge = options.endToEnd?.over(node, speaker.#edgeParts()) ?? node;
    const driver = await NodeDriver.open({
      node: options.outsourced?.over(edge) ?? edge,
      clock,
      log,
      random,
      outside: (action) => speaker.#outside(action),
      restarted: (address, name) =>
        options.happenings?.tell({ what: "neighbour", change: "restarted", address, interface: name }),
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

  /** What reservations may take of each interface now, layer 3. */
  get rooms(): ReadonlyMap<string, BitsPerSecond> {
    return this.#rooms;
  }

  get outgoing(): EndsView<Outgoing> {
    return this.#outgoing;
  }

  get incoming(): EndsView<Incoming> {
    return this.#incoming.ends;
  }

  set(wanted: readonly WantedAggregate[]): void {
    const { address, standing, endToEnd } = this.#options;
    const { accepted, rejected } = joinWishes(
      address,
      standing,
      wanted,
      (remote, dscp) => endToEnd?.has(aggregateSession(remote, dscp)) === true,
    );
    for (const key of [...this.#outgoing.keys()]) {
      if (accepted.has(key)) continue;
      const given = this.#outgoing.get(key);
      this.#outgoing.delete(key);
      if (given === undefined) continue;
      given.end.giveUp();
      this.#options.happenings?.reservationEnded(reservationEnds("outgoing", given));
    }
    this.#rejected = rejected;
    for (const [key, wish] of accepted) {
      if (address === undefined) continue;
      const known = this.#outgoing.get(key);
      this.#outgoing.set(key, known === undefined ? this.#aggregator(key, address, wish) : { ...known, wish });
      this.#ask(key);
      if (known === undefined) this.#lookBack(wish);
    }
    for (const { pool, why } of rejected) this.#notify({ ...NOTHING, pool, failure: why });
  }

  /** An interface has more room, or less: then what does not fit any more is taken back (RFC 4495). */
  resize(name: string, room: BitsPerSecond): void {
    this.#rooms.set(name, room);
    this.#tell({ type: "resized", name, room: (room / 8) as BytesPerSecond });
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
    for (const { end } of this.#outgoing.values()) end.close();
    this.#incoming.close();
    this.#options.endToEnd?.close();
    await this.#watch.close();
    await this.#driver?.close();
  }

  #edgeParts(): EndToEndParts {
    return {
      session: (session) => this.#node.session(session),
      tell: (event) => this.#tell(event),
      isTaken: (session) => this.#outgoing.of(session).length > 0,
    };
  }

  async #begin(driver: NodeDriver): Promise<void> {
    const { clock, refresh, classes, log } = this.#options;
    for (const [name, room] of this.#rooms) this.resize(name, room);
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
    else if (action.do === "reserve") this.#admission.reserve(action);
    else if (action.do === "release") this.#admission.release(action.ref);
    else this.#onNotice(action.session, action.notice);
  }

  #onNotice(session: Session, notice: Notice): void {
    if (isForSender(notice)) {
      for (const [, { end }] of this.#outgoing.of(session)) end.notice(notice);
      return;
    }
    this.#incoming.notice(session, notice);
  }

  /** Has the aggregate's Path say what is wanted of it now, at both ends. */
  #ask(key: string): void {
    const outgoing = this.#outgoing.get(key);
    if (outgoing === undefined) return;
    const { wish, end } = outgoing;
    const size = sizeFor(wish, this.incoming.get(key)?.back, this.#options.ceiling);
    end.want(tspecOf(size), wayBackWanted(wish), wish.request);
  }

  /** The other end of a tunnel may have said its Path before this one was wanted. */
  #lookBack({ remote, name }: Wish): void {
    if (name.by !== "tunnel") return;
    const { session, template } = incomingTunnel(remote, name);
    const state = this.#node.session(session);
    const path = state?.paths.get(filterKey(template));
    if (path === undefined || state?.route.kind !== "local") return;
    const { tspec, policy } = path;
    this.#onNotice(session, { what: "pathArrived", sender: { template, tspec }, policy });
  }

  #aggregator(key: string, address: IpAddress, wish: Wish): Outgoing {
    const { clock, refresh } = this.#options;
    const session = outgoingSession(address, wish.remote, wish.name);
    const template = outgoingTemplate(address, wish.name);
    const end = new AggregatorEnd({
      session,
      template,
      rules: this.#rules,
      askAgain: { nothing: refresh, less: millis(REFRESHES_UNTIL_MORE * refresh) },
      clock,
      tell: (event) => this.#tell(event),
      changed: () => this.#outgoingChanged(key),
    });
    return { wish, session, template, end };
  }

  #incomingAggregates(): IncomingAggregates {
    const { address, ceiling, clock, happenings } = this.#options;
    return new IncomingAggregates({
      address,
      rules: this.#rules,
      ceiling,
      clock,
      tell: (event) => this.#tell(event),
      isWanted: (key) => this.#outgoing.get(key) !== undefined,
      ignore: (what) => this.#driver?.ignore(what),
      said: (key) => this.#ask(key),
      changed: (key) => this.#changed(key, "incoming"),
      happenings,
    });
  }

  #outgoingChanged(key: string): void {
    const entry = this.#outgoing.get(key);
    if (entry !== undefined) {
      const { granted, failure } = entry.end;
      this.#options.happenings?.reservation({ ...reservationEnds("outgoing", entry), granted, failure }, true);
    }
    this.#changed(key, "outgoing");
  }

  #changed(key: string, direction: "outgoing" | "incoming"): void {
    const end = this[direction].get(key)?.end;
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
    const incoming = this.incoming.get(key)?.end.granted ?? NOTHING.incoming;
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
