/** `sluice cleanup`: takes away what a router left in the kernel, whichever back end it was. */
import type { RouterConfig } from "../config/router.js";
import type { StepView } from "../control/views.js";
import { probeEbpf } from "../kernel/ebpf/probe.js";
import { isMissing, openKernel, PROBES } from "../kernel/open.js";
import type { Logger } from "../model/log.js";

/** All that ever leave something. */
const BACKENDS = ["nftables", "iptables", "ebpf"] as const;
const ALL_PROBES = { ...PROBES, ebpf: probeEbpf };

export interface CleanupResult {
  /** What was run, or would be; empty if there is nothing of ours. */
  readonly steps: readonly StepView[];
  /** Back ends that this machine, or this process's rights, do not allow to look at, and why. */
  readonly skipped: readonly { readonly backend: string; readonly why: string }[];
}

/** @throws KernelError KERNEL_PERMISSION; KERNEL_FOREIGN_TABLE where a table of our name is not ours. */
export async function cleanupRouter(config: RouterConfig, dryRun: boolean, log: Logger): Promise<CleanupResult> {
  const steps = new Map<string, StepView>();
  const skipped: { readonly backend: string; readonly why: string }[] = [];
  for (const backend of BACKENDS) {
    const probed = await ALL_PROBES[backend]();
    // Finding programs takes rights that routers of the other back ends do not need.
    if (isMissing(probed) || (backend === "ebpf" && probed.outcome === "unknown")) {
      skipped.push({ backend, why: `${probed.outcome} (${probed.evidence})` });
      continue;
    }
    const { table, programming } = config.kernel;
    const kernel = await openKernel({ backend, programming, table, log });
    try {
      // The trees are seen by every back end: told once.
      for (const step of await kernel.renderCleanup()) steps.set(JSON.stringify(step), step);
      if (!dryRun) await kernel.cleanup();
    } finally {
      await kernel.close();
    }
  }
  return { steps: [...steps.values()], skipped };
}
