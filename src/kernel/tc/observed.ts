/** What rtnetlink tells of qdiscs and classes (linux/pkt_sched.h). `tc` rounds rates when it prints them, so it is not asked. Pure. */
import type { BytesPerSecond, Octets } from "../../model/units.js";
import { type DsmarkOptions, readDsmark } from "../dsmark/observed.js";
import {
  type Attribute,
  findAttribute,
  hostI32,
  hostU16,
  hostU32,
  hostU64,
  readAttributes,
  sized,
  textOf,
} from "../netlink/octets.js";
import type { ObservedLeaf } from "./leaf.js";
import type { CellLayer } from "./tree.js";

const TC_HEADER = 20;
const TCA = { kind: 1, options: 2, stats2: 7 } as const;
const HTB = { params: 1, init: 2, rate64: 6, ceil64: 7 } as const;
const FQ_CODEL = { target: 1, limit: 2, interval: 3, memory: 9 } as const;
const CAKE = { shaper: 2, diffserv: 3, memory: 10 } as const;
const LINK_LAYER_MASK = 0x0f;
const LINK_LAYERS: ReadonlyMap<number, CellLayer> = new Map([
  [1, "ethernet"],
  [2, "atm"],
]);
const STATS = { basic: 1, queue: 3, packets64: 8 } as const;
export const TC_ROOT = 0xffffffff;

export interface ObservedQdisc extends ObservedLeaf {
  readonly interfaceIndex: number;
  readonly handle: number;
  readonly parent: number;
  /** htb: its r2q and its default class. */
  readonly htb?: { readonly r2q: number; readonly defaultClass: number };
  readonly dsmark?: DsmarkOptions;
}

export interface ObservedHtbClass {
  readonly handle: number;
  readonly parent: number;
  readonly rate: BytesPerSecond;
  readonly ceil: BytesPerSecond;
  readonly overhead: number;
  readonly mpu: number;
  readonly layer: CellLayer | "unknown";
  /** Time to send the burst at the rate, in ticks of 64 ns. */
  readonly burstTicks: number;
  readonly ceilBurstTicks: number;
  readonly quantum: number;
  readonly prio: number;
  readonly packets: number;
  readonly octets: Octets;
  readonly dropped: number;
  readonly backlog: Octets;
}

interface TcObject {
  readonly interfaceIndex: number;
  readonly handle: number;
  readonly parent: number;
  readonly kind: string;
  readonly options: Buffer;
  readonly attributes: readonly Attribute[];
}

function readObject(body: Buffer, object: string): TcObject {
  sized(body, TC_HEADER, object);
  const attributes = readAttributes(body.subarray(TC_HEADER), object);
  return {
    interfaceIndex: hostI32(body, 4),
    handle: hostU32(body, 8),
    parent: hostU32(body, 12),
    kind: textOf(findAttribute(attributes, TCA.kind) ?? Buffer.alloc(0)),
    options: findAttribute(attributes, TCA.options) ?? Buffer.alloc(0),
    attributes,
  };
}

/** @throws DecodeError for octets that are no qdisc. */
export function readQdisc(body: Buffer): ObservedQdisc {
  const { interfaceIndex, handle, parent, kind, options } = readObject(body, "qdisc");
  const common = { interfaceIndex, kind, handle, parent };
  const number = (attributes: readonly Attribute[], type: number): number => {
    const value = findAttribute(attributes, type);
    return value === undefined ? 0 : hostU32(sized(value, 4, kind), 0);
  };
  switch (kind) {
    case "bfifo":
      return options.length < 4 ? common : { ...common, limit: hostU32(options, 0) };
    case "fq_codel": {
      const read = number.bind(undefined, readAttributes(options, kind));
      const { target, limit, interval, memory } = FQ_CODEL;
      return { ...common, target: read(target), limit: read(limit), interval: read(interval), memory: read(memory) };
    }
    case "cake": {
      const attributes = readAttributes(options, kind);
      const rate = findAttribute(attributes, CAKE.shaper);
      const shaper = rate === undefined ? 0 : hostU64(sized(rate, 8, kind), 0);
      const read = number.bind(undefined, attributes);
      return { ...common, shaper, diffserv: read(CAKE.diffserv), memory: read(CAKE.memory) };
    }
    case "dsmark":
      return { ...common, dsmark: readDsmark(options) };
    case "htb": {
      const init = findAttribute(readAttributes(options, kind), HTB.init);
      if (init === undefined) return common;
      sized(init, 12, "htb init");
      return { ...common, htb: { r2q: hostU32(init, 4), defaultClass: hostU32(init, 8) } };
    }
    default:
      return common;
  }
}

/** Undefined for a class that is not HTB's. */
export function readHtbClass(body: Buffer): ObservedHtbClass | undefined {
  const { handle, parent, kind, options, attributes } = readObject(body, "class");
  if (kind !== "htb") return undefined;
  const htb = readAttributes(options, "htb class");
  const params = sized(findAttribute(htb, HTB.params) ?? Buffer.alloc(0), 44, "htb parameters");
  // struct tc_htb_opt: rate and ceil of 12 octets each (link layer at 1, overhead at 2, mpu at 6, rate at 8), buffer, cbuffer, quantum, level, prio.
  const wide = (type: number, narrow: number): BytesPerSecond => {
    const value = findAttribute(htb, type);
    return (value === undefined ? narrow : hostU64(sized(value, 8, "htb rate"), 0)) as BytesPerSecond;
  };
  return {
    handle,
    parent,
    rate: wide(HTB.rate64, hostU32(params, 8)),
    ceil: wide(HTB.ceil64, hostU32(params, 20)),
    overhead: hostU16(params, 2),
    mpu: hostU16(params, 6),
    layer: LINK_LAYERS.get(params.readUInt8(1) & LINK_LAYER_MASK) ?? "unknown",
    burstTicks: hostU32(params, 24),
    ceilBurstTicks: hostU32(params, 28),
    quantum: hostU32(params, 32),
    prio: hostU32(params, 40),
    ...readStatistics(attributes),
  };
}

function readStatistics(
  attributes: readonly Attribute[],
): Pick<ObservedHtbClass, "packets" | "octets" | "dropped" | "backlog"> {
  const stats = readAttributes(findAttribute(attributes, TCA.stats2) ?? Buffer.alloc(0), "class statistics");
  const basic = sized(findAttribute(stats, STATS.basic) ?? Buffer.alloc(12), 12, "basic statistics");
  const queue = sized(findAttribute(stats, STATS.queue) ?? Buffer.alloc(20), 20, "queue statistics");
  const packets64 = findAttribute(stats, STATS.packets64);
  return {
    octets: hostU64(basic, 0) as Octets,
    packets: packets64 === undefined ? hostU32(basic, 8) : hostU64(sized(packets64, 8, "packets"), 0),
    backlog: hostU32(queue, 4) as Octets,
    dropped: hostU32(queue, 8),
  };
}
