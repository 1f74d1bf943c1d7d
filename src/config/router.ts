/** Schema of a router: the enforcement point on a Linux gateway. */
import { z } from "zod";
import { octets, seconds } from "../model/units.js";
import { type CrossProblem, commonKeys, duplicateNames } from "./common.js";
import type { PathContext } from "./paths.js";
import { checkRsvp, rsvpKeys } from "./rsvp.js";
import { count, identifier, interfaceName, ipAddress, phb, rate, socketAddress, time } from "./scalars.js";
import { checkStamp, stampKeys } from "./stamp.js";

const interfaceKeys = () =>
  z.strictObject({
    name: interfaceName().describe("The interface, as `ip link` shows it."),
    rate: rate().describe(
      "What the link can carry, counted at layer 2: the root of the HTB tree. A device that tells a lower speed is held to that.",
    ),
    signalling: rate().describe("Guaranteed to signalling on this interface, counted at layer 2."),
    overhead: count(0, 256)
      .transform(octets)
      .default(octets(0))
      .describe("Octets the link adds to each packet beyond what the kernel counts (ADSL, a tag set by the switch)."),
    mpu: count(0, 1000)
      .transform(octets)
      .optional()
      .describe("Least octets that a packet takes on the link, however short it is (64 on Ethernet)."),
    linkLayer: z
      .enum(["ethernet", "atm", "adsl"])
      .optional()
      .describe(
        "What the link cuts packets into: cells of 53 octets with 48 of payload on ATM and most ADSL; absent means frames.",
      ),
  });

const serverKeys = () =>
  z.strictObject({
    protocol: z.enum(["udp", "tcp"]).describe("Transport of the signalling protocol."),
    port: count(1, 65_535).describe("Port of the server."),
    addresses: z
      .array(ipAddress())
      .min(1)
      .max(256)
      .describe("Only packets from or to these servers are signalling: a port alone would be a free ride."),
  });

export const routerSchema = (context: PathContext) =>
  z.strictObject({
    ...commonKeys("router", context),
    pdp: z
      .strictObject({
        servers: z.array(socketAddress()).min(1).max(8).describe("Policy servers, in order of preference."),
      })
      .optional()
      .describe(
        "The policy server that decides for this router. A router that only is on the way of aggregates has none.",
      ),
    rsvp: rsvpKeys(context)
      .optional()
      .describe("Reservations in the network (RSVP aggregates, RFC 3175). Absent: none are made or let through."),
    stamp: stampKeys()
      .optional()
      .describe("Measurements between edges (STAMP, RFC 8762). Absent: none are made, and nobody's are reflected."),
    kernel: z
      .strictObject({
        table: identifier().default("sluice").describe("Name of the own nftables table (family inet)."),
        backend: z
          .enum(["auto", "nftables", "iptables", "dsmark", "ebpf"])
          .default("auto")
          .describe(
            "What marks, polices and counts. `auto` takes nftables, or iptables with ipset where nftables does not work. " +
              "`dsmark` has the queueing discipline DSMARK set the code points; Linux 6.3 and later do not have it. " +
              "`ebpf` has one program at the interfaces do all of it, on Linux 6.6 and later: the least work for a packet, " +
              "but no tunnels, and not for gateways with source NAT.",
          ),
        programming: z
          .enum(["auto", "netlink", "shell"])
          .default("auto")
          .describe(
            "How elements of nftables are changed: over netlink, or by one `nft -i` that stays. `auto` takes netlink where it works.",
          ),
        maxFlows: count(1, 1_000_000)
          .default(65_536)
          .describe("Most flows that each map of the kernel holds. A call has up to eight."),
        reconcile: time()
          .default(seconds(60))
          .describe("How often the kernel is compared with what is wanted even if nothing seems to have happened."),
        interfaces: z.array(interfaceKeys()).min(1).max(64).describe("Interfaces that get an HTB tree."),
      })
      .describe("What is managed in the Linux kernel."),
    signalling: z
      .strictObject({
        phb: phb().default("CS3").describe("Per-hop behaviour of signalling."),
        servers: z.array(serverKeys()).max(64).describe("What counts as signalling."),
      })
      .default({ phb: "CS3", servers: [] })
      .describe("Control traffic that must survive congestion."),
  });

export type RouterConfig = z.output<ReturnType<typeof routerSchema>>;

export function checkRouter(config: RouterConfig): readonly CrossProblem[] {
  const { interfaces } = config.kernel;
  return [
    ...checkPurpose(config),
    ...(config.rsvp === undefined ? [] : checkRsvp(config.rsvp, config.pdp !== undefined)),
    ...(config.stamp === undefined ? [] : checkStamp(config.stamp)),
    ...duplicateNames(interfaces, "interface", ["kernel", "interfaces"]),
    ...interfaces.flatMap((item, index) => {
      if (item.signalling < item.rate) return [];
      const path = ["kernel", "interfaces", index, "signalling"];
      return [{ path, message: "signalling takes the whole link", remedy: "make it less than the interface's rate" }];
    }),
  ];
}

function checkPurpose({ pdp, rsvp }: RouterConfig): readonly CrossProblem[] {
  if (pdp !== undefined || rsvp !== undefined) return [];
  const remedy = 'add "pdp:" with the policy server, or "rsvp:" for a router on the way of aggregates';
  return [{ path: ["role"], message: "nobody decides for this router", remedy }];
}
