/** What befalls reservations, told as it happens to whoever listens; nobody has to. */
import type { Clock } from "../../../model/clock.js";
import type { IpAddress } from "../../../model/ip.js";
import type { BitsPerSecond, Dscp, Timestamp } from "../../../model/units.js";

/** A sender's reservation: `outgoing` begins here, `incoming` ends here, `transit` passes. */
export interface ReservationEnds {
  /** As `reservationId` makes it. */
  readonly id: string;
  readonly direction: "outgoing" | "incoming" | "transit";
  readonly sender: IpAddress;
  readonly destination: IpAddress;
  /** Of an aggregate, RFC 3175. */
  readonly dscp?: Dscp | undefined;
}

/** What is granted of it now, layer 3, and why that is not what was wanted. */
export interface ReservationNow extends ReservationEnds {
  readonly granted: BitsPerSecond;
  readonly failure?: string | undefined;
}

export type ReservationChange = "made" | "resized" | "refused" | "lost" | "takenBack" | "ended";

/** What is undefined is left out. */
type Told<T> = { readonly [Key in keyof T]: Exclude<T[Key], undefined> };

export type Happening =
  | (Told<Omit<ReservationEnds, "id">> & {
      readonly what: "reservation";
      /** `refused`: what was there is kept. `lost`: all of it is gone. `takenBack`: a part of it. `ended`: nobody wants it. */
      readonly change: ReservationChange;
      readonly before: BitsPerSecond;
      readonly after: BitsPerSecond;
      readonly failure?: string;
    })
  | {
      readonly what: "neighbour";
      /** `restarted`: it numbers its messages anew (another epoch, RFC 2961 §4.2). */
      readonly change: "up" | "down" | "restarted";
      readonly address: IpAddress;
      readonly interface: string;
    }
  | { readonly what: "interface"; readonly change: "up" | "down"; readonly interface: string }
  | {
      /** The way of a sender's packets through this router; a hop is absent where it is the end. */
      readonly what: "path";
      readonly change: "new" | "moved" | "gone";
      readonly sender: IpAddress;
      readonly destination: IpAddress;
      readonly dscp?: Dscp;
      readonly previousHop?: IpAddress;
      readonly interface?: string;
    }
  | { readonly what: "refusedMessages"; readonly counter: string; readonly count: number };

export type TimedHappening = { readonly at: Timestamp } & Happening;

const NOTHING = 0 as BitsPerSecond;

export class RsvpHappenings {
  readonly #clock: Clock;
  readonly #listeners = new Set<(happening: TimedHappening) => void>();
  /** What was known last, so that a change can be told from a repetition. */
  readonly #reservations = new Map<string, ReservationNow>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Told of all that happens until what it gives back is called. */
  subscribe(listener: (happening: TimedHappening) => void): () => void {
    // Each subscription stands for itself, also of the same listener.
    const own = (happening: TimedHappening): void => listener(happening);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  tell(happening: Happening): void {
    if (!this.isWatched) return;
    const told: TimedHappening = { at: this.#clock.now(), ...happening };
    for (const listener of [...this.#listeners]) listener(told);
  }

  /** As it is: told if it is not as it was. @param answered - by the network just now: a refusal is told again */
  reservation(now: ReservationNow, answered: boolean): void {
    const before = this.#reservations.get(keyOf(now));
    this.#reservations.set(keyOf(now), now);
    const change = changeOf(before, now, answered);
    if (change !== undefined) this.#tellReservation(now, change, before?.granted ?? NOTHING);
  }

  reservationEnded(ends: ReservationEnds): void {
    const before = this.#reservations.get(keyOf(ends));
    this.#reservations.delete(keyOf(ends));
    if (before !== undefined) this.#tellReservation({ ...ends, granted: NOTHING }, "ended", before.granted);
  }

  /** Takes these to be all there are, and tells nothing of it. */
  knowReservations(all: readonly ReservationNow[]): void {
    this.#reservations.clear();
    for (const now of all) this.#reservations.set(keyOf(now), now);
  }

  #tellReservation(now: ReservationNow, change: ReservationChange, before: BitsPerSecond): void {
    const { direction, sender, destination, dscp, granted, failure } = now;
    const ends = { direction, sender, destination, ...(dscp === undefined ? {} : { dscp }) };
    const why = failure === undefined ? {} : { failure };
    this.tell({ what: "reservation", change, ...ends, before, after: granted, ...why });
  }
}

const keyOf = ({ direction, id }: ReservationEnds): string => `${direction} ${id}`;

function changeOf(
  before: ReservationNow | undefined,
  { granted, failure }: ReservationNow,
  answered: boolean,
): ReservationChange | undefined {
  const had = before?.granted ?? NOTHING;
  if (granted > had) return had === 0 ? "made" : "resized";
  if (granted < had) return granted === 0 ? "lost" : failure === undefined ? "resized" : "takenBack";
  return failure !== undefined && (answered || failure !== before?.failure) ? "refused" : undefined;
}
