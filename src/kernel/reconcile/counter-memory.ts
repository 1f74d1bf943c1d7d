/**
 * What every flow had counted when it was last looked at. Somebody else may take our flows away, or set their counters
 * back; what a session used must not grow smaller by that. 48 octets and a map entry for each flow.
 */
import type { Octets } from "../../model/units.js";
import { addFlowCounters, type Counter, type FlowCounters, ZERO_FLOW_COUNTERS } from "../../model/usage.js";
import type { FlowId } from "../port.js";

/** Two counters of two figures, and the moment. */
const WIDTH = 5;
const FIRST_ROWS = 64;

/** Says when a question was put to the kernel: an answer to an older question than the last is old news. */
export type Moment = number;

const less = (left: Counter, right: Counter): Counter => ({
  packets: Math.max(0, left.packets - right.packets),
  octets: Math.max(0, left.octets - right.octets) as Octets,
});

const isZero = ({ packets, octets }: Counter): boolean => packets === 0 && octets === 0;
const nothing = ({ inProfile, outOfProfile }: FlowCounters): boolean => isZero(inProfile) && isZero(outOfProfile);

/** By how much `total` is more than `part`. */
const missing = (total: FlowCounters, part: FlowCounters): FlowCounters => ({
  inProfile: less(total.inProfile, part.inProfile),
  outOfProfile: less(total.outOfProfile, part.outOfProfile),
});

export class CounterMemory {
  #table = new Float64Array(WIDTH * FIRST_ROWS);
  readonly #rows = new Map<FlowId, number>();
  readonly #free: number[] = [];
  #used = 0;
  #now: Moment = 0;
  /** What the kernel no longer knows of: few flows, and mostly none. */
  readonly #beyond = new Map<FlowId, FlowCounters>();

  get size(): number {
    return this.#rows.size;
  }

  /** To be taken before the kernel is asked. */
  moment(): Moment {
    return ++this.#now;
  }

  /** What the flow has counted in all, as far as is known. */
  last(id: FlowId): FlowCounters | undefined {
    const row = this.#rows.get(id);
    if (row === undefined) return undefined;
    const at = row * WIDTH;
    return { inProfile: this.#counterAt(at), outOfProfile: this.#counterAt(at + 2) };
  }

  /**
   * The kernel's answer to a question put at `asked`. Gives the total, which is never less than it was: a kernel counter that
   * went back was set back by somebody, and counts on from there.
   */
  note(id: FlowId, counted: FlowCounters, asked: Moment): FlowCounters {
    const last = this.last(id);
    if (last !== undefined && this.#notedAt(id) > asked) return last;
    const total = addFlowCounters(counted, this.#beyond.get(id) ?? ZERO_FLOW_COUNTERS);
    const lost = last === undefined ? ZERO_FLOW_COUNTERS : missing(last, total);
    if (nothing(lost)) return this.#write(id, total);
    this.#beyond.set(id, addFlowCounters(this.#beyond.get(id) ?? ZERO_FLOW_COUNTERS, lost));
    return this.#write(id, addFlowCounters(total, lost));
  }

  /** What the kernel said in removing the flow, or in replacing it: nothing is counted on that. Gives the total. */
  final(id: FlowId, counted: FlowCounters): FlowCounters {
    const total = addFlowCounters(counted, this.#beyond.get(id) ?? ZERO_FLOW_COUNTERS);
    return addFlowCounters(total, missing(this.last(id) ?? ZERO_FLOW_COUNTERS, total));
  }

  /** The flow was made anew in the kernel, and counts from `start` there; `total` is what it has counted in all. */
  restarted(id: FlowId, start: FlowCounters, total: FlowCounters): void {
    const beyond = missing(total, start);
    if (nothing(beyond)) this.#beyond.delete(id);
    else this.#beyond.set(id, beyond);
    this.#write(id, total);
  }

  forget(id: FlowId): void {
    this.#beyond.delete(id);
    const row = this.#rows.get(id);
    if (row === undefined) return;
    this.#rows.delete(id);
    this.#free.push(row);
  }

  #counterAt(at: number): Counter {
    return { packets: this.#table[at] ?? 0, octets: (this.#table[at + 1] ?? 0) as Octets };
  }

  #notedAt(id: FlowId): Moment {
    const row = this.#rows.get(id);
    return row === undefined ? 0 : (this.#table[row * WIDTH + 4] ?? 0);
  }

  #write(id: FlowId, total: FlowCounters): FlowCounters {
    const row = this.#rows.get(id) ?? this.#takeRow(id);
    const { inProfile, outOfProfile } = total;
    this.#table.set(
      [inProfile.packets, inProfile.octets, outOfProfile.packets, outOfProfile.octets, ++this.#now],
      row * WIDTH,
    );
    return total;
  }

  #takeRow(id: FlowId): number {
    const row = this.#free.pop() ?? this.#used++;
    if (row * WIDTH >= this.#table.length) {
      const larger = new Float64Array(this.#table.length * 2);
      larger.set(this.#table);
      this.#table = larger;
    }
    this.#rows.set(id, row);
    return row;
  }
}
