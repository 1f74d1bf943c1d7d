/** The kernel port of this machine: the back end that was asked for, or the first that works here. */
import type { Clock } from "../model/clock.js";
import { KernelError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import { openLinuxKernel } from "./linux.js";
import type { Programming } from "./nft/open-elements.js";
import type { KernelPort } from "./port.js";
import type { ProbeResult } from "./probe/outcome.js";
import { probe } from "./probe/scratch.js";

export type Backend = "auto" | "nftables" | "iptables" | "dsmark" | "ebpf";

export interface OpenKernelOptions {
  /** `auto` by default: nftables where it works, else iptables. */
  readonly backend?: Backend;
  /** How elements of nftables are changed; `auto` by default: netlink, else `nft -i`. */
  readonly programming?: Programming;
  /** Names what is ours: the nft table, and what the other back ends derive from it. */
  readonly table?: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Flows each session map can hold. */
  readonly maxFlows?: number;
  /** Whether nf_tables and iptables work on this machine; tests give their own. */
  readonly probes?: BackendProbes;
}

export interface BackendProbes {
  readonly nftables: () => Promise<ProbeResult>;
  readonly iptables: () => Promise<ProbeResult>;
}

/** What our table takes: an inet table, and a map of concatenated keys with limit and counter for each element. */
const NFT_PROBE = [
  "table inet sluice_probe {",
  "  map probe {",
  "    type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark; size 16",
  "    limit rate 1 mbytes/second burst 1500 bytes counter",
  "  }",
  "  chain forward { type filter hook forward priority mangle; policy accept; }",
  "}",
  "",
].join("\n");

export const PROBES: BackendProbes = {
  nftables: () => probe({ tool: "nft", args: ["-f", "-"], input: NFT_PROBE }),
  iptables: async () => {
    const set = ["create", "sluice_probe", "hash:ip,port,ip", "skbinfo", "counters"];
    const ipset = await probe({ tool: "ipset", args: set });
    return ipset.outcome === "supported" ? probe({ tool: "iptables", args: ["-t", "mangle", "-S"] }) : ipset;
  },
};

/**
 * Works on the network namespace of the process.
 * @throws KernelError KERNEL_UNSUPPORTED for a back end that this machine or this version lacks, KERNEL_PERMISSION,
 * KERNEL_NETLINK, KERNEL_TABLE_NAME.
 */
export async function openKernel(options: OpenKernelOptions): Promise<KernelPort> {
  const backend: Backend = options.backend ?? "auto";
  switch (backend) {
    case "nftables":
      return openLinuxKernel(options);
    case "iptables":
      return openIptables(options);
    case "dsmark":
      return openDsmark(options);
    case "ebpf":
      return openEbpf(options);
    case "auto":
      return openFirst(options);
  }
}

/** Without the right to make a scratch namespace nothing is known: nftables then says itself what it lacks. */
export const isMissing = ({ outcome }: ProbeResult): boolean =>
  outcome === "missing in kernel" || outcome === "missing in tool";

async function openFirst(options: OpenKernelOptions): Promise<KernelPort> {
  const { probes = PROBES, log } = options;
  const nftables = await probes.nftables();
  if (!isMissing(nftables)) return openLinuxKernel(options);
  const iptables = await probes.iptables();
  if (iptables.outcome === "supported") {
    log.warn("kernel.nftables.unusable", { evidence: nftables.evidence });
    return openIptables(options);
  }
  const lacks = [lack("nftables", nftables), lack("iptables", iptables)].join("; ");
  throw unsupported("auto", lacks, "apt-get install nftables, on a kernel with CONFIG_NF_TABLES");
}

const lack = (name: string, { outcome, evidence }: ProbeResult): string =>
  `${name}: ${outcome}${evidence === "" ? "" : ` (${evidence})`}`;

function unsupported(backend: Backend, why: string, remedy: string): KernelError {
  const detail = { operation: `open back end ${backend}`, errno: "EOPNOTSUPP" };
  return new KernelError("KERNEL_UNSUPPORTED", `no back end "${backend}": ${why}`, detail, { remedy });
}

/** Loaded only where it is used, as the next. */
async function openDsmark(options: OpenKernelOptions): Promise<KernelPort> {
  const { openDsmarkKernel } = await import("./dsmark/open.js");
  return openDsmarkKernel(options);
}

async function openEbpf(options: OpenKernelOptions): Promise<KernelPort> {
  const { openEbpfKernel } = await import("./ebpf/open.js");
  return openEbpfKernel(options);
}

async function openIptables(options: OpenKernelOptions): Promise<KernelPort> {
  const { openIptablesKernel } = await import("./iptables/open.js");
  return openIptablesKernel(options);
}
