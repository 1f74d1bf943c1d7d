/** A pool as an element: mark bits -> HTB class; the comment keeps what the kernel has no field for. Pure. */
import type { BitsPerSecond } from "../../model/units.js";
import { toBitsPerSecond, toBytesPerSecond } from "../../model/units.js";
import type { ElementChange } from "../netlink/nf-tables.js";
import { hostU32, hostU32Octets } from "../netlink/octets.js";
import type { SetElement } from "../netlink/set-element.js";
import type { PoolClass } from "../port.js";
import { classHandle } from "../tc/difference.js";
import { minorOfPool } from "../tc/tree.js";
import { POOL_SET } from "./sets.js";

const poolComment = (pool: PoolClass): string =>
  `pool:${toBitsPerSecond(toBytesPerSecond(pool.rate))}:${encodeURIComponent(pool.name)}` +
  (pool.only === undefined ? "" : `:${pool.only}`);

export const createPool = (pool: PoolClass): ElementChange => ({
  action: "create",
  set: POOL_SET,
  element: {
    key: hostU32Octets(pool.id),
    data: hostU32Octets(classHandle(minorOfPool(pool.id))),
    comment: poolComment(pool),
  },
  object: `pool ${pool.id} "${pool.name}"`,
});

export const deletePool = (pool: PoolClass): ElementChange => ({
  action: "delete",
  set: POOL_SET,
  element: { key: hostU32Octets(pool.id) },
  object: `pool ${pool.id} "${pool.name}"`,
});

/** What it carries stands in other maps. Undefined for an element that we did not make. */
export function readPool(element: SetElement): PoolClass | undefined {
  const match = /^pool:(\d{1,16}):([^:]*)(?::([A-Za-z0-9_.-]{1,15}))?$/.exec(element.comment ?? "");
  if (match === null || element.key.length !== 4 || element.data?.length !== 4) return undefined;
  const id = hostU32(element.key, 0);
  if (hostU32(element.data, 0) !== classHandle(minorOfPool(id))) return undefined;
  try {
    const [, rate, name = "", only] = match;
    const pool = { id, rate: Number(rate) as BitsPerSecond, name: decodeURIComponent(name) };
    return only === undefined ? pool : { ...pool, only };
  } catch {
    return undefined;
  }
}

export const strayPool = (element: SetElement): ElementChange => ({
  action: "delete",
  set: POOL_SET,
  element: { key: element.key },
  object: "stray element of the pools",
});
