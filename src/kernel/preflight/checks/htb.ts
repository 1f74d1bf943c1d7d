/** Whether HTB can keep what its classes promise: timers that fire often enough, turns as long as a packet. */
import { toBytesPerSecond } from "../../../model/units.js";
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, faultsOr, fine, unseen } from "../finding.js";
import { look } from "../machine.js";
import { parseHtbClasses } from "../sources/htb-classes.js";
import type { Link } from "../sources/links.js";
import type { SubjectInterface } from "../subject.js";

/** The bursts of our classes cover a millisecond, and two frames at least (tc/sizes.ts). */
const BURSTS_PER_SECOND = 1000;
const LEAST_BURST = 3028;
/** Timers tick this often where the kernel has fine ones. */
const NANOSECOND_TIMER = 1_000_000_000;
const ETHERNET_HEADER = 14;
/** Above it the kernel itself warns. */
const LARGEST_QUANTUM = 200_000;

/** /proc/net/psched: four words in hexadecimal; the last is how many times a second the kernel's timers can fire. */
export function timerRate(text: string): number | undefined {
  const words = /^([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8})\s*$/.exec(text);
  return words === null ? undefined : Number.parseInt(words[4] ?? "", 16);
}

/** Octets that the link sends between two ticks of the timer must fit in the burst. */
function burstFault({ name, rate }: SubjectInterface, ticks: number): readonly Finding[] {
  const burst = Math.max(LEAST_BURST, Math.ceil(toBytesPerSecond(rate) / BURSTS_PER_SECOND));
  const needed = Math.ceil(toBytesPerSecond(rate) / ticks);
  if (burst >= needed) return [];
  return [
    fault({
      id: "htb.timer",
      severity: "warning",
      what: `timers fire ${ticks} times a second: too seldom for ${rate / 1e6} Mbit/s on ${name}`,
      why: `between two of them the link could send ${needed} octets, but a burst is ${burst}: the rate is not reached`,
      remedy: "boot a kernel with CONFIG_HIGH_RES_TIMERS, without highres=off",
    }),
  ];
}

async function checkTimer({ machine, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "htb.timer";
  const ticks = timerRate((await machine.read("/proc/net/psched")) ?? "");
  if (ticks === undefined || ticks === 0)
    return [unseen(id, "the resolution of timers", "/proc/net/psched does not say")];
  if (ticks >= NANOSECOND_TIMER) return [fine(id, "timers are fine enough for every rate")];
  const faults = subject.interfaces.flatMap((link) => burstFault(link, ticks));
  return faultsOr(faults, id, `timers fire ${ticks} times a second: enough for the configured rates`);
}

async function quantumFaults(context: CheckContext, { name, mtu }: Link): Promise<readonly Finding[]> {
  const id = "htb.quantum";
  const classes = await look(context.machine, ["tc", "-d", "class", "show", "dev", name], parseHtbClasses);
  if (!classes.seen) return [unseen(id, `the classes of ${name}`, classes.reason)];
  const frame = mtu + ETHERNET_HEADER;
  const wrong = classes.value.filter(({ quantum }) => quantum < frame || quantum > LARGEST_QUANTUM);
  if (wrong.length === 0) return [];
  const listed = wrong.slice(0, 8).map((entry) => `${entry.id} ${entry.quantum}`);
  return [
    fault({
      id,
      severity: "warning",
      what: `${wrong.length} classes of ${name} have turns that do not suit its packets of up to ${frame} octets`,
      why: "classes share what is left over unfairly, and the kernel asks the same class again and again",
      remedy: `ip link set dev ${name} mtu 1500, or restart the router: it sizes the turns to the MTU`,
      detail: `class and quantum: ${listed.join(", ")}`,
    }),
  ];
}

async function checkQuantum(context: CheckContext): Promise<readonly Finding[]> {
  const id = "htb.quantum";
  const links = await context.sources.links();
  if (!links.seen) return [unseen(id, "HTB classes", links.reason)];
  const names = new Set(context.subject.interfaces.map(({ name }) => name));
  const managed = links.value.filter(({ name }) => names.has(name));
  const faults = await Promise.all(managed.map((link) => quantumFaults(context, link)));
  return faultsOr(faults.flat(), id, "the turns of the classes suit the MTUs");
}

export const htbChecks: readonly Check[] = [
  { name: "htb.timer", run: checkTimer },
  { name: "htb.quantum", run: checkQuantum },
];
