/** What `sluice doctor` finds about RSVP of a router: transport, interfaces, address, room. Changes nothing. */
import { z } from "zod";
import type { RouterConfig } from "../config/router.js";
import type { RsvpConfig } from "../config/rsvp.js";
import { hasCapability } from "../kernel/preflight/checks/capabilities.js";
import { type Finding, fault, faultsOr, fine, unseen } from "../kernel/preflight/finding.js";
import { openLinuxMachine } from "../kernel/preflight/linux-machine.js";
import { look, type Machine } from "../kernel/preflight/machine.js";
import { parseJson } from "../kernel/preflight/sources/json.js";
import { familyOf, parseAddress } from "../model/ip.js";
import { probeTransports, type TransportProbe, type TransportProbes } from "../rsvp/endpoint/open-transport.js";
import { examineFirewall } from "./rsvp-firewall.js";

export interface RsvpExamination {
  readonly machine: Machine;
  /** Opens the sockets that RSVP needs, and closes them. */
  readonly probe: () => Promise<TransportProbes>;
}

const CAP_NET_RAW = 13n;

const presentSchema = z.array(
  z.object({
    ifname: z.string(),
    flags: z.array(z.string()),
    addr_info: z.array(z.object({ local: z.string().optional(), scope: z.string().optional() })).default([]),
  }),
);
type Present = z.output<typeof presentSchema>[number];

/** Nothing for a router without `rsvp:`. Never rejects. */
export async function examineRsvp(
  { rsvp, kernel }: RouterConfig,
  { machine, probe }: RsvpExamination = { machine: openLinuxMachine(), probe: probeTransports },
): Promise<readonly Finding[]> {
  if (rsvp === undefined) return [];
  const present = await look(machine, ["ip", "-json", "address", "show"], (text) => parseJson(text, presentSchema));
  const found = await Promise.all([
    examineTransport(rsvp, machine, probe),
    present.seen
      ? [...examineInterfaces(rsvp, present.value), ...examineAddress(rsvp, present.value)]
      : [unseen("rsvp.interface", "interfaces that RSVP is spoken on", present.reason, "install iproute2")],
    examineRooms(rsvp, kernel),
    rsvp.transport === "udp" ? [] : examineFirewall(machine, kernel.table),
  ]);
  return found.flat();
}

async function examineTransport(
  { transport, address }: RsvpConfig,
  machine: Machine,
  probe: RsvpExamination["probe"],
): Promise<readonly Finding[]> {
  const id = "rsvp.transport";
  const { rawIpv4, rawIpv6, udp } = await probe();
  if (transport === "udp") return [udp.works ? fine(id, "RSVP goes by UDP") : noTransport(id, "udp", udp)];
  if (rawIpv4.works && rawIpv6.works) return [fine(id, "RSVP goes by raw sockets, over IPv4 and IPv6")];
  const missing = rawIpv4.works ? rawIpv6 : rawIpv4;
  if (!isPackageMissing(missing) && (await lacksRawCapability(machine))) {
    const reason = "this process lacks CAP_NET_RAW: it cannot try what the router will";
    return [unseen(id, "raw sockets for RSVP", reason, "sudo sluice doctor")];
  }
  if (!rawIpv4.works && !rawIpv6.works) {
    if (transport === "raw" || !udp.works) return [noTransport(id, transport, missing)];
    const what = "RSVP goes by UDP only, as raw sockets do not work here";
    const why = "only neighbours hear it that speak RSVP by UDP and are named by nextHop";
    return [fault({ id, severity: "warning", what, why, remedy: remedyOf(missing), detail: missing.evidence })];
  }
  const family = rawIpv4.works ? 6 : 4;
  const isOwn = address !== undefined && familyOf(address) === family;
  const what = `RSVP does not go over IPv${family}: raw sockets work for the other family only`;
  const why = isOwn
    ? "no reservation begins or ends at the address of this router"
    : `no reservation between IPv${family} addresses comes about here`;
  const severity = isOwn ? "error" : "warning";
  return [fault({ id, severity, what, why, remedy: remedyOf(missing), detail: missing.evidence })];
}

function noTransport(id: string, transport: RsvpConfig["transport"], missing: TransportProbe): Finding {
  const what = transport === "udp" ? "RSVP cannot be sent by UDP" : "RSVP cannot be sent by raw sockets";
  const why = "the router does not start";
  const remedy = transport === "udp" ? "ss -ulnp sport = 1698: end what has the port" : remedyOf(missing);
  return fault({ id, severity: "error", what, why, remedy, detail: missing.evidence });
}

const isPackageMissing = ({ evidence }: TransportProbe): boolean => /cannot find/i.test(evidence);

const remedyOf = (missing: TransportProbe): string =>
  isPackageMissing(missing)
    ? "npm install raw-socket"
    : "give the router CAP_NET_RAW: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its unit";

async function lacksRawCapability(machine: Machine): Promise<boolean> {
  return hasCapability((await machine.read("/proc/self/status")) ?? "", CAP_NET_RAW) === false;
}

function examineInterfaces({ interfaces }: RsvpConfig, present: readonly Present[]): readonly Finding[] {
  const id = "rsvp.interface";
  const faults = interfaces.flatMap(({ name }): readonly Finding[] => {
    const trouble = troubleOf(
      name,
      present.find(({ ifname }) => ifname === name),
    );
    if (trouble === undefined) return [];
    const why = "no reservation passes it until it carries packets under an address";
    return [fault({ id, severity: "warning", why, ...trouble })];
  });
  return faultsOr(faults, id, "the interfaces that RSVP is spoken on are there, up, and have an address");
}

function troubleOf(name: string, found: Present | undefined): { what: string; remedy: string } | undefined {
  if (found === undefined) {
    return { what: `there is no interface ${name}`, remedy: "ip -brief link: correct rsvp.interfaces, or create it" };
  }
  if (!found.flags.includes("UP")) return { what: `${name} is down`, remedy: `ip link set dev ${name} up` };
  if (!found.flags.includes("LOWER_UP")) {
    return { what: `${name} has no carrier`, remedy: `ip link show dev ${name}: see to its cable and its far end` };
  }
  if (addressesOf(found).length > 0) return undefined;
  return { what: `${name} has no address`, remedy: `ip address add ADDRESS/LENGTH dev ${name}` };
}

/** Link-local ones of IPv6 are no end of a session. */
const addressesOf = ({ addr_info: addresses }: Present): readonly string[] =>
  addresses.flatMap(({ local = "", scope }) => (scope === "link" ? [] : (parseAddress(local) ?? [])));

function examineAddress({ address }: RsvpConfig, present: readonly Present[]): readonly Finding[] {
  const id = "rsvp.address";
  if (address === undefined) return [];
  if (present.flatMap(addressesOf).includes(address)) return [fine(id, `aggregates end at ${address}, which is ours`)];
  return [
    fault({
      id,
      severity: "error",
      what: `aggregates are to end at ${address}, which no interface of this machine has`,
      why: "this router takes messages to that address for another's: no aggregate comes about",
      remedy: "ip -brief address: correct rsvp.address, or add the address to an interface",
    }),
  ];
}

/** Layer 3 against layer 2: what is too much at layer 3 is so at layer 2 all the more. */
function examineRooms({ interfaces }: RsvpConfig, kernel: RouterConfig["kernel"]): readonly Finding[] {
  const id = "rsvp.room";
  const faults = interfaces.flatMap(({ name, room }): readonly Finding[] => {
    const managed = kernel.interfaces.find((each) => each.name === name);
    if (managed === undefined) {
      const what = `RSVP is spoken on ${name}, which has no queues of ours`;
      const why = "what is reserved there is not guaranteed: nothing keeps other traffic out of it";
      const remedy = `add ${name} to kernel.interfaces, with its rate`;
      return [fault({ id: "rsvp.managed", severity: "warning", what, why, remedy })];
    }
    const { rate, signalling } = managed;
    if (room + signalling <= rate) return [];
    const what = `reservations may take ${room / 1e6} Mbit/s of ${name}, which carries ${rate / 1e6} Mbit/s, with ${signalling / 1e6} Mbit/s for signalling`;
    const why = "when all of it is reserved, no reservation gets what was promised";
    const most = Math.max(0, rate - signalling) / 1e6;
    const remedy = `set the room of ${name} in rsvp.interfaces to less than ${most} Mbit/s`;
    return [fault({ id, severity: "warning", what, why, remedy })];
  });
  return faultsOr(faults, id, "the room of each interface fits into its rate");
}
