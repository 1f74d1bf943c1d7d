/** What pools need of whatever reserves bandwidth in the network. */
import type { BitsPerSecond } from "../../model/units.js";

/** Asks the network. It is answered through {@link ReservationEvents}. */
export interface ReservationPort {
  /**
   * Asks that `rate` be reserved for the pool in all, in each direction that it is for, in place of what is reserved
   * now. Layer 2, as pools count. Requests of a pool are carried out in their order; one that was not answered may come
   * again, or be followed by another.
   */
  request(pool: string, rate: BitsPerSecond): void;
}

/**
 * What the network says of a pool, in the order in which it decided: of the last request, and whatever it takes back. What becomes
 * of an earlier one is no answer to the last, though they be for the same rate. May be called from within `request`.
 */
export interface ReservationEvents {
  /** The request for `rate` was carried out. */
  confirmed(pool: string, rate: BitsPerSecond): void;
  /** The request for `rate` was not, or not wholly: `kept` is reserved (RFC 2205 §A.5: InPlace). */
  refused(pool: string, rate: BitsPerSecond, kept: BitsPerSecond): void;
  /** The network took back all but `left`, unasked: partial preemption (RFC 4495 §5.4), a link down or made smaller. */
  takenBack(pool: string, left: BitsPerSecond): void;
}

/** For pools that nobody else reserves, such as the classes of a link: what is asked for is there at once. */
export class InstantReservations implements ReservationPort {
  readonly #events: () => Pick<ReservationEvents, "confirmed">;

  constructor(events: () => Pick<ReservationEvents, "confirmed">) {
    this.#events = events;
  }

  request(pool: string, rate: BitsPerSecond): void {
    this.#events().confirmed(pool, rate);
  }
}
