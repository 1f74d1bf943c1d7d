/** Answers the node's requests: whether a reservation fits into the room of its interface, and for transit a class that keeps it. */
import { createHash } from "node:crypto";
import { SluiceError } from "../../../model/errors.js";
import type { IpAddress } from "../../../model/ip.js";
import type { Logger } from "../../../model/log.js";
import type { BitsPerSecond, Octets } from "../../../model/units.js";
import { ADMISSION, RSVP_ERROR } from "../../../rsvp/codec/codes.js";
import type { ErrorAnswer } from "../../../rsvp/codec/errors.js";
import { sessionKey } from "../../../rsvp/codec/keys.js";
import type { NodeAction, NodeEvent } from "../../../rsvp/machine/events.js";
import { bandwidthOf } from "../../../rsvp/machine/flowspec-algebra.js";
import { type ReservationRef, refKey } from "../../../rsvp/machine/keys.js";
import { RESERVED_PREFIX } from "./reserved-pools.js";
import { linkRateOf } from "./sizes.js";

/** Pools of the kernel by name; rates at layer 2. */
export interface TransitClasses {
  reserve(name: string, rate: BitsPerSecond): Promise<void>;
  release(name: string): Promise<void>;
}

export interface TrafficControlOptions {
  /** What reservations may take of each interface together, layer 3. */
  readonly rooms: ReadonlyMap<string, BitsPerSecond>;
  readonly classes: TransitClasses;
  /** Octets that a packet has on the links beyond layer 3. */
  readonly linkOverhead: Octets;
  /** Own addresses: at the end of an aggregate its class is the pool that the policy server rules. */
  readonly isOwn: (address: IpAddress) => boolean;
  readonly log: Logger;
  readonly tell: (event: NodeEvent) => void;
}

type Request = Extract<NodeAction, { do: "reserve" }>;

interface Holding {
  readonly interface: string;
  /** Layer 3. */
  readonly rate: number;
  /** Of the class, if it has one. */
  readonly name?: string;
}

/** What a pool's name may take in the kernel. */
const MAX_NAME = 80;

const NO_BANDWIDTH: ErrorAnswer = { code: RSVP_ERROR.admission, value: ADMISSION.bandwidth };
const SYSTEM_ERROR: ErrorAnswer = { code: RSVP_ERROR.trafficControlSystem, value: 0 };

export class TrafficControl {
  readonly #options: TrafficControlOptions;
  readonly #held = new Map<string, Holding>();

  constructor(options: TrafficControlOptions) {
    this.#options = options;
  }

  /** What reservations take of an interface, layer 3. */
  reserved(name: string): BitsPerSecond {
    return Math.ceil(this.#used(name)) as BitsPerSecond;
  }

  /** The answer comes as an event, when the kernel has it. */
  reserve({ ref, id, flowspec, filters }: Request): void {
    const key = refKey(ref);
    const before = this.#held.get(key);
    const rate = bandwidthOf(flowspec) * 8;
    const room = this.#options.rooms.get(ref.interface) ?? 0;
    const others = this.#used(ref.interface) - (before?.rate ?? 0);
    if (rate > (before?.rate ?? 0) && others + rate > room) {
      this.#answer(ref, id, NO_BANDWIDTH);
      return;
    }
    const isTransit = !filters.some(({ address }) => this.#options.isOwn(address));
    const holding = { interface: ref.interface, rate, ...(isTransit ? { name: nameOf(ref) } : {}) };
    this.#held.set(key, holding);
    if (holding.name === undefined) this.#answer(ref, id);
    else void this.#makeClass(ref, id, linkRateOf(flowspec, this.#options.linkOverhead), before);
  }

  release(ref: ReservationRef): void {
    const key = refKey(ref);
    const name = this.#held.get(key)?.name;
    this.#held.delete(key);
    if (name !== undefined) {
      this.#options.classes.release(name).catch((error: unknown) => {
        this.#options.log.error("rsvp.class-not-removed", { pool: name, error });
      });
    }
  }

  /** Summed anew: floats that come and go would drift. */
  #used(name: string): number {
    let sum = 0;
    for (const holding of this.#held.values()) if (holding.interface === name) sum += holding.rate;
    return sum;
  }

  async #makeClass(ref: ReservationRef, id: number, rate: BitsPerSecond, before: Holding | undefined): Promise<void> {
    const key = refKey(ref);
    const holding = this.#held.get(key);
    const name = nameOf(ref);
    try {
      await this.#options.classes.reserve(name, rate);
      this.#answer(ref, id);
    } catch (error) {
      this.#options.log.error("rsvp.class-refused", { pool: name, rate, error });
      if (!(error instanceof SluiceError)) throw error;
      // A later request may have taken its place in the meantime.
      if (this.#held.get(key) === holding) {
        if (before === undefined) this.#held.delete(key);
        else this.#held.set(key, before);
      }
      this.#answer(ref, id, SYSTEM_ERROR);
    }
  }

  #answer(ref: ReservationRef, id: number, error?: ErrorAnswer): void {
    const verdict = error === undefined ? ({ admit: true } as const) : ({ admit: false, error } as const);
    this.#options.tell({ type: "admission", ref, id, verdict });
  }
}

/** Of interface, session and sender, the same after a restart. */
export function nameOf({ session, interface: name, flow }: ReservationRef): string {
  const text = `${name}-${sessionKey(session)}-${flow}`.replaceAll(" ", "-");
  if (encodeURIComponent(RESERVED_PREFIX + text).length <= MAX_NAME) return RESERVED_PREFIX + text;
  return RESERVED_PREFIX + createHash("sha256").update(text).digest("hex").slice(0, 32);
}
