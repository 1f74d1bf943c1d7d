/** Room: buffers, memory, tables of the kernel that others fill; and the clock. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, fine, unseen } from "../finding.js";
import { keepHint, readSysctl, setCommand } from "../sysctl.js";

/** What the netlink sockets ask for, octets; the kernel grants no more than its limit. */
const BUFFERS = { rmem_max: 4 * 1024 * 1024, wmem_max: 1024 * 1024 } as const;
/** Below this a full transaction's answers may not fit. */
const STOCK = 212_992;

async function checkBuffer({ machine }: CheckContext, name: keyof typeof BUFFERS): Promise<readonly Finding[]> {
  const id = `limit.${name}`;
  const { text, value } = await readSysctl(machine, "net", "core", name);
  if (value === undefined) return [fine(id, `${text} is not told in this namespace`)];
  const wanted = BUFFERS[name];
  if (value >= wanted) return [fine(id, `${text} is ${value}`)];
  return [
    fault({
      id,
      severity: value < STOCK ? "warning" : "note",
      what: `${text} is ${value} octets, ${wanted} would be used`,
      why: "transactions are cut into smaller ones, and reading many sessions takes longer",
      remedy: setCommand(text, wanted),
      detail: keepHint(text, wanted),
    }),
  ];
}

/** Octets for each flow: elements in the kernel, and what the router keeps of it. */
const PER_FLOW = { kernel: 1200, process: 1500 } as const;

async function checkMemory({ machine, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "limit.memory";
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec((await machine.read("/proc/meminfo")) ?? "")?.[1];
  if (kibibytes === undefined) return [unseen(id, "free memory", "/proc/meminfo does not say")];
  const mebi = (octets: number): number => Math.round(octets / 1024 / 1024);
  const needed = subject.maxFlows * (PER_FLOW.kernel + PER_FLOW.process);
  const free = Number(kibibytes) * 1024;
  if (free >= 2 * needed) return [fine(id, `memory for ${subject.maxFlows} flows`)];
  return [
    fault({
      id,
      severity: "warning",
      what: `${subject.maxFlows} flows need ${mebi(needed)} MiB, and ${mebi(free)} MiB are free`,
      why: "the kernel may end the router when it is full of sessions",
      remedy: `set kernel.maxFlows to ${Math.floor(free / 2 / (PER_FLOW.kernel + PER_FLOW.process))} at most, or add memory`,
    }),
  ];
}

/** Connections are not ours to track, but where somebody has them tracked, a full table drops what is new. */
async function checkConnections({ machine }: CheckContext): Promise<readonly Finding[]> {
  const id = "limit.connections";
  const [count, most] = await Promise.all([
    readSysctl(machine, "net", "netfilter", "nf_conntrack_count"),
    readSysctl(machine, "net", "netfilter", "nf_conntrack_max"),
  ]);
  if (count.value === undefined || most.value === undefined || most.value === 0) {
    return [fine(id, "connections are not tracked, and need not be")];
  }
  const share = count.value / most.value;
  if (share < 0.8) return [fine(id, `${count.value} of ${most.value} tracked connections`)];
  const wanted = 2 ** Math.ceil(Math.log2(2 * most.value));
  return [
    fault({
      id,
      severity: share >= 0.95 ? "error" : "warning",
      what: `${count.value} of at most ${most.value} connections are tracked`,
      why: "when the table is full, packets of new sessions are dropped, and nothing of ours shows why",
      remedy: setCommand(most.text, wanted),
      detail: `we do not need connection tracking; it also costs every packet; ${keepHint(most.text, wanted)}`,
    }),
  ];
}

/** First that answers tells. */
async function isClockSynchronised({ machine }: CheckContext): Promise<boolean | undefined> {
  const run = await machine.run("timedatectl", ["show", "--property=NTPSynchronized", "--value"]);
  const answer = run.status === "exited" && run.exitCode === 0 ? run.stdout.trim() : "";
  if (answer === "yes" || answer === "no") return answer === "yes";
  const chrony = await machine.run("chronyc", ["-c", "tracking"]);
  if (chrony.status !== "exited" || chrony.exitCode !== 0) return undefined;
  return !chrony.stdout.trim().endsWith("Not synchronised");
}

async function checkClock(context: CheckContext): Promise<readonly Finding[]> {
  const id = "clock.synchronised";
  const isIt = await isClockSynchronised(context);
  if (isIt === true) return [fine(id, "the clock is synchronised")];
  const why = "tokens are refused when the clocks of two sites differ, and usage records bear wrong times";
  const remedy = "apt-get install chrony";
  if (isIt === undefined) {
    return [fault({ id, severity: "note", what: "nothing here tells whether the clock is right", why, remedy })];
  }
  return [fault({ id, severity: "warning", what: "the clock is not synchronised", why, remedy })];
}

export const clockCheck: Check = { name: "clock.synchronised", run: checkClock };

export const limitChecks: readonly Check[] = [
  { name: "limit.rmem_max", run: (context) => checkBuffer(context, "rmem_max") },
  { name: "limit.wmem_max", run: (context) => checkBuffer(context, "wmem_max") },
  { name: "limit.memory", run: checkMemory },
  { name: "limit.connections", run: checkConnections },
  clockCheck,
];
