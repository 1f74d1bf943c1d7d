/** The queue at the end of a class: what is wanted, how `tc` is told, and whether what was found is that. Pure. */
import { unreachable } from "../../model/errors.js";
import type { Octets } from "../../model/units.js";
import { bestEffortQueue } from "./sizes.js";

/** Disciplines for best effort, chosen by probe. Both others keep one greedy transfer from delaying all the rest. */
export type BestEffortKind = "fq_codel" | "cake" | "bfifo";

export type LeafSpec =
  /** `limit`: octets it holds. */
  | { readonly kind: "bfifo"; readonly limit: Octets }
  | {
      readonly kind: "fq_codel";
      /** Microseconds. */
      readonly target: number;
      readonly interval: number;
      /** Packets. */
      readonly limit: number;
      readonly memory: Octets;
    }
  /** HTB shapes, so cake does not. */
  | { readonly kind: "cake"; readonly memory: Octets };

/** What rtnetlink tells of a queue; fields of other kinds are absent. */
export interface ObservedLeaf {
  readonly kind: string;
  readonly limit?: number;
  readonly target?: number;
  readonly interval?: number;
  readonly memory?: number;
  /** cake: its own shaper, 0 for none; its number of tins' mode. */
  readonly shaper?: number;
  readonly diffserv?: number;
}

/** fq_codel's own default. */
const FQ_CODEL_PACKETS = 10_240;
const TARGET_US = 5000;
/** The part of the interval that stands for the round trip; the default of 100 ms less the default target. */
const ROUND_TRIP_US = 95_000;
const MIN_MEMORY = 4 * 1024 * 1024;
const MAX_MEMORY = 32 * 1024 * 1024;
const CAKE_BEST_EFFORT = 3;

/** Memory is counted with the kernel's own overhead for every packet: several times what is on the wire. */
const memoryOf = (link: number): Octets =>
  Math.min(MAX_MEMORY, Math.max(MIN_MEMORY, 4 * bestEffortQueue(link))) as Octets;

/** @param link octets per second; it decides alone, so that pools that come and go leave the queue as it is. */
export function bestEffortLeaf(kind: BestEffortKind, link: number, frame: number): LeafSpec {
  switch (kind) {
    case "bfifo":
      return { kind, limit: bestEffortQueue(link) };
    case "cake":
      return { kind, memory: memoryOf(link) };
    case "fq_codel": {
      // RFC 8289 §4.4: on a slow link the sending of one frame must not look like a standing queue.
      const target = Math.max(TARGET_US, Math.ceil((1.5 * frame * 1e6) / link));
      return { kind, target, interval: ROUND_TRIP_US + target, limit: FQ_CODEL_PACKETS, memory: memoryOf(link) };
    }
    default:
      return unreachable(kind, "best effort leaf");
  }
}

/** As `tc` takes it. */
export function leafText(spec: LeafSpec): string {
  switch (spec.kind) {
    case "bfifo":
      return `bfifo limit ${spec.limit}b`;
    case "fq_codel":
      return (
        `fq_codel limit ${spec.limit} target ${spec.target}us interval ${spec.interval}us ` +
        `memory_limit ${spec.memory}b`
      );
    case "cake":
      return `cake unlimited besteffort memlimit ${spec.memory}b`;
    default:
      return unreachable(spec, "leaf");
  }
}

/** The kernel keeps these times in units of 1024 ns. */
const sameTime = (wanted: number, found: number | undefined): boolean =>
  found !== undefined && Math.abs(wanted - found) <= 2;

export function leafFits(spec: LeafSpec, found: ObservedLeaf | undefined): boolean {
  if (found === undefined || found.kind !== spec.kind) return false;
  switch (spec.kind) {
    case "bfifo":
      return found.limit === spec.limit;
    case "fq_codel":
      return (
        found.limit === spec.limit &&
        found.memory === spec.memory &&
        sameTime(spec.target, found.target) &&
        sameTime(spec.interval, found.interval)
      );
    case "cake":
      return found.memory === spec.memory && found.shaper === 0 && found.diffserv === CAKE_BEST_EFFORT;
    default:
      return unreachable(spec, "leaf");
  }
}
