/** What is there: devices, root qdiscs, and the trees that are ours. Reads only. */
import type { BitsPerSecond, Octets } from "../../model/units.js";
import { isOurEdge } from "../dsmark/edge.js";
import { readFilter, readMark } from "../dsmark/observed.js";
import { EDGE_MAJOR } from "../dsmark/slots.js";
import type { NetDevice, Routing } from "../netlink/routing.js";
import type { ManagedInterface, ObservedInterface } from "../port.js";
import { minorOf, type ObservedTree, ROOT_HANDLE } from "./difference.js";
import type { BestEffortKind } from "./leaf.js";
import { type ObservedQdisc, readHtbClass, readQdisc, TC_ROOT } from "./observed.js";
import type { Planting } from "./planting.js";
import type { SpeedReader } from "./speed.js";
import { CLASS, type TreeLink } from "./tree.js";

/** A device, with its root qdisc unless that is one of the kernel's own. */
export interface ObservedDevice extends NetDevice {
  readonly root?: ObservedQdisc;
  /** What somebody put into the DSMARK at its root. */
  readonly inside?: ObservedQdisc;
  /** Of trustworthy hardware, where it was asked for. */
  readonly speed?: BitsPerSecond;
}

export interface ObservedQueueing {
  /** All devices, by name. */
  readonly devices: ReadonlyMap<string, ObservedDevice>;
  /** Trees of ours, by the device's name. */
  readonly trees: ReadonlyMap<string, ObservedTree>;
}

const isRoot = ({ parent }: ObservedQdisc): boolean => parent === TC_ROOT;

/**
 * The kernel gives the qdiscs that it chooses itself (noqueue, mq, pfifo_fast, what net.core.default_qdisc says) the handle 0,
 * and lets anybody put something in their place. Every other was put there by somebody.
 */
const isKernelsOwn = ({ handle }: ObservedQdisc): boolean => handle === 0;

const isOurTree = ({ kind, handle, htb }: ObservedQdisc, signature: number): boolean =>
  kind === "htb" && handle === ROOT_HANDLE && htb?.r2q === signature && htb.defaultClass === CLASS.default;

const isInEdge = ({ parent, handle }: ObservedQdisc): boolean => parent >>> 16 === EDGE_MAJOR && handle !== 0;

/** How our tree stands on a device, or would: a DSMARK of ours may be empty still. Undefined where the root is not ours. */
export function ownRoot({ root, inside }: ObservedDevice, signature: number): Planting | undefined {
  if (root === undefined) return undefined;
  if (isOurTree(root, signature)) return "htb";
  if (root.kind !== "dsmark" || !isOurEdge(root.handle, root.dsmark, signature)) return undefined;
  return inside === undefined || isOurTree(inside, signature) ? "dsmark" : undefined;
}

export class Surveyor {
  readonly #routing: Routing;
  readonly #signature: number;
  readonly #speedOf: SpeedReader;

  constructor(routing: Routing, signature: number, speedOf: SpeedReader) {
    this.#routing = routing;
    this.#signature = signature;
    this.#speedOf = speedOf;
  }

  /** Devices and roots; with the speed for `links`. */
  async devices(links: readonly ManagedInterface[]): Promise<ReadonlyMap<string, ObservedDevice>> {
    return (await this.#devices(links)).devices;
  }

  async read(links: readonly ManagedInterface[]): Promise<ObservedQueueing> {
    const { devices, qdiscs } = await this.#devices(links);
    const leaves = new Map<number, ObservedQdisc[]>();
    for (const qdisc of qdiscs) {
      if (isRoot(qdisc) || minorOf(qdisc.parent) === 0) continue;
      const known = leaves.get(qdisc.interfaceIndex);
      if (known === undefined) leaves.set(qdisc.interfaceIndex, [qdisc]);
      else known.push(qdisc);
    }
    const trees = new Map<string, ObservedTree>();
    for (const device of devices.values()) {
      const planting = ownRoot(device, this.#signature);
      if (planting === undefined) continue;
      trees.set(device.name, await this.#tree(device, planting, leaves.get(device.index) ?? []));
    }
    return { devices, trees };
  }

  async #tree(
    { index, inside }: ObservedDevice,
    planting: Planting,
    leaves: readonly ObservedQdisc[],
  ): Promise<ObservedTree> {
    const bodies = await this.#routing.classes(index);
    const classes = bodies.flatMap((body) => readHtbClass(body) ?? []);
    if (planting === "htb") return { present: true, classes, leaves };
    const found = inside === undefined ? [] : await this.#routing.filters(index, ROOT_HANDLE);
    const marks = new Map(bodies.flatMap((body) => readMark(body) ?? []).map(({ index: at, ...mark }) => [at, mark]));
    return { present: inside !== undefined, classes, leaves, edge: { marks, filters: found.map(readFilter) } };
  }

  async #devices(
    links: readonly ManagedInterface[],
  ): Promise<{ devices: ReadonlyMap<string, ObservedDevice>; qdiscs: readonly ObservedQdisc[] }> {
    const found = await this.#routing.devices();
    const qdiscs = (await this.#routing.qdiscs()).map(readQdisc);
    const roots = new Map(
      qdiscs.filter((qdisc) => isRoot(qdisc) && !isKernelsOwn(qdisc)).map((qdisc) => [qdisc.interfaceIndex, qdisc]),
    );
    const inEdges = new Map(qdiscs.filter(isInEdge).map((qdisc) => [qdisc.interfaceIndex, qdisc]));
    const wanted = new Set(links.map((link) => link.name));
    const devices = new Map<string, ObservedDevice>();
    for (const device of found) {
      const root = roots.get(device.index);
      const inside = root?.kind === "dsmark" ? inEdges.get(device.index) : undefined;
      const speed = wanted.has(device.name) ? await this.#speedOf(device) : undefined;
      devices.set(device.name, {
        ...device,
        ...(root === undefined ? {} : { root }),
        ...(inside === undefined ? {} : { inside }),
        ...(speed === undefined ? {} : { speed }),
      });
    }
    return { devices, qdiscs };
  }
}

const lower = (rate: BitsPerSecond, speed: BitsPerSecond | undefined): BitsPerSecond =>
  speed === undefined || speed > rate ? rate : speed;

export function observedInterface(found: ObservedQueueing, { name, rate }: ManagedInterface): ObservedInterface {
  const device = found.devices.get(name);
  return { name, present: device !== undefined, rate: lower(rate, device?.speed) };
}

/** Undefined while there is no such device. */
export function treeLink(
  found: ObservedQueueing,
  wanted: ManagedInterface,
  bestEffort: BestEffortKind,
): TreeLink | undefined {
  const device = found.devices.get(wanted.name);
  if (device === undefined) return undefined;
  return { wanted, rate: lower(wanted.rate, device.speed), mtu: device.mtu as Octets, bestEffort };
}

/** Whether other devices are there now than then: one came, went, was renamed or made anew. */
export function devicesDiffer(
  then: ReadonlyMap<string, ObservedDevice>,
  now: ReadonlyMap<string, ObservedDevice>,
): boolean {
  return then.size !== now.size || [...then].some(([name, { index }]) => now.get(name)?.index !== index);
}
