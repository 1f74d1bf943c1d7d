/** Whether kernel, tools and Node.js are of the age that we need. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, fine, unseen } from "../finding.js";
import { look } from "../machine.js";

type Version = readonly number[];

/** Numbers at the pattern's group, `6.1.0` as [6, 1, 0]; undefined where there is none. */
function versionIn(text: string, pattern: RegExp): Version | undefined {
  return pattern.exec(text)?.[1]?.split(".").map(Number);
}

export function isBelow(version: Version, least: Version): boolean {
  for (const [index, wanted] of least.entries()) {
    const have = version[index] ?? 0;
    if (have !== wanted) return have < wanted;
  }
  return false;
}

interface ToolRule {
  readonly id: string;
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly pattern: RegExp;
  readonly least: Version;
  readonly why: string;
  readonly remedy: string;
}

const ALWAYS: readonly ToolRule[] = [
  {
    id: "version.nft",
    name: "nft",
    command: ["nft", "--version"],
    pattern: /^nftables v(\d+\.\d+(?:\.\d+)?)/,
    least: [1, 0, 6],
    why: "older ones do not read maps whose elements carry a limit and a counter as we write them",
    remedy: "apt-get install nftables",
  },
  {
    id: "version.tc",
    name: "tc",
    command: ["tc", "-V"],
    pattern: /iproute2-(\d+\.\d+(?:\.\d+)?)/,
    least: [5, 10],
    why: "older ones lack 64-bit rates in the queues' figures",
    remedy: "apt-get install iproute2",
  },
  {
    id: "version.ip",
    name: "ip",
    command: ["ip", "-V"],
    pattern: /iproute2-(\d+\.\d+(?:\.\d+)?)/,
    least: [5, 10],
    why: "older ones do not list rules and tunnels as JSON in full",
    remedy: "apt-get install iproute2",
  },
];

const FOR_IPTABLES: readonly ToolRule[] = [
  {
    id: "version.iptables",
    name: "iptables",
    command: ["iptables", "--version"],
    pattern: /^iptables v(\d+\.\d+(?:\.\d+)?)/,
    least: [1, 8],
    why: "the back end that was chosen programs through it",
    remedy: "apt-get install iptables",
  },
  {
    id: "version.ipset",
    name: "ipset",
    command: ["ipset", "--version"],
    pattern: /^ipset v(\d+\.\d+)/,
    least: [7, 0],
    why: "the back end that was chosen keeps its sessions in sets of it",
    remedy: "apt-get install ipset",
  },
];

async function checkTool(context: CheckContext, rule: ToolRule): Promise<Finding> {
  const { id, name, command, pattern, least, why, remedy } = rule;
  const found = await look(context.machine, command, (text) => versionIn(text, pattern));
  if (!found.seen) {
    return found.isAbsent
      ? fault({ id, severity: "error", what: `${name} is not installed`, why, remedy })
      : unseen(id, `the version of ${name}`, found.reason, remedy);
  }
  const version = found.value.join(".");
  if (!isBelow(found.value, least)) return fine(id, `${name} ${version}`);
  return fault({ id, severity: "error", what: `${name} ${version} is older than ${least.join(".")}`, why, remedy });
}

async function checkKernel({ machine }: CheckContext): Promise<Finding> {
  const id = "version.kernel";
  const release = ((await machine.read("/proc/sys/kernel/osrelease")) ?? "").trim();
  const version = versionIn(release, /^(\d+\.\d+(?:\.\d+)?)/);
  if (version === undefined) return unseen(id, "the version of the kernel", "no /proc/sys/kernel/osrelease");
  if (!isBelow(version, [5, 12])) return fine(id, `Linux ${release}`);
  return fault({
    id,
    severity: "error",
    what: `Linux ${release} is older than 5.12`,
    why: "an element of a map cannot carry a limit and a counter at once, so sessions cannot be policed and counted",
    remedy: "apt-get install linux-image-$(dpkg --print-architecture) && reboot",
  });
}

function checkNode({ machine }: CheckContext): Finding {
  const id = "version.node";
  const version = machine.nodeVersion.split(".").map(Number);
  if (!isBelow(version, [20, 19])) return fine(id, `Node.js ${machine.nodeVersion}`);
  return fault({
    id,
    severity: "error",
    what: `Node.js ${machine.nodeVersion} is older than 20.19`,
    why: "it lacks what this program is written for",
    remedy: "install Node.js 20.19 or later",
  });
}

export const nodeCheck: Check = { name: "version.node", run: async (context) => [checkNode(context)] };

export const versionChecks: readonly Check[] = [
  nodeCheck,
  { name: "version.kernel", run: async (context) => [await checkKernel(context)] },
  {
    name: "version.tools",
    run: (context) => {
      const rules = context.subject.backend === "iptables" ? [...ALWAYS, ...FOR_IPTABLES] : ALWAYS;
      return Promise.all(rules.map((rule) => checkTool(context, rule)));
    },
  },
];
