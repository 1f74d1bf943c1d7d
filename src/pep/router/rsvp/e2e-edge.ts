/**
 * This router as an edge of an aggregation region for hosts and routers that speak RSVP themselves (RFC 3175 §2): stands
 * between the node, which keeps the end-to-end sessions, and its driver. As deaggregator it names the aggregate that a session
 * goes into; as aggregator it makes that aggregate and admits reservations to it.
 *
 * ```
 *            Path ─────────────────────────────────────────────────>
 *  aggregator <──────────── PathErr NEW-AGGREGATE-NEEDED, DCLASS ──── deaggregator
 *            Path of the aggregate ────────────────────────────────>
 *            <─────────────────────────────────────── Resv, DCLASS ──
 * ```
 */
import type { Clock, Timer } from "../../../model/clock.js";
import { familyOf, type IpAddress } from "../../../model/ip.js";
import type { Logger } from "../../../model/log.js";
import type { BytesPerSecond, Dscp, Millis } from "../../../model/units.js";
import { RSVP_ERROR, TRAFFIC_CONTROL } from "../../../rsvp/codec/codes.js";
import { filterKey, sessionKey } from "../../../rsvp/codec/keys.js";
import type { PathErrMessage, SessionMessage } from "../../../rsvp/codec/message.js";
import type { Session } from "../../../rsvp/codec/objects.js";
import type { NodeMachine } from "../../../rsvp/endpoint/node-driver.js";
import { aggregateSession, aggregatesNeeded } from "../../../rsvp/machine/aggregate.js";
import type { Moment, NodeAction, NodeEvent, RsvpInterface } from "../../../rsvp/machine/events.js";
import { type ReservationRef, refKey } from "../../../rsvp/machine/keys.js";
import type { PathState, SessionState } from "../../../rsvp/machine/state.js";
import { EndToEndAggregate, type MappedSender, NO_BANDWIDTH, type ReserveRequest } from "./e2e-aggregate.js";

export interface EndToEndOptions {
  /** Under which aggregates end here. */
  readonly address: IpAddress;
  /** Interfaces outside the region; all others are inside. */
  readonly exterior: ReadonlySet<string>;
  /** The one aggregate that end-to-end reservations go into (RFC 3175 §1.4.3); no pool may use it towards the same edge. */
  readonly codePoint: Dscp;
  /** The most of an aggregate, layer 3. */
  readonly ceiling: BytesPerSecond;
  /** In which steps an aggregate grows and shrinks (§1.4.4), layer 3. */
  readonly block: BytesPerSecond;
  /** R, RFC 2205 §3.7. */
  readonly refresh: Millis;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface EndToEndParts {
  readonly session: (session: Session) => SessionState | undefined;
  readonly tell: (event: NodeEvent) => void;
  /** Whether something else on this router is the sender of that aggregate. */
  readonly isTaken: (session: Session) => boolean;
}

type Send = Extract<NodeAction, { do: "send" }>;

/** Aggregates at the same time: an edge that says more of them are needed is not believed. */
const MAX_AGGREGATES = 1024;
const MAX_MAPPED = 20_000;
/** IP TTL of what goes from one edge to the other. */
const TTL = 64;

export class EndToEndEdge {
  readonly #options: EndToEndOptions;
  readonly #aggregates = new Map<string, EndToEndAggregate>();
  /** Into which aggregate the other edge put a session, by the session's key. */
  readonly #mapped = new Map<string, { readonly session: Session; readonly aggregate: Session }>();
  /** Which aggregate has a reservation, by the reservation's key. */
  readonly #holders = new Map<string, EndToEndAggregate>();
  #parts: EndToEndParts | undefined;
  #tidying: Timer | undefined;

  constructor(options: EndToEndOptions) {
    this.#options = options;
  }

  /** The node as its driver is to run it. */
  over(node: NodeMachine, parts: EndToEndParts): NodeMachine {
    this.#parts = parts;
    return { step: (event, moment) => this.#step(node, event, moment) };
  }

  /** Aggregates for end-to-end reservations that begin here. */
  get aggregates(): Iterable<EndToEndAggregate> {
    return this.#aggregates.values();
  }

  /** Whether the aggregate of that session is one for end-to-end reservations, and begins here. */
  has(session: Session): boolean {
    return this.#aggregates.has(sessionKey(session));
  }

  close(): void {
    this.#tidying?.cancel();
    for (const aggregate of this.#aggregates.values()) aggregate.close();
    this.#parts = undefined;
  }

  #step(node: NodeMachine, event: NodeEvent, moment: Moment): readonly NodeAction[] {
    if (event.type === "interface") {
      return node.step({ ...event, interface: this.#withRegion(event.interface) }, moment);
    }
    if (event.type === "received") {
      const { message, arrival } = event;
      if (message.kind === "PathErr" && this.#isNeed(message)) {
        // §2.4: an order to this edge, no error; it goes no further.
        this.#onNeed(message);
        return [];
      }
      if (message.kind === "Resv" && this.#isInterior(arrival.interface)) this.#map(message);
    }
    return node.step(event, moment).flatMap((action) => this.#through(action));
  }

  #withRegion(iface: RsvpInterface): RsvpInterface {
    const { address } = this.#options;
    return {
      ...iface,
      region: this.#isInterior(iface.name) ? { side: "interior", address } : { side: "exterior" },
    };
  }

  #isInterior(name: string | undefined): boolean {
    return name !== undefined && !this.#options.exterior.has(name);
  }

  /** What is known of a session that crosses the region, or may do so. */
  #known(session: Session): SessionState | undefined {
    const isOurs = session.kind === "ip" && familyOf(session.destination) === familyOf(this.#options.address);
    const state = isOurs ? this.#parts?.session(session) : undefined;
    return state !== undefined && [...state.paths.values()].some(({ endToEnd }) => endToEnd === true)
      ? state
      : undefined;
  }

  #through(action: NodeAction): readonly NodeAction[] {
    switch (action.do) {
      case "send":
        return this.#onSend(action);
      case "reserve":
        if (!this.#isInterior(action.ref.interface) || this.#known(action.ref.session) === undefined) return [action];
        this.#admit(action);
        return [];
      case "release":
        // Traffic control makes nothing of what it never had.
        this.#release(action.ref);
        return [action];
      case "notify":
        this.#aggregates.get(sessionKey(action.session))?.notice(action.notice);
        return [action];
      default:
        return [action];
    }
  }

  #onSend(action: Send): readonly NodeAction[] {
    const { message } = action;
    if (message.kind === "PathTear" && action.endToEnd === true) {
      this.#visit((aggregate) => aggregate.unmap(message));
      return [action];
    }
    const state = this.#known(message.session);
    if (state === undefined) return [action];
    if (message.kind === "Path" && !this.#isInterior(action.interface)) {
      const path = state.paths.get(filterKey(message.sender.template));
      const need = path === undefined ? undefined : this.#needOf(state.session, path);
      return need === undefined ? [action] : [action, need];
    }
    if (message.kind === "Resv" && this.#isInterior(action.interface)) {
      // §2.5: the code point that the aggregator must use.
      return [{ ...action, message: { ...message, dclass: [this.#options.codePoint] } }];
    }
    return [action];
  }

  /** §2.3: as long as there is no Path of the aggregate, each Path of a session that needs it asks for one. */
  #needOf(session: Session, { template, tspec, adspec, from }: PathState): Send | undefined {
    const { address, codePoint } = this.#options;
    if (from.kind === "local" || !this.#isInterior(from.interface)) return undefined;
    const aggregator = from.hop.address;
    const aggregate = this.#parts?.session(aggregateSession(address, codePoint));
    if (aggregate?.paths.has(filterKey({ address: aggregator })) === true) return undefined;
    return {
      do: "send",
      message: {
        kind: "PathErr",
        session,
        error: { node: address, flags: 0, code: RSVP_ERROR.newAggregateNeeded, value: 0 },
        policy: [],
        sender: { template, tspec, ...(adspec === undefined ? {} : { adspec }) },
        dclass: [codePoint],
        unknown: [],
      },
      interface: from.interface,
      destination: aggregator,
      routerAlert: false,
      ttl: TTL,
    };
  }

  #isNeed({ session, error, sender }: PathErrMessage): boolean {
    if (error.code !== RSVP_ERROR.newAggregateNeeded) return false;
    const state = this.#known(session);
    const route = state?.route.kind === "interface" ? state.route.name : undefined;
    return this.#isInterior(route) && state?.paths.get(filterKey(sender.template))?.endToEnd === true;
  }

  #onNeed(message: PathErrMessage): void {
    const { session, sender } = message;
    const path = this.#parts?.session(session)?.paths.get(filterKey(sender.template));
    if (path === undefined) return;
    for (const needed of aggregatesNeeded({ ...message, what: "pathError" })) {
      this.#aggregate(needed)?.map({ session, template: path.template, tspec: path.tspec });
    }
  }

  /** §2.8: the other edge's last word on the mapping. Without DCLASS both are taken to have the same policy. */
  #map(message: Extract<SessionMessage, { kind: "Resv" }>): void {
    const { session, hop, dclass, sessionOfInterest } = message;
    if (session.kind !== "ip") return;
    const key = sessionKey(session);
    if (this.#mapped.size >= MAX_MAPPED && !this.#mapped.has(key)) return;
    const byCodePoint = aggregateSession(hop.address, dclass?.[0] ?? this.#options.codePoint);
    this.#mapped.set(key, { session, aggregate: sessionOfInterest ?? byCodePoint });
    this.#arm();
  }

  #admit(request: ReserveRequest): void {
    const { ref, id } = request;
    const mapped = this.#mapped.get(sessionKey(ref.session));
    const aggregate = mapped === undefined ? undefined : this.#aggregate(mapped.aggregate);
    // It may have been put into another one since.
    if (this.#holders.get(refKey(ref)) !== aggregate) this.#release(ref);
    if (aggregate !== undefined) {
      this.#holders.set(refKey(ref), aggregate);
      aggregate.ask(request);
      return;
    }
    const unsupported = { code: RSVP_ERROR.trafficControl, value: TRAFFIC_CONTROL.serviceUnsupported };
    const error = mapped === undefined ? NO_BANDWIDTH : unsupported;
    this.#parts?.tell({ type: "admission", ref, id, verdict: { admit: false, error } });
  }

  /** The aggregate of that session, made if need be; undefined if there cannot be one. */
  #aggregate(session: Session): EndToEndAggregate | undefined {
    const { address, log } = this.#options;
    const key = sessionKey(session);
    const known = this.#aggregates.get(key);
    if (known !== undefined || this.#parts === undefined) return known;
    const isPossible =
      session.destination !== address &&
      familyOf(session.destination) === familyOf(address) &&
      this.#aggregates.size < MAX_AGGREGATES;
    if (!isPossible || this.#parts.isTaken(session)) {
      log.warn("rsvp.no-aggregate", { aggregate: key, reason: isPossible ? "a pool has it" : "not possible here" });
      return undefined;
    }
    const { tell } = this.#parts;
    const made = new EndToEndAggregate({ ...this.#options, session, template: { address }, tell });
    this.#aggregates.set(key, made);
    this.#arm();
    log.info("rsvp.e2e-aggregate", { aggregate: key });
    return made;
  }

  /** §2.9 */
  #release(ref: ReservationRef): void {
    const key = refKey(ref);
    const holder = this.#holders.get(key);
    this.#holders.delete(key);
    holder?.release(ref);
    if (holder !== undefined) this.#dropIdle(holder);
  }

  #dropIdle(aggregate: EndToEndAggregate): void {
    if (!aggregate.isIdle) return;
    aggregate.close();
    this.#aggregates.delete(sessionKey(aggregate.session));
  }

  /** Sessions end in many ways, and not all of them are told: what is left of them goes within a refresh. */
  #arm(): void {
    const { clock, refresh } = this.#options;
    this.#tidying ??= clock.after(refresh, () => {
      this.#tidying = undefined;
      this.#tidy();
      if (this.#mapped.size + this.#aggregates.size > 0) this.#arm();
    });
  }

  #tidy(): void {
    for (const [key, { session }] of this.#mapped) {
      if (this.#parts?.session(session) === undefined) this.#mapped.delete(key);
    }
    const isGone = ({ session, template }: MappedSender): boolean =>
      this.#known(session)?.paths.has(filterKey(template)) !== true;
    this.#visit((aggregate) => aggregate.tidy(isGone));
  }

  #visit(visit: (aggregate: EndToEndAggregate) => void): void {
    for (const aggregate of [...this.#aggregates.values()]) {
      visit(aggregate);
      this.#dropIdle(aggregate);
    }
  }
}
