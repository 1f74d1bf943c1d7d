/** Answers the node's requests: whether a reservation fits into the room of its interface, and for transit a share of a class that keeps it. */
import { SluiceError } from "../../../model/errors.js";
import type { IpAddress } from "../../../model/ip.js";
import type { Logger } from "../../../model/log.js";
import type { BitsPerSecond, Octets } from "../../../model/units.js";
import { ADMISSION, RSVP_ERROR, TRAFFIC_CONTROL } from "../../../rsvp/codec/codes.js";
import type { ErrorAnswer } from "../../../rsvp/codec/errors.js";
import type { NodeAction, NodeEvent } from "../../../rsvp/machine/events.js";
import { bandwidthOf } from "../../../rsvp/machine/flowspec-algebra.js";
import { type ReservationRef, refKey } from "../../../rsvp/machine/keys.js";
import { ClassSums, type Share, type TransitClasses } from "./class-sums.js";
import { linkRateOf } from "./sizes.js";
import { shareOf } from "./transit-share.js";

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
  /** Of a class, unless it ends here. */
  readonly share?: Share;
}

interface Place {
  now: Holding;
  /** The last that was admitted: what is left where a change fails. */
  admitted: Holding | undefined;
}

const NO_BANDWIDTH: ErrorAnswer = { code: RSVP_ERROR.admission, value: ADMISSION.bandwidth };
/** RFC 2205 §B: there is no way to tell its packets from others. */
const UNSUPPORTED: ErrorAnswer = { code: RSVP_ERROR.trafficControl, value: TRAFFIC_CONTROL.serviceUnsupported };
const SYSTEM_ERROR: ErrorAnswer = { code: RSVP_ERROR.trafficControlSystem, value: 0 };

export class TrafficControl {
  readonly #options: TrafficControlOptions;
  readonly #places = new Map<string, Place>();
  readonly #sums: ClassSums;

  constructor(options: TrafficControlOptions) {
    this.#options = options;
    this.#sums = new ClassSums(options.classes, (name) => this.#sharesOf(name));
  }

  /** What reservations take of an interface, layer 3. */
  reserved(name: string): BitsPerSecond {
    return Math.ceil(this.#used(name)) as BitsPerSecond;
  }

  /** The answer comes as an event, when the kernel has it. */
  reserve({ ref, id, flowspec, filters }: Request): void {
    const { rooms, isOwn, linkOverhead } = this.#options;
    const key = refKey(ref);
    const place = this.#places.get(key);
    const rate = bandwidthOf(flowspec) * 8;
    const before = place?.now;
    const others = this.#used(ref.interface) - (before?.rate ?? 0);
    if (rate > (before?.rate ?? 0) && others + rate > (rooms.get(ref.interface) ?? 0)) {
      this.#answer(ref, id, NO_BANDWIDTH);
      return;
    }
    const isTransit = !filters.some(({ address }) => isOwn(address));
    const found = isTransit ? shareOf(ref, filters) : undefined;
    if (isTransit && found === undefined) {
      this.#answer(ref, id, UNSUPPORTED);
      return;
    }
    const share = found && { ...found, rate: linkRateOf(flowspec, linkOverhead) };
    const holding: Holding = { interface: ref.interface, rate, ...(share === undefined ? {} : { share }) };
    const admitted = place?.admitted;
    this.#places.set(key, { now: holding, admitted });
    if (share !== undefined && !isWithin(share, admitted?.share)) {
      void this.#raise(ref, id, holding, share.name);
      return;
    }
    this.#admit(ref, id, holding);
    this.#lower(share, before?.share, admitted?.share);
  }

  release(ref: ReservationRef): void {
    const key = refKey(ref);
    const place = this.#places.get(key);
    this.#places.delete(key);
    this.#lower(place?.now.share, place?.admitted?.share);
  }

  /** Summed anew: floats that come and go would drift. */
  #used(name: string): number {
    let sum = 0;
    for (const { now } of this.#places.values()) if (now.interface === name) sum += now.rate;
    return sum;
  }

  /** Of every reservation what is asked for; while that is of another class, also what it has in this one. */
  #sharesOf(name: string): readonly Share[] {
    const shares: Share[] = [];
    for (const { now, admitted } of this.#places.values()) {
      if (now.share?.name === name) shares.push(now.share);
      else if (admitted?.share?.name === name) shares.push(admitted.share);
    }
    return shares;
  }

  /** A later request may have taken its place in the meantime: then this answer is read by nobody. */
  #admit(ref: ReservationRef, id: number, holding: Holding): void {
    const place = this.#places.get(refKey(ref));
    if (place?.now === holding) place.admitted = holding;
    this.#answer(ref, id);
  }

  async #raise(ref: ReservationRef, id: number, holding: Holding, name: string): Promise<void> {
    try {
      await this.#sums.settle(name);
    } catch (error) {
      this.#options.log.error("rsvp.class-refused", { pool: name, error });
      if (!(error instanceof SluiceError)) throw error;
      this.#takeBack(ref, holding);
      this.#answer(ref, id, SYSTEM_ERROR);
      return;
    }
    const left = this.#places.get(refKey(ref))?.admitted?.share;
    this.#admit(ref, id, holding);
    if (left?.name !== name) this.#lower(left);
  }

  #takeBack(ref: ReservationRef, holding: Holding): void {
    const key = refKey(ref);
    const place = this.#places.get(key);
    if (place?.now !== holding) return;
    if (place.admitted === undefined) this.#places.delete(key);
    else place.now = place.admitted;
    // Another of the class may have been set with this one in it.
    this.#lower(holding.share);
  }

  #lower(...shares: readonly (Share | undefined)[]): void {
    for (const name of new Set(shares.flatMap((share) => share?.name ?? []))) {
      this.#sums.settle(name).catch((error: unknown) => {
        this.#options.log.error("rsvp.class-not-lowered", { pool: name, error });
      });
    }
  }

  #answer(ref: ReservationRef, id: number, error?: ErrorAnswer): void {
    const verdict = error === undefined ? ({ admit: true } as const) : ({ admit: false, error } as const);
    this.#options.tell({ type: "admission", ref, id, verdict });
  }
}

/** Whether the kernel has all of it already. */
const isWithin = (share: Share, admitted: Share | undefined): boolean =>
  admitted?.name === share.name &&
  share.rate <= admitted.rate &&
  JSON.stringify(share.carries) === JSON.stringify(admitted.carries);
