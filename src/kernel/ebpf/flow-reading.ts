/** Reads the flow maps: all of a hundred thousand in slices that let the event loop have its turns, or single ones. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { IpFamily } from "../../model/ip.js";
import type { FlowCounters } from "../../model/usage.js";
import type { FlowId, FlowRule, ObservedFlow } from "../port.js";
import type { FlowMaps } from "./bpf-program.js";
import { decodeServerKey, encodeFlowKey, FLOW_KEY_LENGTH, type PackedKey, SERVER_KEY_LENGTH } from "./flow-key.js";
import { countersAt, decodeFlow, FLOW_VALUE_LENGTH, flowIdAt } from "./flow-value.js";
import { viewOf } from "./host-octets.js";
import { flowMapOf } from "./maps.js";
import { PortCounts } from "./port-words.js";
import { keyText } from "./settings.js";

const FAMILIES = [4, 6] as const;
/** Entries that are decoded at a time, one or two milliseconds. */
const DECODED = 256;
/** Entries of which some octets are looked at. */
const SKIMMED = 2048;
/** Flows asked for one by one at a time. */
const ASKED = 128;

/** Flows of each family. */
export type Sizes = Record<IpFamily, number>;

/** What the maps hold, for the port words. */
export interface Census {
  readonly ports: PortCounts;
  readonly sizes: Sizes;
}

/** @param key octets of a flow's key. */
function countPorts(ports: PortCounts, family: IpFamily, keys: Uint8Array, at: number): void {
  const place = at + FLOW_KEY_LENGTH[family] - 8;
  const source = (keys[place] ?? 0) | (keys[place + 1] ?? 0);
  const destination = ((keys[place + 2] ?? 0) << 8) | (keys[place + 3] ?? 0);
  ports.add(source === 0 ? "any" : "exact", destination, 1);
}

/** Keys of the servers there are. */
export async function readServers({ servers }: FlowMaps): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { count, keys } of servers.batches(SKIMMED)) {
    for (let index = 0; index < count; index += 1)
      found.push(keyText(keys.subarray(index * SERVER_KEY_LENGTH, (index + 1) * SERVER_KEY_LENGTH)));
  }
  return found;
}

async function countServers(maps: FlowMaps, ports: PortCounts): Promise<void> {
  for (const text of await readServers(maps)) {
    const server = decodeServerKey(Buffer.from(text, "latin1"));
    if (server !== undefined) ports.add("signalling", server.port, 1);
  }
}

/** Ports and numbers of everything in the maps, without looking at it closely. */
export async function takeCensus(maps: FlowMaps): Promise<Census> {
  const ports = new PortCounts();
  const sizes: Sizes = { 4: 0, 6: 0 };
  for (const family of FAMILIES) {
    for await (const { count, keys } of flowMapOf(maps, family).batches(SKIMMED)) {
      sizes[family] += count;
      for (let index = 0; index < count; index += 1) countPorts(ports, family, keys, index * FLOW_KEY_LENGTH[family]);
    }
  }
  await countServers(maps, ports);
  return { ports, sizes };
}

export interface FlowReading extends Census {
  readonly flows: ReadonlyMap<FlowId, ObservedFlow>;
  /** Entries that are no whole flow of ours. */
  readonly strays: readonly PackedKey[];
}

/** Flows that come, go or change while it reads may be told as before or as after. */
export async function readFlows(maps: FlowMaps): Promise<FlowReading> {
  const ports = new PortCounts();
  const sizes: Sizes = { 4: 0, 6: 0 };
  const flows = new Map<FlowId, ObservedFlow>();
  const strays: PackedKey[] = [];
  for (const family of FAMILIES) {
    const length = FLOW_KEY_LENGTH[family];
    for await (const { count, keys, values } of flowMapOf(maps, family).batches(DECODED)) {
      sizes[family] += count;
      for (let index = 0; index < count; index += 1) {
        countPorts(ports, family, keys, index * length);
        const flow = decodeFlow({ family, keys, values }, index * length, index * FLOW_VALUE_LENGTH);
        const known = flow && flows.get(flow.rule.id);
        // The same flow twice: it had another key before, or somebody has been at work.
        if (flow === undefined || (known !== undefined && isThere(maps, known.rule)))
          strays.push({ family, octets: keys.slice(index * length, (index + 1) * length) });
        else flows.set(flow.rule.id, flow);
      }
    }
  }
  await countServers(maps, ports);
  return { ports, sizes, flows, strays };
}

const isThere = (maps: FlowMaps, rule: FlowRule): boolean => entryOf(maps, rule) !== undefined;

/** A flow's value as it is now; undefined where its place is empty or another's. @throws KernelError */
export function entryOf(maps: FlowMaps, rule: FlowRule): Uint8Array | undefined {
  const { family, octets } = encodeFlowKey(rule.key);
  const value = flowMapOf(maps, family).get(octets);
  return value !== undefined && flowIdAt(viewOf(value)) === rule.id ? value : undefined;
}

export async function readCounters(maps: FlowMaps): Promise<ReadonlyMap<FlowId, FlowCounters>> {
  const counters = new Map<FlowId, FlowCounters>();
  for (const family of FAMILIES) {
    for await (const { count, values } of flowMapOf(maps, family).batches(SKIMMED)) {
      const view = viewOf(values);
      for (let index = 0; index < count; index += 1) {
        const at = index * FLOW_VALUE_LENGTH;
        counters.set(flowIdAt(view, at), countersAt(view, at));
      }
    }
  }
  return counters;
}

/** What it costs does not depend on how many others there are. */
export async function readCountersOf(
  maps: FlowMaps,
  rules: Iterable<FlowRule>,
): Promise<ReadonlyMap<FlowId, FlowCounters>> {
  const counters = new Map<FlowId, FlowCounters>();
  let asked = 0;
  for (const rule of rules) {
    if (asked > 0 && asked % ASKED === 0) await nextTurn();
    asked += 1;
    const value = entryOf(maps, rule);
    if (value !== undefined) counters.set(rule.id, countersAt(viewOf(value)));
  }
  return counters;
}
