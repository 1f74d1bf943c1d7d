/** What has to be told to tc so that an interface's tree becomes what is wanted, in place. Pure. */
import type { ObservedEdge } from "../dsmark/edge.js";
import { leafFits, leafText } from "./leaf.js";
import type { ObservedHtbClass, ObservedQdisc } from "./observed.js";
import { CLASS, type ClassSpec } from "./tree.js";

/** A tree as it was found: ours, or nothing yet. */
export interface ObservedTree {
  /** False if the interface has no root of ours. */
  readonly present: boolean;
  readonly classes: readonly ObservedHtbClass[];
  /** Qdiscs on the classes. */
  readonly leaves: readonly ObservedQdisc[];
  /** The DSMARK that it stands in; absent: it stands at the root. */
  readonly edge?: ObservedEdge;
}

export const NO_TREE: ObservedTree = { present: false, classes: [], leaves: [] };

export const ROOT_MAJOR = 1;
const TICK_NANOSECONDS = 64;
const TC_ROOT = 0xffffffff;
const HTB_LEVELS = 8;

export const classHandle = (minor: number): number => ((ROOT_MAJOR << 16) | minor) >>> 0;
export const minorOf = (handle: number): number => handle & 0xffff;
export const ROOT_HANDLE = classHandle(0);

const classId = (minor: number): string => `${ROOT_MAJOR}:${minor === 0 ? "" : minor.toString(16)}`;

/** Time to send a burst at a rate, as HTB keeps it. */
export const ticksOf = (burst: number, rate: number): number => (burst / rate) * (1e9 / TICK_NANOSECONDS);

/** tc computes the ticks in whole microseconds. */
function burstFits(burst: number, rate: number, found: number): boolean {
  const ticks = ticksOf(burst, rate);
  return Math.abs(found - ticks) <= 32 + ticks / 100;
}

function classFits(spec: ClassSpec, found: ObservedHtbClass): boolean {
  return (
    found.rate === spec.rate &&
    found.ceil === spec.ceil &&
    found.overhead === spec.overhead &&
    found.mpu === spec.mpu &&
    found.layer === spec.layer &&
    found.prio === spec.prio &&
    found.quantum === spec.quantum &&
    burstFits(spec.burst, spec.rate, found.burstTicks) &&
    burstFits(spec.ceilBurst, spec.ceil, found.ceilBurstTicks)
  );
}

const parentFits = (spec: ClassSpec, found: ObservedHtbClass): boolean =>
  found.parent === (spec.parent === 0 ? TC_ROOT : classHandle(spec.parent));

/** tc takes overhead, mpu and link layer for rate and ceiling alike. */
function accountingText({ overhead, mpu, layer }: ClassSpec): string {
  return [
    overhead > 0 ? ` overhead ${overhead}` : "",
    mpu > 0 ? ` mpu ${mpu}` : "",
    layer === "ethernet" ? "" : ` linklayer ${layer}`,
  ].join("");
}

const classCommand = (verb: "add" | "change", device: string, spec: ClassSpec): string =>
  `class ${verb} dev ${device} parent ${classId(spec.parent)} classid ${classId(spec.minor)} htb ` +
  `rate ${spec.rate}bps${accountingText(spec)} ceil ${spec.ceil}bps burst ${spec.burst}b cburst ${spec.ceilBurst}b ` +
  `prio ${spec.prio} quantum ${spec.quantum}`;

const rootCommand = (device: string, signature: number, place: string): string =>
  `qdisc add dev ${device} ${place} handle ${ROOT_MAJOR}: htb default ${CLASS.default.toString(16)} r2q ${signature}`;

/**
 * Lines for `tc -batch`; empty if nothing is to be done. What is under our root and not wanted goes.
 * @param place of the tree, in the words of tc
 */
export function treeCommands(
  device: string,
  signature: number,
  wanted: readonly ClassSpec[],
  tree: ObservedTree,
  place = "root",
): readonly string[] {
  const commands = tree.present ? [] : [rootCommand(device, signature, place)];
  const found = new Map(tree.classes.map((entry) => [entry.handle, entry]));
  const leaves = new Map(tree.leaves.map((leaf) => [leaf.parent, leaf]));
  for (const handle of surplus(wanted, tree)) {
    commands.push(`class del dev ${device} classid ${classId(minorOf(handle))}`);
    found.delete(handle);
    leaves.delete(handle);
  }
  for (const spec of wanted) {
    const handle = classHandle(spec.minor);
    const present = found.get(handle);
    if (present === undefined) commands.push(classCommand("add", device, spec));
    else if (!classFits(spec, present)) commands.push(classCommand("change", device, spec));
    if (spec.leaf !== undefined && !leafFits(spec.leaf, leaves.get(handle)))
      commands.push(`qdisc replace dev ${device} parent ${classId(spec.minor)} ${leafText(spec.leaf)}`);
  }
  return commands;
}

/**
 * Handles of classes that nobody wants or that hang in the wrong place, and of all below them; children first, for the
 * kernel deletes no class that has any.
 */
function surplus(wanted: readonly ClassSpec[], tree: ObservedTree): readonly number[] {
  const specs = new Map(wanted.map((spec) => [classHandle(spec.minor), spec]));
  const parents = new Map(tree.classes.map((entry) => [entry.handle, entry.parent]));
  const depthOf = (handle: number): number => {
    let depth = 0;
    for (let at = parents.get(handle); at !== undefined && depth < HTB_LEVELS; at = parents.get(at)) depth += 1;
    return depth;
  };
  const downwards = tree.classes
    .map((entry) => ({ entry, depth: depthOf(entry.handle) }))
    .sort((left, right) => left.depth - right.depth);
  const gone = new Set<number>();
  for (const { entry } of downwards) {
    const spec = specs.get(entry.handle);
    if (spec === undefined || !parentFits(spec, entry) || gone.has(entry.parent)) gone.add(entry.handle);
  }
  return [...gone].reverse();
}
