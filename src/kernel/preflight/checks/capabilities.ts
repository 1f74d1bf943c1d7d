/** Whether this process may look at all. */
import type { Check } from "../check.js";
import { type Finding, fine, unseen } from "../finding.js";

const CAP_NET_ADMIN = 12n;

/** From /proc/self/status; undefined if it does not say. */
export function hasCapability(status: string, bit: bigint): boolean | undefined {
  const mask = /^CapEff:\t([0-9a-f]{16})$/m.exec(status)?.[1];
  return mask === undefined ? undefined : ((BigInt(`0x${mask}`) >> bit) & 1n) === 1n;
}

const REMEDY = "sudo sluice doctor";

export const capabilityCheck: Check = {
  name: "capability.netAdmin",
  run: async ({ machine }): Promise<readonly Finding[]> => {
    const id = "capability.netAdmin";
    const has = hasCapability((await machine.read("/proc/self/status")) ?? "", CAP_NET_ADMIN);
    if (has === undefined) return [unseen(id, "this process's capabilities", "/proc/self/status does not say", REMEDY)];
    if (has) return [fine(id, "this process has CAP_NET_ADMIN")];
    const reason = "this process lacks CAP_NET_ADMIN: rules, and what they do to each other, are hidden from it";
    return [unseen(id, "what only CAP_NET_ADMIN may see", reason, REMEDY)];
  },
};
