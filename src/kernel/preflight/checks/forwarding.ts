/** Whether the kernel forwards what a router is there to forward. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, faultsOr, fine, unseen } from "../finding.js";
import { isOwnDevice } from "../subject.js";
import { keepHint, readSysctl, setCommand } from "../sysctl.js";
import { interfacesInQuestion } from "./interfaces-in-question.js";

const STRICT = 1;

async function checkFamily(context: CheckContext, family: 4 | 6): Promise<readonly Finding[]> {
  const { machine, subject } = context;
  const id = `forwarding.ipv${family}`;
  const whole = await (family === 4
    ? readSysctl(machine, "net", "ipv4", "ip_forward")
    : readSysctl(machine, "net", "ipv6", "conf", "all", "forwarding"));
  if (whole.value === undefined) {
    if (family === 6) return [fine(id, "this kernel has no IPv6")];
    return [unseen(id, "whether IPv4 is forwarded", `${whole.text} cannot be read`)];
  }
  if (whole.value === 0) {
    const severity = family === 4 && subject.isConfigured ? "error" : "warning";
    const what = `IPv${family} is not forwarded (${whole.text} is 0)`;
    const why = "packets of admitted sessions end at this machine";
    const remedy = setCommand(whole.text, 1);
    return [fault({ id, severity, what, why, remedy, detail: keepHint(whole.text, 1) })];
  }
  const { names, grade } = await interfacesInQuestion(context);
  const switches = await Promise.all(
    names.map((name) => readSysctl(machine, "net", `ipv${family}`, "conf", name, "forwarding")),
  );
  const off = switches.filter(({ value }) => value === 0);
  const faults = off.map(({ text }) =>
    fault({
      id: `${id}.interface`,
      severity: grade,
      what: `IPv${family} is not forwarded from one interface (${text} is 0)`,
      why: "what comes in there ends at this machine, although forwarding is on for the others",
      remedy: setCommand(text, 1),
      detail: keepHint(text, 1),
    }),
  );
  return faultsOr(faults, id, `IPv${family} is forwarded`);
}

async function ownTunnels({ sources, subject }: CheckContext): Promise<readonly string[]> {
  const links = await sources.links();
  return links.seen ? links.value.map(({ name }) => name).filter((name) => isOwnDevice(subject, name)) : [];
}

/** The larger of the two rules (Documentation/networking/ip-sysctl.rst). */
async function checkReversePath(context: CheckContext): Promise<readonly Finding[]> {
  const { machine } = context;
  const all = await readSysctl(machine, "net", "ipv4", "conf", "all", "rp_filter");
  if (all.value === undefined) return [unseen("forwarding.reversePath", "rp_filter", `${all.text} cannot be read`)];
  const id = "forwarding.reversePath";
  const { names: managed, grade } = await interfacesInQuestion(context);
  const names = [...new Set([...managed, ...(await ownTunnels(context))])];
  const own = await Promise.all(names.map((name) => readSysctl(machine, "net", "ipv4", "conf", name, "rp_filter")));
  const faults = own.flatMap((found, index): readonly Finding[] => {
    const { value = 0, text } = found;
    if (Math.max(value, all.value ?? 0) !== STRICT) return [];
    const what = `strict reverse path filter on ${names[index]} (${all.text} is ${all.value}, ${text} is ${value})`;
    const why =
      "packets that come in where the route back does not lead are dropped before they are seen: " +
      "tunnels and asymmetric paths lose media in one direction";
    // Loose (2) wins over strict (1), whichever of the two says it.
    return [fault({ id, severity: grade, what, why, remedy: setCommand(text, 2), detail: keepHint(text, 2) })];
  });
  return faultsOr(faults, id, "no strict reverse path filter");
}

/** RFC 4861 §6.2.2: hosts listen to advertisements, routers do not; Linux stops listening when it forwards, unless it is told 2. */
async function checkAdvertisements(context: CheckContext): Promise<readonly Finding[]> {
  const { machine, sources } = context;
  const id = "forwarding.routerAdvertisements";
  const forwarding = await readSysctl(machine, "net", "ipv6", "conf", "all", "forwarding");
  const routes = await machine.run("ip", ["-6", "-json", "route", "show", "default"]);
  if (forwarding.value !== 0 || routes.status !== "exited" || routes.exitCode !== 0) {
    return [fine(id, "no default route depends on router advertisements")];
  }
  const links = await sources.links();
  const names = links.seen ? links.value.map(({ name }) => name) : [];
  const learnt = names.filter((name) => routes.stdout.includes(`"dev":"${name}"`) && routes.stdout.includes('"ra"'));
  const faults = await Promise.all(
    learnt.map(async (name) => {
      const accept = await readSysctl(machine, "net", "ipv6", "conf", name, "accept_ra");
      if (accept.value !== 1) return [];
      return [
        fault({
          id,
          severity: "note",
          what: `the IPv6 default route of ${name} is learnt from advertisements (${accept.text} is 1)`,
          why: "turning on forwarding ends that, and the route is lost when it expires",
          remedy: setCommand(accept.text, 2),
          detail: keepHint(accept.text, 2),
        }),
      ];
    }),
  );
  return faultsOr(faults.flat(), id, "no default route depends on router advertisements");
}

const BRIDGE_SWITCHES = ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"];

async function checkBridges({ machine, sources }: CheckContext): Promise<readonly Finding[]> {
  const id = "forwarding.bridgeNetfilter";
  const links = await sources.links();
  if (!links.seen) return [unseen(id, "bridges", links.reason)];
  const bridges = links.value.filter(({ kind }) => kind === "bridge").map(({ name }) => name);
  const switches = await Promise.all(BRIDGE_SWITCHES.map((name) => readSysctl(machine, "net", "bridge", name)));
  const on = bridges.length === 0 ? [] : switches.filter(({ value }) => value === 1);
  const faults = on.map(({ text }) =>
    fault({
      id,
      severity: "note",
      what: `bridged frames pass the hooks of routed packets (${text} is 1)`,
      why: "a session's packet that is bridged first and routed then is policed and counted twice",
      remedy: setCommand(text, 0),
      detail: `bridges: ${bridges.join(", ")}; container networks may rely on it; ${keepHint(text, 0)}`,
    }),
  );
  return faultsOr(faults, id, "bridged frames do not pass the hooks of routed packets");
}

export const forwardingChecks: readonly Check[] = [
  { name: "forwarding.ipv4", run: (context) => checkFamily(context, 4) },
  { name: "forwarding.ipv6", run: (context) => checkFamily(context, 6) },
  { name: "forwarding.reversePath", run: checkReversePath },
  { name: "forwarding.routerAdvertisements", run: checkAdvertisements },
  { name: "forwarding.bridgeNetfilter", run: checkBridges },
];
