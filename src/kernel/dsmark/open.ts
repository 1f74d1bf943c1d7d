/**
 * The kernel port with DSMARK: nftables recognises, polices and counts as without it, HTB guarantees, and DSMARK writes the
 * code points when a packet leaves. Linux had DSMARK until 6.2.
 */
import { KernelError } from "../../model/errors.js";
import { type LinuxKernel, type LinuxKernelOptions, openLinuxKernel } from "../linux.js";
import type { ProbeResult } from "../probe/outcome.js";
import { probeDsmark } from "./probe.js";

export interface DsmarkKernelOptions extends Omit<LinuxKernelOptions, "marking"> {
  /** Whether DSMARK works on this machine; tests give their own. */
  readonly probeEdge?: () => Promise<ProbeResult & { readonly part: string }>;
}

/**
 * Works on the network namespace of the process. Nothing is touched before the kernel was found to have it all.
 * @throws KernelError KERNEL_UNSUPPORTED with what is missing, and those of `openLinuxKernel`.
 */
export async function openDsmarkKernel({
  probeEdge = probeDsmark,
  ...options
}: DsmarkKernelOptions): Promise<LinuxKernel> {
  const { outcome, evidence, part } = await probeEdge();
  if (outcome !== "supported") {
    const why = `${part}: ${outcome}${evidence === "" ? "" : ` (${evidence})`}`;
    const detail = { operation: "open back end dsmark", errno: "EOPNOTSUPP" };
    throw new KernelError("KERNEL_UNSUPPORTED", `no back end "dsmark": ${why}`, detail, { remedy: remedyOf(outcome) });
  }
  return openLinuxKernel({ ...options, marking: "dsmark" });
}

function remedyOf(outcome: Exclude<ProbeResult["outcome"], "supported">): string {
  switch (outcome) {
    case "missing in kernel":
      return "use backend: nftables, which writes the same code points; or boot Linux 6.2 or older";
    case "missing in tool":
      return "use backend: nftables, which writes the same code points; or install an iproute2 that knows dsmark and tcindex";
    case "unknown":
      return "run it as root: whether the kernel has it is tried in a network namespace of its own";
  }
}
