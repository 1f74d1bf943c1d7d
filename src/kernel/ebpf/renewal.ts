/** Flows of maps that were made with another limit, into maps of the new one: the size of a map cannot be changed. */
import { KernelError } from "../../model/errors.js";
import type { FlowCounters } from "../../model/usage.js";
import type { BpfMap } from "./bpf-map.js";
import type { FlowMaps } from "./bpf-program.js";
import { FLOW_KEY_LENGTH } from "./flow-key.js";
import { counted } from "./flow-transaction.js";
import { countersAt, FLOW_VALUE_LENGTH, withCounters } from "./flow-value.js";
import { viewOf } from "./host-octets.js";
import { flowMapOf } from "./maps.js";
import { errnoOf } from "./owner.js";
import { keyText } from "./settings.js";

const FAMILIES = [4, 6] as const;
/** Entries that are copied at a time. */
const COPIED = 256;

/** What flows were copied with, by key. */
export type CopiedCounters = Readonly<Record<4 | 6, Map<string, FlowCounters>>>;

/** @throws KernelError KERNEL_LIMIT where there is no room for all of them. */
export async function copyFlows(from: FlowMaps, to: FlowMaps): Promise<CopiedCounters> {
  const copied: CopiedCounters = { 4: new Map(), 6: new Map() };
  for (const family of FAMILIES) {
    const target = flowMapOf(to, family);
    const length = FLOW_KEY_LENGTH[family];
    for await (const { count, keys, values } of flowMapOf(from, family).batches(COPIED)) {
      for (let index = 0; index < count; index += 1) {
        const key = keys.slice(index * length, (index + 1) * length);
        const value = values.subarray(index * FLOW_VALUE_LENGTH, (index + 1) * FLOW_VALUE_LENGTH);
        copyEntry(target, key, value);
        copied[family].set(keyText(key), countersAt(viewOf(value)));
      }
    }
  }
  return copied;
}

function copyEntry(target: BpfMap, key: Uint8Array, value: Uint8Array): void {
  try {
    target.set(key, value);
  } catch (error) {
    if (errnoOf(error) !== "E2BIG") throw error;
    const detail = { operation: `copy flows into ${target.shape.name}`, errno: "E2BIG" };
    throw new KernelError("KERNEL_LIMIT", "more flows are in the kernel than the new limit lets in", detail, {
      remedy: "raise the limit of flows, or wait until fewer calls are up",
      cause: error,
    });
  }
}

/**
 * Adds what packets were counted on the old maps after they were copied; no packet meets these any more. A packet that is
 * counted on the new maps between the two calls for its flow is carried, and not counted.
 */
export async function carryOver(from: FlowMaps, to: FlowMaps, copied: CopiedCounters): Promise<void> {
  for (const family of FAMILIES) {
    const length = FLOW_KEY_LENGTH[family];
    const target = flowMapOf(to, family);
    for await (const { count, keys, values } of flowMapOf(from, family).batches(COPIED)) {
      for (let index = 0; index < count; index += 1) {
        const key = keys.slice(index * length, (index + 1) * length);
        const start = copied[family].get(keyText(key));
        const end = countersAt(viewOf(values), index * FLOW_VALUE_LENGTH);
        if (start === undefined || sameCounters(start, end)) continue;
        const value = target.get(key);
        if (value !== undefined) target.set(key, withCounters(value, counted(countersAt(viewOf(value)), start, end)));
      }
    }
  }
}

const sameCounters = (left: FlowCounters, right: FlowCounters): boolean =>
  left.inProfile.packets === right.inProfile.packets && left.outOfProfile.packets === right.outOfProfile.packets;
