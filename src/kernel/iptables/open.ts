/** The kernel port on iptables and ipset, with the same HTB trees as every back end. */
import { type Clock, SYSTEM_CLOCK } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { LinuxKernel } from "../linux.js";
import { NetlinkAgent } from "../netlink/agent/agent.js";
import { Routing } from "../netlink/routing.js";
import { openTrees } from "../tc/trees.js";
import { runTool } from "../tool.js";
import { IptablesClassifier } from "./iptables-classifier.js";

const DEFAULT_TABLE = "sluice";
const DEFAULT_MAX_FLOWS = 32_768;
const MOST_FLOWS = 65_536;

export interface IptablesKernelOptions {
  /** Begins the names of our chains and sets: a letter, then up to 15 letters, digits and underscores. Also signs our HTB roots. */
  readonly table?: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Flows of each family, up to 65536. */
  readonly maxFlows?: number;
}

/**
 * Works on the network namespace of the process, with whichever iptables the system's `iptables` is.
 * @throws KernelError KERNEL_TOOL_MISSING, KERNEL_PERMISSION, KERNEL_NETLINK, KERNEL_TABLE_NAME, KERNEL_LIMIT.
 */
export async function openIptablesKernel(options: IptablesKernelOptions): Promise<LinuxKernel> {
  const { table = DEFAULT_TABLE, clock = SYSTEM_CLOCK, maxFlows = DEFAULT_MAX_FLOWS, log } = options;
  if (!Number.isInteger(maxFlows) || maxFlows < 1 || maxFlows > MOST_FLOWS) {
    const remedy = `choose 1 to ${MOST_FLOWS}, or the nftables back end`;
    throw new KernelError("KERNEL_LIMIT", `not a limit of flows: ${maxFlows}`, { operation: "open" }, { remedy });
  }
  const detail = await describeTools();
  const classifier = new IptablesClassifier({ table, maxFlows, detail }, log);
  const agent = new NetlinkAgent({ name: "readings", clock, log });
  try {
    const routing = await Routing.open(agent, clock);
    return new LinuxKernel({
      classifier,
      trees: await openTrees(routing, table),
      routing,
      log,
      clock,
      agents: [agent],
    });
  } catch (error) {
    await agent.close();
    throw error;
  }
}

/** `iptables --version` names its variant: (nf_tables) or (legacy). */
async function describeTools(): Promise<string> {
  const iptables = (await runTool("iptables", ["--version"])).trim();
  const ipset = /^ipset (\S+?),/.exec(await runTool("ipset", ["--version"]))?.[1] ?? "of unknown version";
  return (
    `${iptables} with ipset ${ipset}, by their tools; ` +
    "ARP is not in the signalling class, and flows of unknown packet size may send up to 6 % above their rate"
  );
}
