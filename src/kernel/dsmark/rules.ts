/** How the rules of nftables hand a packet to DSMARK, which then writes its code point: by the slot in its priority. Pure. */
import { KernelError } from "../../model/errors.js";
import type { ChangeSteps } from "../plan.js";
import type { PoolId } from "../port.js";
import { CLASS_MASK, CLASS_SHIFT, EDGE_HANDLE, EDGE_MAJOR, indexOf, MOST_POOL, slotOf } from "./slots.js";

const hex = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;

/** For a packet whose priority holds, in its lower half, the minor number of its class. */
export const slotByClass = (code: number): readonly string[] => [
  `meta priority set meta priority << ${CLASS_SHIFT}`,
  `meta priority set meta priority and ${hex(CLASS_MASK)} or ${hex(EDGE_HANDLE | indexOf(code))} accept`,
];

/** As `slotByClass`, for a packet that keeps its code point. */
export const classSlot = (): readonly string[] => [
  `meta priority set meta priority << ${CLASS_SHIFT}`,
  `meta priority set meta priority and ${hex(CLASS_MASK)} or ${hex(EDGE_HANDLE)} accept`,
];

/** For every packet of one class, which keeps its code point. */
export const keptSlot = (minor: number): string => `${EDGE_MAJOR}:${(slotOf(minor, 0) & CLASS_MASK).toString(16)}`;

/** For every packet of one class. */
export const slotOfClass = (minor: number, code: number): readonly string[] => [
  `meta priority set ${EDGE_MAJOR}:${slotOf(minor, code).toString(16)} accept`,
];

/** @throws KernelError KERNEL_UNSUPPORTED for a pool whose class has no room in a slot. */
export function refusePools({ poolSets }: Pick<ChangeSteps, "poolSets">): void {
  const beyond = poolSets.find(({ id }) => id > MOST_POOL);
  if (beyond === undefined) return;
  throw unsupported(beyond.id, beyond.name);
}

function unsupported(id: PoolId, name: string): KernelError {
  const why = `pool ${id} "${name}": a slot of DSMARK has room for the pools 1 to ${MOST_POOL}`;
  const detail = { operation: `set pool ${id}`, errno: "EOPNOTSUPP" };
  return new KernelError("KERNEL_UNSUPPORTED", why, detail, { remedy: "use backend: nftables, or fewer pools" });
}
