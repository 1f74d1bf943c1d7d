/**
 * What end-to-end reservations have of one aggregate, RFC 3175 §2.5, §2.9: together never more than is granted of it. It knows
 * neither clock nor socket, but changes in place. Rates are octets per second at the IP layer.
 */
import type { BytesPerSecond, Octets } from "../../model/units.js";
import type { Flowspec, TokenBucket } from "../codec/objects.js";
import { tokenBucket, UNLIMITED_PEAK } from "../codec/token-bucket.js";
import { bandwidthOf, sumTspecs } from "./flowspec-algebra.js";

/** What a reservation asks for; `id` is that of the node's request. */
export interface ShareRequest {
  readonly id: number;
  readonly flowspec: Flowspec;
}

interface Share {
  admitted?: Flowspec;
  asked?: ShareRequest;
}

/** An answer to a request that waited. */
export interface ShareAnswer {
  readonly key: string;
  readonly id: number;
  readonly admit: boolean;
}

const rateOf = (flowspec: Flowspec | undefined): number => (flowspec === undefined ? 0 : bandwidthOf(flowspec));

export class AggregateShares {
  readonly #shares = new Map<string, Share>();

  get isEmpty(): boolean {
    return this.#shares.size === 0;
  }

  /** Sum of what was admitted. */
  get admitted(): BytesPerSecond {
    return this.#sum(({ admitted }) => rateOf(admitted));
  }

  /** What the aggregate has to have for all that was admitted or is asked for. */
  get needed(): BytesPerSecond {
    return this.#sum(({ admitted, asked }) => Math.max(rateOf(admitted), rateOf(asked?.flowspec)));
  }

  /** The traffic of all of them, for the aggregate's Path. */
  get tspecs(): readonly TokenBucket[] {
    return [...this.#shares.values()].flatMap(({ admitted, asked }) => (asked?.flowspec ?? admitted)?.tspec ?? []);
  }

  /** In place of what the same reservation asked for before; what it has stays until that is answered. */
  ask(key: string, request: ShareRequest): void {
    const share = this.#shares.get(key) ?? {};
    share.asked = request;
    this.#shares.set(key, share);
  }

  /** Nobody wants it any more (§2.9). @returns whether it was there */
  remove(key: string): boolean {
    return this.#shares.delete(key);
  }

  /** Admits what fits, in the order of the reservations: a large one that waits does not hold up a small one. */
  settle(room: BytesPerSecond): readonly ShareAnswer[] {
    const answers: ShareAnswer[] = [];
    let sum: number = this.admitted;
    for (const [key, share] of this.#shares) {
      const { admitted, asked } = share;
      if (asked === undefined) continue;
      const more = rateOf(asked.flowspec) - rateOf(admitted);
      // Less always fits, also where the aggregate has become too small for all.
      if (more > 0 && sum + more > room) continue;
      sum += more;
      this.#shares.set(key, { admitted: asked.flowspec });
      answers.push({ key, id: asked.id, admit: true });
    }
    return answers;
  }

  get isWaiting(): boolean {
    return [...this.#shares.values()].some(({ asked }) => asked !== undefined);
  }

  /** What still waits has no room, or only that of one reservation; what was admitted before stays. */
  refuse(only?: string): readonly ShareAnswer[] {
    const answers: ShareAnswer[] = [];
    for (const [key, { admitted, asked }] of [...this.#shares]) {
      if (asked === undefined || (only !== undefined && key !== only)) continue;
      if (admitted === undefined) this.#shares.delete(key);
      else this.#shares.set(key, { admitted });
      answers.push({ key, id: asked.id, admit: false });
    }
    return answers;
  }

  /** §2.10: the aggregate has become smaller, and the youngest reservations make up for it. @returns their keys */
  shrink(room: BytesPerSecond): readonly string[] {
    const lost: string[] = [];
    let sum: number = this.admitted;
    for (const [key, { admitted }] of [...this.#shares].toReversed()) {
      if (sum <= room) break;
      if (admitted === undefined) continue;
      sum -= rateOf(admitted);
      this.#shares.delete(key);
      lost.push(key);
    }
    return lost;
  }

  /** Summed anew: floats that come and go would drift. */
  #sum(of: (share: Share) => number): BytesPerSecond {
    let sum = 0;
    for (const share of this.#shares.values()) sum += of(share);
    return sum as BytesPerSecond;
  }
}

/** What a Path can say at least of a rate, and at most of a bucket (RFC 2210 §3.1). */
const LEAST_RATE = 1;
const LARGEST_BUCKET = Math.fround(250e9);

/**
 * The traffic specification of an aggregate's Path (§2.4): of all its flows together, in blocks so that not every flow
 * changes it (§1.4.4).
 * @param tspecs - of its flows, at least one
 * @param block - the rate is a multiple of it, but for the ceiling
 */
export function aggregateTspec(
  tspecs: readonly TokenBucket[],
  rate: BytesPerSecond,
  { block, ceiling }: { readonly block: BytesPerSecond; readonly ceiling: BytesPerSecond },
): TokenBucket {
  const { bucket, minPoliced, maxPacket } = tspecs.reduce(sumTspecs);
  const size = Math.min(ceiling, Math.max(LEAST_RATE, Math.ceil(rate / block) * block));
  const burst = Math.min(LARGEST_BUCKET, bucket) as Octets;
  return tokenBucket({ rate: size as BytesPerSecond, bucket: burst, peak: UNLIMITED_PEAK, minPoliced, maxPacket });
}
