/** What the kernel can do, tried in a scratch namespace. Which of it is needed depends on the back end. */
import { DSMARK_PROBE, TCINDEX_PROBE } from "../../dsmark/probe.js";
import type { Backend } from "../../open.js";
import type { ProbeResult } from "../../probe/outcome.js";
import type { ScratchCommand } from "../../probe/scratch.js";
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, fine, unseen } from "../finding.js";

export type BackendName = Exclude<Backend, "auto">;

export interface Feature {
  readonly id: string;
  readonly name: string;
  readonly command: ScratchCommand;
  /** Back ends that cannot work without it; none: it only makes something better. */
  readonly neededBy: readonly BackendName[];
  /** What is lost without it. */
  readonly without: string;
  readonly remedy: string;
}

const nft = (...lines: readonly string[]): ScratchCommand => ({
  tool: "nft",
  args: ["-f", "-"],
  input: `${lines.join("\n")}\n`,
});
const tc = (text: string): ScratchCommand => ({ tool: "tc", args: `qdisc add dev lo root ${text}`.split(" ") });
const kernelWith = (option: string): string =>
  `boot a kernel with ${option}: apt-get install linux-image-$(dpkg --print-architecture)`;

const SESSION_MAP = [
  "map m {",
  "type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : classid",
  "size 16",
  "limit rate 1 mbytes/second burst 1500 bytes counter",
  "elements = { udp . 192.0.2.1 . 1 . 192.0.2.2 . 2 limit rate 5 bytes/second burst 5 bytes counter : 1:1 }",
  "}",
];
const HOOK = "type filter hook forward priority mangle";

const NFT_FEATURES: readonly Feature[] = [
  {
    id: "feature.nft.inet",
    name: "nf_tables with tables for IPv4 and IPv6 together",
    command: nft("table inet t {", "chain f {", HOOK, "ip dscp set 46", "}", "}"),
    neededBy: ["nftables", "dsmark"],
    without: "no packet can be recognised or marked",
    remedy: kernelWith("CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET"),
  },
  {
    id: "feature.nft.sessionMap",
    name: "maps of 5-tuples whose elements carry limit and counter",
    command: nft("table inet t {", ...SESSION_MAP, "}"),
    neededBy: ["nftables", "dsmark"],
    without: "sessions cannot be policed and counted one by one",
    remedy: kernelWith("CONFIG_NFT_LIMIT, Linux 5.12 or later"),
  },
  {
    id: "feature.nft.priority",
    name: "class of the queue set by a map, and computed with (meta priority)",
    command: nft(
      "table inet t {",
      ...SESSION_MAP,
      "chain f {",
      HOOK,
      "meta priority set meta l4proto . ip saddr . th sport . ip daddr . th dport map @m",
      "meta priority set meta priority and 0x0000ffff or 0x00010000",
      "}",
      "}",
    ),
    neededBy: ["nftables", "dsmark"],
    without: "sessions do not reach the class that is reserved for them",
    remedy: kernelWith("CONFIG_NF_TABLES, Linux 5.12 or later"),
  },
  {
    id: "feature.nft.arp",
    name: "tables for ARP",
    command: nft(
      "table arp t {",
      "chain o {",
      "type filter hook output priority filter",
      "meta priority set 1:2",
      "}",
      "}",
    ),
    neededBy: [],
    without: "in a flood of best effort the router's own ARP may be lost, and with it the next hop of all sessions",
    remedy: kernelWith("CONFIG_NF_TABLES_ARP"),
  },
  {
    id: "feature.nft.portSet",
    name: "sets of blocks of ports for an early exit",
    command: nft(
      "table inet t {",
      "set p {",
      "type inet_service",
      "elements = { 5056 }",
      "}",
      "chain f {",
      HOOK,
      "th dport and 0xfff0 @p accept",
      "}",
      "}",
    ),
    neededBy: ["nftables", "dsmark"],
    without: "sessions cannot be told from other packets by their ports",
    remedy: kernelWith("CONFIG_NF_TABLES"),
  },
];

const QUEUE_FEATURES: readonly Feature[] = [
  {
    id: "feature.tc.htb",
    name: "HTB",
    command: tc("handle 1: htb default 1"),
    neededBy: ["nftables", "iptables", "dsmark", "ebpf"],
    without: "nothing can be guaranteed to anybody",
    remedy: kernelWith("CONFIG_NET_SCH_HTB"),
  },
  {
    id: "feature.tc.bfifo",
    name: "bfifo",
    command: tc("handle 1: bfifo limit 20000b"),
    neededBy: ["nftables", "iptables", "dsmark", "ebpf"],
    without: "queues cannot be bounded in octets, so delay is not bounded",
    remedy: kernelWith("CONFIG_NET_SCH_FIFO"),
  },
  {
    id: "feature.tc.dsmark",
    name: "DSMARK",
    command: DSMARK_PROBE,
    neededBy: ["dsmark"],
    without: "the back end dsmark cannot work; Linux 6.3 took DSMARK out",
    remedy: "set kernel.backend to nftables: it writes the same code points",
  },
  {
    id: "feature.tc.tcindex",
    name: "the classifier tcindex",
    command: TCINDEX_PROBE,
    neededBy: ["dsmark"],
    without: "the back end dsmark cannot work: what DSMARK marks does not reach its class; Linux 6.3 took tcindex out",
    remedy: "set kernel.backend to nftables: it writes the same code points",
  },
];

const SAMPLE_LIMIT =
  "-t mangle -A FORWARD -m hashlimit --hashlimit-above 10kb/s --hashlimit-burst 12kb " +
  "--hashlimit-mode srcip,srcport,dstip,dstport --hashlimit-name probe -j DROP";

const IPTABLES_FEATURES: readonly Feature[] = [
  {
    id: "feature.ipset.skbinfo",
    name: "ipset with marks and counters",
    command: { tool: "ipset", args: "create probe hash:ip,port,ip skbinfo counters comment".split(" ") },
    neededBy: ["iptables"],
    without: "the back end iptables cannot keep sessions",
    remedy: kernelWith("CONFIG_IP_SET_HASH_IPPORTIP, and apt-get install ipset"),
  },
  {
    id: "feature.iptables.hashlimit",
    name: "iptables with hashlimit",
    command: { tool: "iptables", args: SAMPLE_LIMIT.split(" ") },
    neededBy: ["iptables"],
    without: "the back end iptables cannot police",
    remedy: kernelWith("CONFIG_NETFILTER_XT_MATCH_HASHLIMIT, and apt-get install iptables"),
  },
  {
    id: "feature.iptables.dscp",
    name: "iptables with the target DSCP",
    command: { tool: "iptables", args: "-t mangle -A FORWARD -j DSCP --set-dscp 46".split(" ") },
    neededBy: ["iptables"],
    without: "the back end iptables cannot mark",
    remedy: kernelWith("CONFIG_NETFILTER_XT_TARGET_DSCP, and apt-get install iptables"),
  },
  {
    id: "feature.ip6tables.dscp",
    name: "ip6tables with the target DSCP",
    command: { tool: "ip6tables", args: "-t mangle -A FORWARD -j DSCP --set-dscp 46".split(" ") },
    neededBy: ["iptables"],
    without: "the back end iptables cannot mark IPv6",
    remedy: kernelWith("CONFIG_IP6_NF_IPTABLES, and apt-get install iptables"),
  },
];

const FEATURES: readonly Feature[] = [...NFT_FEATURES, ...QUEUE_FEATURES, ...IPTABLES_FEATURES];

/** What a back end cannot work without. */
export const neededBy = (backend: BackendName): readonly Feature[] =>
  FEATURES.filter((feature) => feature.neededBy.includes(backend));

/** `auto` takes the first of these that works. */
const isNeeded = (feature: Feature, backend: Backend): boolean =>
  feature.neededBy.includes(backend === "auto" ? "nftables" : backend);

function judge(feature: Feature, backend: Backend, { outcome, evidence }: ProbeResult): Finding {
  const { id, name, without, remedy } = feature;
  switch (outcome) {
    case "supported":
      return fine(id, name);
    case "unknown":
      return unseen(id, name, evidence, "sudo sluice doctor");
    case "missing in kernel":
    case "missing in tool": {
      const isOptional = feature.neededBy.length === 0;
      const detail = `${outcome}: ${evidence}`;
      if (!isOptional && !isNeeded(feature, backend)) return fine(id, `${name}: not there, and not needed`, detail);
      const severity = isOptional ? "warning" : "error";
      return fault({ id, severity, what: `${name}: ${outcome}`, why: without, remedy, detail: evidence });
    }
    default:
      return outcome satisfies never;
  }
}

/** Best effort gets the best queue there is: not having fq_codel is no fault. */
async function checkLeaf({ probe }: CheckContext): Promise<Finding> {
  const id = "feature.tc.fairQueue";
  const kinds = ["fq_codel", "cake"] as const;
  const results = await Promise.all(
    kinds.map(async (kind) => ({ kind, result: await probe(tc(`handle 1: ${kind}`)) })),
  );
  const found = results.find(({ result }) => result.outcome === "supported");
  if (found !== undefined) return fine(id, `best effort is queued by ${found.kind}`);
  const doubtful = results.find(({ result }) => result.outcome === "unknown");
  if (doubtful !== undefined) return unseen(id, "fq_codel and cake", doubtful.result.evidence, "sudo sluice doctor");
  return fault({
    id,
    severity: "note",
    what: "neither fq_codel nor cake: best effort is queued by a bounded bfifo",
    why: "sessions are not touched by that, but one download can delay another",
    remedy: kernelWith("CONFIG_NET_SCH_FQ_CODEL"),
  });
}

export const featureChecks: readonly Check[] = [
  ...FEATURES.map(
    (feature): Check => ({
      name: feature.id,
      run: async ({ probe, subject }) => [judge(feature, subject.backend, await probe(feature.command))],
    }),
  ),
  { name: "feature.tc.fairQueue", run: async (context) => [await checkLeaf(context)] },
];
