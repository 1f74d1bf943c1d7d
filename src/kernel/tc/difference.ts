/** What has to be told to tc so that an interface's tree becomes what is wanted, in place. Pure. */
import type { ObservedHtbClass, ObservedQdisc } from "./observed.js";
import { CLASS, type ClassSpec, QUANTUM } from "./tree.js";

/** A tree as it was found: ours, or nothing yet. */
export interface ObservedTree {
  /** False if the interface has no root of ours. */
  readonly present: boolean;
  readonly classes: readonly ObservedHtbClass[];
  /** Qdiscs on the classes. */
  readonly leaves: readonly ObservedQdisc[];
}

export const NO_TREE: ObservedTree = { present: false, classes: [], leaves: [] };

const ROOT_MAJOR = 1;
const TICK_NANOSECONDS = 64;
const TC_ROOT = 0xffffffff;

export const classHandle = (minor: number): number => ((ROOT_MAJOR << 16) | minor) >>> 0;
export const minorOf = (handle: number): number => handle & 0xffff;
export const ROOT_HANDLE = classHandle(0);

const classId = (minor: number): string => `${ROOT_MAJOR}:${minor === 0 ? "" : minor.toString(16)}`;

/** tc computes the ticks in whole microseconds. */
function burstFits(burst: number, rate: number, found: number): boolean {
  const ticks = (burst / rate) * (1e9 / TICK_NANOSECONDS);
  return Math.abs(found - ticks) <= 32 + ticks / 100;
}

function classFits(spec: ClassSpec, found: ObservedHtbClass): boolean {
  return (
    found.rate === spec.rate &&
    found.ceil === spec.ceil &&
    found.overhead === spec.overhead &&
    found.prio === spec.prio &&
    found.quantum === QUANTUM &&
    burstFits(spec.burst, spec.rate, found.burstTicks) &&
    burstFits(spec.ceilBurst, spec.ceil, found.ceilBurstTicks)
  );
}

const parentFits = (spec: ClassSpec, found: ObservedHtbClass): boolean =>
  found.parent === (spec.parent === 0 ? TC_ROOT : classHandle(spec.parent));

function classCommand(verb: "add" | "change", device: string, spec: ClassSpec): string {
  const overhead = spec.overhead > 0 ? ` overhead ${spec.overhead}` : "";
  return (
    `class ${verb} dev ${device} parent ${classId(spec.parent)} classid ${classId(spec.minor)} htb ` +
    `rate ${spec.rate}bps${overhead} ceil ${spec.ceil}bps burst ${spec.burst}b cburst ${spec.ceilBurst}b ` +
    `prio ${spec.prio} quantum ${QUANTUM}`
  );
}

const leafCommand = (device: string, spec: ClassSpec): string =>
  `qdisc replace dev ${device} parent ${classId(spec.minor)} bfifo limit ${spec.leafLimit}b`;

export const rootCommand = (device: string, signature: number): string =>
  `qdisc add dev ${device} root handle ${ROOT_MAJOR}: htb default ${CLASS.default.toString(16)} r2q ${signature}`;

/** Lines for `tc -batch`; empty if nothing is to be done. What is under our root and not wanted goes. */
export function treeCommands(
  device: string,
  signature: number,
  wanted: readonly ClassSpec[],
  tree: ObservedTree,
): readonly string[] {
  const commands = tree.present ? [] : [rootCommand(device, signature)];
  const found = new Map(tree.classes.map((entry) => [entry.handle, entry]));
  const leaves = new Map(tree.leaves.map((leaf) => [leaf.parent, leaf]));
  const kept = new Set(wanted.map((spec) => classHandle(spec.minor)));
  // Grandchildren first; the kernel refuses to delete a class that has any.
  const surplus = tree.classes.filter((entry) => !kept.has(entry.handle) || isMisplaced(entry, wanted));
  for (const entry of surplus.sort(
    (left, right) => Number(left.parent === TC_ROOT) - Number(right.parent === TC_ROOT),
  )) {
    commands.push(`class del dev ${device} classid ${classId(minorOf(entry.handle))}`);
    found.delete(entry.handle);
    leaves.delete(entry.handle);
  }
  for (const spec of wanted) {
    const handle = classHandle(spec.minor);
    const present = found.get(handle);
    if (present === undefined) commands.push(classCommand("add", device, spec));
    else if (!classFits(spec, present)) commands.push(classCommand("change", device, spec));
    const leaf = leaves.get(handle);
    const leafFits = leaf?.kind === "bfifo" && leaf.limit === spec.leafLimit;
    if (spec.leafLimit !== undefined && !leafFits) commands.push(leafCommand(device, spec));
  }
  return commands;
}

function isMisplaced(entry: ObservedHtbClass, wanted: readonly ClassSpec[]): boolean {
  const spec = wanted.find((candidate) => classHandle(candidate.minor) === entry.handle);
  return spec !== undefined && !parentFits(spec, entry);
}
