/** Looks at a router's reservations, as long as somebody listens, and tells what has changed. */

import type { RsvpWatchLine } from "../control/happening-views.js";
import type { ControlStream } from "../control/stream.js";
import type { RsvpSessionView } from "../control/views.js";
import type { Clock, Timer } from "../model/clock.js";
import { millis } from "../model/units.js";
import type { ReservationNow, RsvpHappenings } from "../pep/router/rsvp/happenings.js";
import { reservationId } from "../pep/router/rsvp/reservation-ends.js";
import type { RsvpSpeaker } from "../pep/router/rsvp/speaker.js";
import { countersOf, neighboursOf, sessionView } from "./rsvp-view.js";

/** Between two looks, and the part of the time that they may take of a router with many reservations. */
const LOOK_EVERY_MS = 250;
const LOOK_PART = 0.05;

interface Neighbour {
  readonly address: string;
  readonly interface: string;
}

interface Seen extends RsvpSessionView {
  readonly id: string;
}

interface Snapshot {
  /** By their ids. */
  readonly sessions: ReadonlyMap<string, Seen>;
  readonly neighbours: ReadonlyMap<string, Neighbour>;
  readonly interfaces: ReadonlySet<string>;
  readonly counters: ReadonlyMap<string, number>;
}

export interface RsvpWatchOptions {
  readonly speaker: RsvpSpeaker;
  readonly happenings: RsvpHappenings;
  readonly clock: Clock;
}

export class RsvpWatch {
  readonly #options: RsvpWatchOptions;
  #last: Snapshot | undefined;
  #timer: Timer | undefined;

  constructor(options: RsvpWatchOptions) {
    this.#options = options;
    options.speaker.onChange(() => this.#soon());
  }

  /** `/v1/rsvp/watch`: what happens from now on. */
  readonly stream: ControlStream = (_query, send) => {
    const { happenings } = this.#options;
    if (this.#last === undefined) this.#begin();
    const stop = happenings.subscribe((line) => send(line satisfies RsvpWatchLine));
    return () => {
      stop();
      if (!happenings.isWatched) this.close();
    };
  };

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#last = undefined;
  }

  #begin(): void {
    const { speaker, happenings } = this.#options;
    this.#last = snapshotOf(speaker);
    happenings.knowReservations([...this.#last.sessions.values()].map(reservationOf));
    this.#arm(LOOK_EVERY_MS);
  }

  #arm(delay: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(millis(delay), () => this.#look());
  }

  /** Not at once: what is told is in the middle of a change. */
  #soon(): void {
    if (this.#last !== undefined) this.#arm(0);
  }

  #look(): void {
    const { speaker, happenings } = this.#options;
    if (this.#last === undefined) return;
    const began = performance.now();
    const now = snapshotOf(speaker);
    tellReservations(happenings, this.#last, now);
    tellPaths(happenings, this.#last, now);
    tellSurroundings(happenings, this.#last, now);
    this.#last = now;
    this.#arm(Math.max(LOOK_EVERY_MS, (performance.now() - began) / LOOK_PART));
  }
}

function snapshotOf(speaker: RsvpSpeaker): Snapshot {
  const states = [...speaker.node.sessions()];
  const sessions = states.flatMap((state) =>
    [...state.paths.values()].map(
      (path): Seen => ({
        id: reservationId({ session: state.session, template: path.template }),
        ...sessionView(speaker, state, path),
      }),
    ),
  );
  const neighbours = neighboursOf(states).map((each) => [`${each.address} ${each.interface}`, each] as const);
  return {
    sessions: new Map(sessions.map((session) => [session.id, session])),
    neighbours: new Map(neighbours),
    interfaces: new Set(speaker.watch.attached.keys()),
    counters: new Map(Object.entries(countersOf(speaker)).filter(([name]) => isRefusal(name))),
  };
}

/** Of what the node ignores, most is no message; what cannot be read the endpoint has counted already. */
const isRefusal = (counter: string): boolean =>
  /^(refused\.|unreadable\.|flood$|wrongSize$|ignored: (message |Path|Resv))/.test(counter);

const DIRECTIONS = { aggregator: "outgoing", deaggregator: "incoming", transit: "transit" } as const;

const reservationOf = ({ id, role, sender, destination, dscp, granted, failure }: Seen): ReservationNow => ({
  id,
  direction: DIRECTIONS[role],
  sender,
  destination,
  dscp,
  granted,
  failure,
});

function tellReservations(happenings: RsvpHappenings, before: Snapshot, now: Snapshot): void {
  for (const session of now.sessions.values()) happenings.reservation(reservationOf(session), false);
  for (const [key, session] of before.sessions) {
    if (!now.sessions.has(key)) happenings.reservationEnded(reservationOf(session));
  }
}

function tellPaths(happenings: RsvpHappenings, before: Snapshot, now: Snapshot): void {
  const tell = (change: "new" | "moved" | "gone", session: Seen): void => {
    const { sender, destination, dscp, previousHop, interface: name } = session;
    happenings.tell({
      what: "path",
      change,
      sender,
      destination,
      ...(dscp === undefined ? {} : { dscp }),
      ...(previousHop === undefined ? {} : { previousHop }),
      ...(name === undefined ? {} : { interface: name }),
    });
  };
  for (const [key, session] of now.sessions) {
    const was = before.sessions.get(key);
    if (was === undefined) tell("new", session);
    else if (was.previousHop !== session.previousHop || was.interface !== session.interface) tell("moved", session);
  }
  for (const [key, session] of before.sessions) if (!now.sessions.has(key)) tell("gone", session);
}

function tellSurroundings(happenings: RsvpHappenings, before: Snapshot, now: Snapshot): void {
  for (const name of now.interfaces) {
    if (!before.interfaces.has(name)) happenings.tell({ what: "interface", change: "up", interface: name });
  }
  for (const name of before.interfaces) {
    if (!now.interfaces.has(name)) happenings.tell({ what: "interface", change: "down", interface: name });
  }
  const tell = (change: "up" | "down", { address, interface: name }: Neighbour): void =>
    happenings.tell({ what: "neighbour", change, address, interface: name });
  for (const [key, neighbour] of now.neighbours) if (!before.neighbours.has(key)) tell("up", neighbour);
  for (const [key, neighbour] of before.neighbours) if (!now.neighbours.has(key)) tell("down", neighbour);
  for (const [counter, total] of now.counters) {
    const count = total - (before.counters.get(counter) ?? 0);
    if (count > 0) happenings.tell({ what: "refusedMessages", counter, count });
  }
}
