/** Whether the managed interfaces can carry what is configured, on time. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, faultsOr, unseen } from "../finding.js";
import { readNumber } from "../machine.js";
import type { Link } from "../sources/links.js";

/** What IPv6 asks of every link (RFC 8200 §5). */
const LEAST_MTU = 1280;
async function checkPresence(context: CheckContext): Promise<readonly Finding[]> {
  const { sources, subject } = context;
  const id = "link.present";
  const links = await sources.links();
  if (!links.seen) return [unseen(id, "interfaces", links.reason)];
  const byName = new Map(links.value.map((link) => [link.name, link]));
  const faults = subject.interfaces.flatMap(({ name }) => presenceFault(name, byName.get(name)));
  return faultsOr(faults, id, "the managed interfaces are there and up");
}

function presenceFault(name: string, link: Link | undefined): readonly Finding[] {
  if (link === undefined) {
    const what = `there is no interface ${name}`;
    const why = "it is managed as soon as it appears; until then nothing is guaranteed there";
    const remedy = "ip -brief link: correct kernel.interfaces, or create the interface";
    return [fault({ id: "link.present", severity: "warning", what, why, remedy })];
  }
  if (link.state === "DOWN") {
    const why = "nothing passes it";
    return [
      fault({ id: "link.up", severity: "warning", what: `${name} is down`, why, remedy: `ip link set dev ${name} up` }),
    ];
  }
  return [];
}

/** Only hardware tells a speed that means something: what virtual devices tell is made up. */
async function speedOf({ machine }: CheckContext, name: string): Promise<number | undefined> {
  const isHardware = (await machine.list(`/sys/class/net/${name}/device`)).length > 0;
  const megabits = isHardware ? await readNumber(machine, `/sys/class/net/${name}/speed`) : undefined;
  // Older kernels print "unknown", -1, without its sign.
  return megabits === undefined || megabits <= 0 || megabits === 0xffffffff ? undefined : megabits * 1e6;
}

async function checkSpeed(context: CheckContext): Promise<readonly Finding[]> {
  const id = "link.speed";
  const found = await Promise.all(
    context.subject.interfaces.map(async ({ name, rate }): Promise<readonly Finding[]> => {
      const speed = await speedOf(context, name);
      if (speed === undefined || speed >= rate) return [];
      return [
        fault({
          id,
          severity: "warning",
          what: `${name} runs at ${speed / 1e6} Mbit/s, and ${rate / 1e6} Mbit/s are configured`,
          why: "more is promised than the link can carry: the card's own queue decides who waits",
          remedy: `set the rate of ${name} in kernel.interfaces to at most ${speed / 1e6} Mbit/s`,
          detail: `a bad cable or a forced setting lowers the speed: ethtool ${name}`,
        }),
      ];
    }),
  );
  return faultsOr(found.flat(), id, "no managed interface is slower than configured");
}

async function checkMtu({ sources, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "link.mtu";
  const links = await sources.links();
  if (!links.seen) return [unseen(id, "MTUs", links.reason)];
  const names = new Set(subject.interfaces.map(({ name }) => name));
  const faults = links.value
    .filter(({ name, mtu }) => names.has(name) && mtu < LEAST_MTU)
    .map(({ name, mtu }) =>
      fault({
        id,
        severity: "warning",
        what: `${name} has an MTU of ${mtu}`,
        why: "IPv6 does not work there, and fragments of media have no ports, so they belong to no session",
        remedy: `ip link set dev ${name} mtu 1500`,
      }),
    );
  return faultsOr(faults, id, "the MTUs are large enough");
}

export const linkChecks: readonly Check[] = [
  { name: "link.present", run: checkPresence },
  { name: "link.speed", run: checkSpeed },
  { name: "link.mtu", run: checkMtu },
];
