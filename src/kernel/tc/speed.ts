/**
 * The speed that a device's hardware tells. Devices without hardware tell one too, but made up: a veth always says
 * 10 Gbit/s, a tun 10 Mbit/s, a bridge the sum of nothing; held to that, a link would be cut down for no reason. So a speed
 * counts only where a bus device is behind the interface.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type BitsPerSecond, bitsPerSecond } from "../../model/units.js";
import type { NetDevice } from "../netlink/routing.js";

/** Undefined where the speed is unknown: no carrier, WLAN, most virtual machines. */
export type SpeedReader = (device: NetDevice) => Promise<BitsPerSecond | undefined>;

/** The kernel's "unknown" is -1, which older ones print as 2^32 - 1. */
const UNKNOWN_MEGABITS = 0xffffffff;

async function numberIn(path: string): Promise<number | undefined> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  } catch {
    // No such device here, or one that refuses to tell (EINVAL without a carrier).
    return undefined;
  }
}

/** @param root where sysfs is mounted. */
export const speedsIn =
  (root: string): SpeedReader =>
  async ({ index, name, hardware }) => {
    if (!hardware) return undefined;
    const folder = join(root, "class/net", name);
    // A sysfs of another network namespace shows other devices under the same names.
    if ((await numberIn(join(folder, "ifindex"))) !== index) return undefined;
    const megabits = await numberIn(join(folder, "speed"));
    if (megabits === undefined || megabits === 0 || megabits === UNKNOWN_MEGABITS) return undefined;
    return bitsPerSecond(megabits * 1e6);
  };
