/**
 * An RSVP node: sessions, and what they share. Deterministic, without clock or socket like the sessions' `step`; but
 * it changes in place, because a message must not cost a copy of a thousand sessions.
 */
import type { IpAddress } from "../../model/ip.js";
import type { BytesPerSecond, Millis } from "../../model/units.js";
import { RSVP_ERROR } from "../codec/codes.js";
import type { ErrorAnswer, RsvpDecodeError } from "../codec/errors.js";
import { sessionKey } from "../codec/keys.js";
import type { SessionMessage } from "../codec/message.js";
import type { Flowspec, Session } from "../codec/objects.js";
import { Deadlines } from "./deadlines.js";
import { draftOf, type Surroundings } from "./draft.js";
import { endToEndFault } from "./e2e.js";
import type { Arrival, Moment, NodeAction, NodeEvent, ReceivedEvent, RsvpInterface, SessionEvent } from "./events.js";
import type { ReservationRef } from "./keys.js";
import { sendPathErr } from "./path.js";
import { Ports } from "./ports.js";
import { sendResvErr } from "./reservations.js";
import { Room } from "./room.js";
import type { NodeRules } from "./rules.js";
import { sessionStep } from "./session.js";
import { earliestDeadline, isEmpty, newSession, type Route, type SessionState } from "./state.js";

/** How important a session is against others when an interface shrinks; larger is kept longer. */
export type SessionPriority = (session: Session) => number;

/** Data of one destination goes one way, whatever the session. */
interface Destination {
  route: Route;
  readonly sessions: Set<string>;
}

/** RFC 2205 §3.7 (1): sessions that one event moves must not refresh together afterwards. The fraction of √2. */
const SESSION_SPREAD = 0.41421356237309515;

export class RsvpNode {
  readonly #interfaces = new Map<string, RsvpInterface>();
  readonly #byLih = new Map<number, RsvpInterface>();
  readonly #sessions = new Map<string, SessionState>();
  readonly #destinations = new Map<IpAddress, Destination>();
  readonly #deadlines = new Deadlines<string>();
  readonly #room = new Room();
  readonly #ports = new Ports();
  readonly #priority: SessionPriority;
  #rules: NodeRules;
  /** Sessions that this step has looked at. */
  #runs = 0;
  #scheduled = Number.POSITIVE_INFINITY;

  constructor(rules: NodeRules, priority: SessionPriority = () => 0) {
    this.#rules = rules;
    this.#priority = priority;
  }

  /** What is known of a session, for views. */
  session(session: Session): SessionState | undefined {
    return this.#sessions.get(sessionKey(session));
  }

  sessions(): IterableIterator<SessionState> {
    return this.#sessions.values();
  }

  /** Octets per second at the IP layer that reservations take of an outgoing interface. */
  reserved(name: string): BytesPerSecond {
    return this.#room.used(name);
  }

  /** One event; the actions are to be carried out in their order. */
  step(event: NodeEvent, moment: Moment): readonly NodeAction[] {
    const actions: NodeAction[] = [];
    this.#runs = 0;
    this.#handle(event, moment, actions);
    const next = this.#deadlines.next();
    // A timer that fired too early must be set again, though nothing changed.
    if (next !== this.#scheduled || (event.type === "due" && next !== Number.POSITIVE_INFINITY))
      actions.push({ do: "schedule", at: next });
    this.#scheduled = next;
    return actions;
  }

  #handle(event: NodeEvent, moment: Moment, actions: NodeAction[]): void {
    switch (event.type) {
      case "received":
        this.#onReceived(event, moment, actions);
        return;
      case "unreadable":
        this.#onUnreadable(event.error, event.arrival, moment, actions);
        return;
      case "open":
        this.#run(this.#reach(event.session, actions), event, moment, actions);
        return;
      case "reserve":
        if (this.session(event.session) === undefined) this.#refuse(event.session, event, moment, actions);
        else this.#run(this.session(event.session), event, moment, actions);
        return;
      case "close":
      case "complain":
      case "release":
        this.#run(this.session(event.session), event, moment, actions);
        return;
      case "admission":
      case "preempt":
        this.#run(this.session(event.ref.session), event, moment, actions);
        return;
      case "routeChanged":
        this.#onRoute(event.destination, event.route, moment, actions);
        return;
      case "interface":
        this.#onInterface(event.interface, moment, actions);
        return;
      case "interfaceLost":
        this.#onInterfaceLost(event.name, moment, actions);
        return;
      case "resized":
        this.#onResized(event.name, event.room, moment, actions);
        return;
      case "refreshPeriod":
        this.#rules = { ...this.#rules, refreshPeriod: event.period as Millis };
        return;
      case "due":
        this.#onDue(moment, actions);
    }
  }

  #surroundings(): Surroundings {
    return { rules: this.#rules, interfaces: this.#interfaces, byLih: this.#byLih };
  }

  #onReceived(event: ReceivedEvent, moment: Moment, actions: NodeAction[]): void {
    const { message, arrival } = event;
    // RFC 2205 §3.11.4: what comes by an interface that RSVP may not use is dropped.
    const iface = this.#interfaces.get(arrival.interface);
    if (iface === undefined) {
      actions.push({ do: "ignore", what: "message by an unknown interface" });
      return;
    }
    const misplaced = arrival.endToEnd === true ? endToEndFault(message, iface) : undefined;
    if (misplaced !== undefined) {
      actions.push({ do: "ignore", what: misplaced });
      return;
    }
    const known = this.session(message.session);
    const fault = known === undefined ? this.#newFault(message) : undefined;
    if (fault !== undefined) {
      this.#answer(message, fault, arrival, moment, actions);
      return;
    }
    const state = message.kind === "Path" ? this.#reach(message.session, actions) : known;
    if (state === undefined && message.kind === "Resv") {
      this.#refuse(message.session, event, moment, actions);
      return;
    }
    this.#run(state, event, moment, actions);
  }

  /** A reservation without a session gets error 3, and no state stays. */
  #refuse(session: Session, event: SessionEvent, moment: Moment, actions: NodeAction[]): void {
    actions.push(...sessionStep(this.#surroundings(), newSession(session), event, moment).actions);
  }

  /** Why a Path may not begin a session. */
  #newFault(message: SessionMessage): ErrorAnswer | undefined {
    if (message.kind !== "Path") return undefined;
    if (this.#sessions.size >= this.#rules.maxSessions) return { code: RSVP_ERROR.rsvpSystem, value: 0 };
    // §3.2 (1): all sessions of a destination and protocol have ports or none has.
    if (this.#ports.conflicts(message.session)) return { code: RSVP_ERROR.conflictingDestinationPorts, value: 0 };
    return undefined;
  }

  #answer(message: SessionMessage, error: ErrorAnswer, arrival: Arrival, moment: Moment, actions: NodeAction[]): void {
    if (message.kind !== "Path") return;
    const draft = draftOf(this.#surroundings(), newSession(message.session), moment);
    sendPathErr(draft, { kind: "remote", interface: arrival.interface, hop: message.hop }, error, message.sender);
    actions.push(...draft.actions);
  }

  /** RFC 2205 §3.10, §B: errors that may be a matter of versions are told, the others dropped. */
  #onUnreadable(error: RsvpDecodeError, arrival: Arrival, moment: Moment, actions: NodeAction[]): void {
    const { answer, legible } = error;
    if (answer === undefined || legible === undefined || !this.#interfaces.has(arrival.interface)) {
      actions.push({ do: "ignore", what: `unreadable: ${error.reason}` });
      return;
    }
    const draft = draftOf(this.#surroundings(), newSession(legible.session), moment);
    const to = { kind: "remote", interface: arrival.interface, hop: legible.hop } as const;
    if (legible.kind === "Path") sendPathErr(draft, to, answer, legible.sender);
    else sendResvErr(draft, to, answer, legible.flows);
    actions.push(...draft.actions);
  }

  /** The session, begun if it is new. */
  #reach(session: Session, actions: NodeAction[]): SessionState {
    const known = this.session(session);
    if (known !== undefined) return known;
    const { destination } = session;
    const place = this.#destinations.get(destination);
    const fresh = newSession(session);
    this.#ports.add(session);
    if (place === undefined) {
      this.#destinations.set(destination, { route: fresh.route, sessions: new Set([sessionKey(session)]) });
      actions.push({ do: "resolve", destination });
      return fresh;
    }
    place.sessions.add(sessionKey(session));
    return { ...fresh, route: place.route };
  }

  #run(state: SessionState | undefined, event: SessionEvent, moment: Moment, actions: NodeAction[]): void {
    if (state === undefined) {
      actions.push({ do: "ignore", what: `${event.type} for an unknown session` });
      return;
    }
    const random = (moment.random + SESSION_SPREAD * this.#runs++) % 1;
    const step = sessionStep(this.#surroundings(), state, event, { ...moment, random });
    actions.push(...step.actions);
    const key = sessionKey(state.session);
    const before = this.#sessions.get(key);
    const grown = this.#room.update(before, step.state, this.#priority(state.session), moment.now);
    if (isEmpty(step.state)) this.#forget(key, step.state.session, actions);
    else {
      this.#sessions.set(key, step.state);
      this.#deadlines.set(key, earliestDeadline(step.state));
    }
    // An answer may have been under way when the interface shrank.
    for (const name of grown) this.#takeBack(name, moment, actions);
  }

  #forget(key: string, session: Session, actions: NodeAction[]): void {
    this.#sessions.delete(key);
    this.#deadlines.delete(key);
    this.#ports.delete(session);
    const { destination } = session;
    const place = this.#destinations.get(destination);
    place?.sessions.delete(key);
    if (place === undefined || place.sessions.size > 0) return;
    this.#destinations.delete(destination);
    actions.push({ do: "forgetRoute", destination });
  }

  #onRoute(destination: IpAddress, route: Route, moment: Moment, actions: NodeAction[]): void {
    const place = this.#destinations.get(destination);
    if (place === undefined) {
      actions.push({ do: "ignore", what: "route to an unknown destination" });
      return;
    }
    place.route = route;
    for (const key of [...place.sessions]) {
      this.#run(this.#sessions.get(key), { type: "route", route }, moment, actions);
    }
  }

  #onInterface(iface: RsvpInterface, moment: Moment, actions: NodeAction[]): void {
    const before = this.#interfaces.get(iface.name);
    if (before !== undefined) this.#byLih.delete(before.lih);
    this.#interfaces.set(iface.name, iface);
    this.#byLih.set(iface.lih, iface);
    this.#forAll({ type: "interfaceUp", interface: iface.name }, moment, actions);
  }

  #onInterfaceLost(name: string, moment: Moment, actions: NodeAction[]): void {
    const iface = this.#interfaces.get(name);
    if (iface === undefined) {
      actions.push({ do: "ignore", what: "loss of an unknown interface" });
      return;
    }
    this.#interfaces.delete(name);
    this.#byLih.delete(iface.lih);
    this.#forAll({ type: "interfaceDown", interface: name }, moment, actions);
  }

  #forAll(event: SessionEvent, moment: Moment, actions: NodeAction[]): void {
    for (const state of [...this.#sessions.values()]) this.#run(state, event, moment, actions);
  }

  #onResized(name: string, room: BytesPerSecond, moment: Moment, actions: NodeAction[]): void {
    if (this.#room.resize(name, room)) {
      for (const { ref } of this.#room.holders(name)) {
        this.#run(this.session(ref.session), { type: "roomGrown", interface: name }, moment, actions);
      }
    }
    this.#takeBack(name, moment, actions);
  }

  /** RFC 4495: what was promised beyond the room that is left is taken back. */
  #takeBack(name: string, moment: Moment, actions: NodeAction[]): void {
    for (const { ref, granted } of this.#room.takings(name)) this.#preempt(ref, granted, moment, actions);
  }

  #preempt(ref: ReservationRef, granted: Flowspec | undefined, moment: Moment, actions: NodeAction[]): void {
    const event = { type: "preempt", ref, ...(granted === undefined ? {} : { granted }) } as const;
    this.#run(this.session(ref.session), event, moment, actions);
  }

  #onDue(moment: Moment, actions: NodeAction[]): void {
    // First all that are due, then what they do: each session has one turn.
    const due: string[] = [];
    for (let key = this.#deadlines.takeDue(moment.now); key !== undefined; key = this.#deadlines.takeDue(moment.now)) {
      due.push(key);
    }
    for (const key of due) this.#run(this.#sessions.get(key), { type: "due" }, moment, actions);
  }
}
