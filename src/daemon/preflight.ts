/** Composition of `sluice doctor`: the configuration's part that preflight needs, and the machine that we run on. */
import type { RoleConfig } from "../config/load.js";
import type { RouterConfig } from "../config/router.js";
import { probeEbpf } from "../kernel/ebpf/probe.js";
import { PACKET_MARK } from "../kernel/iptables/packet-mark.js";
import { openLinuxKernel } from "../kernel/linux.js";
import type { Finding } from "../kernel/preflight/finding.js";
import { limitedTo, openLinuxMachine } from "../kernel/preflight/linux-machine.js";
import { preflight, ROUTER_CHECKS, USER_CHECKS } from "../kernel/preflight/preflight.js";
import { GENERAL_SUBJECT, type Subject } from "../kernel/preflight/subject.js";
import type { ProbeResult } from "../kernel/probe/outcome.js";
import { runInScratch } from "../kernel/probe/scratch.js";
import { KernelError } from "../model/errors.js";
import { SILENT_LOGGER } from "../model/log.js";

export type { Finding, Severity } from "../kernel/preflight/finding.js";

/** Probes at once: each is a process in a namespace of its own. */
const PARALLEL = 4;

/**
 * Looks at this machine, for this role; without a configuration, as for a router. Changes nothing, and never rejects: what
 * could not be looked at is said in findings of severity `unknown`.
 */
export function examine(config: RoleConfig | undefined): Promise<readonly Finding[]> {
  const subject = config?.role === "router" ? subjectOf(config) : GENERAL_SUBJECT;
  const isRouter = config === undefined || config.role === "router";
  const turn = limitedTo(PARALLEL);
  return preflight({
    machine: openLinuxMachine(),
    scratch: (command) => turn(() => runInScratch(command)),
    subject,
    netlink: () => probeNetlink(subject.table),
    ebpf: probeEbpf,
    checks: isRouter ? ROUTER_CHECKS : USER_CHECKS,
  });
}

export function subjectOf({ kernel, pdp, rsvp }: RouterConfig): Subject {
  return {
    ...GENERAL_SUBJECT,
    isConfigured: true,
    table: kernel.table,
    backend: kernel.backend,
    maxFlows: kernel.maxFlows,
    interfaces: kernel.interfaces.map(({ name, rate }) => ({ name, rate })),
    servers: (pdp?.servers ?? []).map(({ address, port }) => ({ host: address, port })),
    rsvp: rsvp !== undefined,
    markMask: markMaskOf(kernel.backend),
  };
}

/** Tunnels have bits of their own; the iptables back end works in more of them. */
const markMaskOf = (backend: RouterConfig["kernel"]["backend"]): number =>
  backend === "iptables" ? (GENERAL_SUBJECT.markMask | PACKET_MARK.ours) >>> 0 : GENERAL_SUBJECT.markMask;

/** Opens what a router opens, asks nf_tables one question, and closes it again. */
async function probeNetlink(table: string): Promise<ProbeResult> {
  try {
    const kernel = await openLinuxKernel({ table, programming: "netlink", log: SILENT_LOGGER });
    await kernel.close();
    return { outcome: "supported", evidence: "" };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const outcome = error.code === "KERNEL_PERMISSION" ? "unknown" : "missing in tool";
    return { outcome, evidence: error.message };
  }
}
