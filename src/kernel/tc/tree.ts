/**
 * The HTB tree of an interface, wanted: link, signalling, pools, and a default class that takes what is left. Pure.
 *
 *     1: ── 1:1 link ─┬─ 1:2      signalling   prio 1
 *                     ├─ 1:11...  pools        prio 0: a burst of signalling must not delay media
 *                     └─ 1:ffff   default      prio 7
 */
import { createHash } from "node:crypto";
import { type BytesPerSecond, bytesPerSecond, type Octets, toBytesPerSecond } from "../../model/units.js";
import type { ManagedInterface, PoolClass, PoolId } from "../port.js";

/** Minor numbers. */
export const CLASS = { link: 1, signalling: 2, firstPool: 0x10, default: 0xffff } as const;

export const minorOfPool = (pool: PoolId): number => pool + CLASS.firstPool;

/** Undefined for a class that is no pool's. */
export function poolOfMinor(minor: number): PoolId | undefined {
  return minor > CLASS.firstPool && minor < CLASS.default ? minor - CLASS.firstPool : undefined;
}

/**
 * The root's `r2q` is our signature: it has no effect when every class names its quantum, and nobody
 * chooses such a number. It depends on the table's name, so that two Sluices know their trees apart.
 */
export const signatureOf = (table: string): number =>
  (0x53000000 | createHash("sha256").update(table).digest().readUIntBE(0, 3)) >>> 0;

export interface ClassSpec {
  readonly minor: number;
  /** Minor of the parent class; 0 is the root. */
  readonly parent: number;
  readonly rate: BytesPerSecond;
  readonly ceil: BytesPerSecond;
  readonly burst: Octets;
  readonly ceilBurst: Octets;
  readonly prio: number;
  readonly overhead: Octets;
  /** Octets that the class's bfifo holds; absent for the inner class. */
  readonly leafLimit?: Octets;
}

/** One full Ethernet frame. */
export const QUANTUM = 1514;

const LINK_BURST = 3072;
const POOL_BURST = 4096;
const SIGNALLING_LEAF = 32_768 as Octets;
/** 51 ms at 10 Mbit/s. */
const DEFAULT_LEAF = 65_536 as Octets;
const POOL_LEAF_FLOOR = 20_480;
/** Octets per second; below it HTB cannot count its burst. A pool of rate 0 guarantees this little. */
const MIN_RATE = 64;

const guaranteed = (rate: BytesPerSecond): BytesPerSecond => bytesPerSecond(Math.max(MIN_RATE, rate));

/** A burst covers what a timer that fires a millisecond late would miss. */
const burstOf = (rate: number, floor: number): Octets => Math.max(floor, Math.ceil(rate / 1000)) as Octets;

/** 100 ms of the pool's rate: longer queued, a packet of a call is worthless. */
const poolLeaf = (rate: number): Octets => Math.max(POOL_LEAF_FLOOR, Math.ceil(rate / 10)) as Octets;

/** What neither signalling nor pools have been promised; never nothing, so that best effort cannot starve. */
function leftOver(link: number, promised: number): BytesPerSecond {
  return bytesPerSecond(Math.max(1000, Math.ceil(link / 100), link - promised));
}

/** Parents before children. */
export function classesOf(link: ManagedInterface, pools: Iterable<PoolClass>): readonly ClassSpec[] {
  const ceil = toBytesPerSecond(link.rate);
  const signalling = guaranteed(toBytesPerSecond(link.signallingRate));
  const common = { parent: CLASS.link, ceil, overhead: link.overhead };
  const pooled = [...pools].map((pool): ClassSpec => {
    // A pool larger than the link cannot have a ceiling below its rate.
    const rate = guaranteed(toBytesPerSecond(pool.rate));
    const most = bytesPerSecond(Math.max(ceil, rate));
    const bursts = { burst: burstOf(rate, POOL_BURST), ceilBurst: burstOf(most, POOL_BURST) };
    return { ...common, ceil: most, minor: minorOfPool(pool.id), rate, ...bursts, prio: 0, leafLimit: poolLeaf(rate) };
  });
  const promised = pooled.reduce((sum, spec) => sum + spec.rate, signalling as number);
  const rest = leftOver(ceil, promised);
  const ceilBurst = burstOf(ceil, LINK_BURST);
  const unpooled = (rate: BytesPerSecond) => ({ ...common, rate, burst: burstOf(rate, LINK_BURST), ceilBurst });
  return [
    { ...unpooled(ceil), minor: CLASS.link, parent: 0, prio: 0 },
    { ...unpooled(signalling), minor: CLASS.signalling, prio: 1, leafLimit: SIGNALLING_LEAF },
    ...pooled.sort((left, right) => left.minor - right.minor),
    { ...unpooled(rest), minor: CLASS.default, prio: 7, leafLimit: DEFAULT_LEAF },
  ];
}
