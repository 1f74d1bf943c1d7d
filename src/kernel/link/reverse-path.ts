/**
 * The reverse path filter of our own devices. What comes out of a tunnel seldom has its way back through it: a strict filter would
 * drop all of it.
 */
import { readFile, writeFile } from "node:fs/promises";

const STRICT = 1;
const LOOSE = "2\n";

const pathOf = (device: string): string => `/proc/sys/net/ipv4/conf/${device}/rp_filter`;

async function filterOf(device: string): Promise<number> {
  return Number(await readFile(pathOf(device), "utf8").catch(() => "0"));
}

/**
 * Loosens a strict filter on this device alone. The larger of two numbers rules, that of all devices or its own
 * (Documentation/networking/ip-sysctl.rst). Where it may not be written the doctor says what is wrong (`forwarding.reversePath`).
 */
export async function loosenReversePath(device: string): Promise<void> {
  const rules = Math.max(await filterOf("all"), await filterOf(device));
  if (rules === STRICT) await writeFile(pathOf(device), LOOSE).catch(() => undefined);
}
