/** Reservations that this policy server let routers make: what they take, by which rule, and on which handle they are told of. */
import { handleKey } from "../../cops/codec/message.js";
import type { BitsPerSecond, Timestamp } from "../../model/units.js";
import type { ReservationAsk } from "./reservation-reading.js";

export interface GrantedReservation {
  readonly router: string;
  readonly ask: ReservationAsk;
  readonly rule: string;
  readonly since: Timestamp;
  readonly handle: Buffer;
  /** The router reported that it is made: billing may begin (RFC 2749 §3.3). */
  readonly committed: boolean;
  /** Which connection of the router told of it last. */
  readonly connection: number;
}

const keyOf = (router: string, identity: string): string => `${router} ${identity}`;
const handleOf = (router: string, handle: Buffer): string => `${router} ${handleKey(handle)}`;
const usageOf = (router: string, rule: string): string => `${router} ${rule}`;

export class ReservationTable {
  readonly #byKey = new Map<string, GrantedReservation>();
  readonly #keyByHandle = new Map<string, string>();
  /** Whole bit/s, so that nothing drifts. */
  readonly #used = new Map<string, number>();

  get size(): number {
    return this.#byKey.size;
  }

  all(): readonly GrantedReservation[] {
    return [...this.#byKey.values()];
  }

  get(router: string, identity: string): GrantedReservation | undefined {
    return this.#byKey.get(keyOf(router, identity));
  }

  byHandle(router: string, handle: Buffer): GrantedReservation | undefined {
    const key = this.#keyByHandle.get(handleOf(router, handle));
    return key === undefined ? undefined : this.#byKey.get(key);
  }

  /** What reservations of a rule take at a router, leaving one out. */
  used(router: string, rule: string, but?: GrantedReservation): BitsPerSecond {
    const own = but !== undefined && but.rule === rule && but.router === router ? but.ask.rate : 0;
    return ((this.#used.get(usageOf(router, rule)) ?? 0) - own) as BitsPerSecond;
  }

  /** In the place of what the same next hop had for the same flow, and of what the handle stood for. */
  set(granted: GrantedReservation): void {
    const { router, ask, handle } = granted;
    this.#remove(this.byHandle(router, handle));
    this.#remove(this.get(router, ask.identity));
    this.#byKey.set(keyOf(router, ask.identity), granted);
    this.#keyByHandle.set(handleOf(router, handle), keyOf(router, ask.identity));
    this.#account(granted, ask.rate);
  }

  commit(router: string, handle: Buffer): GrantedReservation | undefined {
    const granted = this.byHandle(router, handle);
    if (granted === undefined) return undefined;
    const committed = { ...granted, committed: true };
    this.#byKey.set(keyOf(router, granted.ask.identity), committed);
    return committed;
  }

  remove(granted: GrantedReservation): void {
    this.#remove(this.get(granted.router, granted.ask.identity));
  }

  #remove(granted: GrantedReservation | undefined): void {
    if (granted === undefined) return;
    const { router, ask, handle } = granted;
    this.#byKey.delete(keyOf(router, ask.identity));
    this.#keyByHandle.delete(handleOf(router, handle));
    this.#account(granted, -ask.rate);
  }

  #account({ router, rule }: GrantedReservation, rate: number): void {
    const key = usageOf(router, rule);
    const used = (this.#used.get(key) ?? 0) + rate;
    if (used === 0) this.#used.delete(key);
    else this.#used.set(key, used);
  }
}
