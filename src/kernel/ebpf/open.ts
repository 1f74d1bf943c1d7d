/** The kernel port on eBPF programs at the egress of the interfaces, with the same HTB trees as every back end. */
import { type Clock, SYSTEM_CLOCK } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { LinuxKernel } from "../linux.js";
import { NetlinkAgent } from "../netlink/agent/agent.js";
import { Routing } from "../netlink/routing.js";
import type { ProbeResult } from "../probe/outcome.js";
import { checkTableName } from "../table-name.js";
import { openTrees } from "../tc/trees.js";
import { EbpfClassifier } from "./ebpf-classifier.js";
import { SLICE } from "./flow-transaction.js";
import { probeEbpf } from "./probe.js";

const DEFAULT_TABLE = "sluice";
const DEFAULT_MAX_FLOWS = 65_536;
const MOST_FLOWS = 1_000_000;
const DETAIL =
  "eBPF at the egress of the interfaces (tcx), by bpf(2); packets of sessions are recognised as they leave, after source NAT";

export interface EbpfKernelOptions {
  /** Tells our maps and programs from those of other instances, and signs our HTB roots. */
  readonly table?: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Flows of each family. */
  readonly maxFlows?: number;
  /** Whether eBPF works on this machine; tests give their own. */
  readonly probe?: () => Promise<ProbeResult>;
}

/**
 * Works on the network namespace of the process. Nothing is touched before the kernel was found to have it all.
 * @throws KernelError KERNEL_UNSUPPORTED with what is missing, KERNEL_NETLINK, KERNEL_TABLE_NAME, KERNEL_LIMIT.
 */
export async function openEbpfKernel(options: EbpfKernelOptions): Promise<LinuxKernel> {
  const { table = DEFAULT_TABLE, clock = SYSTEM_CLOCK, maxFlows = DEFAULT_MAX_FLOWS, log, probe = probeEbpf } = options;
  checkOptions(table, maxFlows);
  const { outcome, evidence } = await probe();
  if (outcome !== "supported") {
    const why = `${outcome}${evidence === "" ? "" : ` (${evidence})`}`;
    const detail = { operation: "open back end ebpf", errno: "EOPNOTSUPP" };
    throw new KernelError("KERNEL_UNSUPPORTED", `no back end "ebpf": ${why}`, detail, { remedy: remedyOf(outcome) });
  }
  const agent = new NetlinkAgent({ name: "readings", clock, log });
  try {
    const routing = await Routing.open(agent, clock);
    const devices = () => routing.devices();
    const classifier = new EbpfClassifier({ table, maxFlows, detail: DETAIL, devices }, log);
    return new LinuxKernel({
      classifier,
      trees: await openTrees(routing, table),
      routing,
      log,
      clock,
      overlap: SLICE,
      generation: () => classifier.generation(),
      agents: [agent],
    });
  } catch (error) {
    await agent.close();
    throw error;
  }
}

function checkOptions(table: string, maxFlows: number): void {
  checkTableName(table);
  if (!Number.isInteger(maxFlows) || maxFlows < 1 || maxFlows > MOST_FLOWS) {
    const remedy = `choose 1 to ${MOST_FLOWS}`;
    throw new KernelError("KERNEL_LIMIT", `not a limit of flows: ${maxFlows}`, { operation: "open" }, { remedy });
  }
}

function remedyOf(outcome: Exclude<ProbeResult["outcome"], "supported">): string {
  switch (outcome) {
    case "missing in kernel":
      return "use backend: nftables; or boot Linux 6.6 or later, which has programs at a device's egress (tcx)";
    case "missing in tool":
      return "npm install koffi, through which bpf(2) is called; or use backend: nftables";
    case "unknown":
      return "run it as root: whether the kernel has it is found out by trying";
  }
}
