/** Interfaces and routes as `ip` tells them, and rtnetlink's word that they have changed: what RSVP has to know of the network. */
import { execa } from "execa";
import { z } from "zod";
import { NetlinkAgent } from "../kernel/netlink/agent/agent.js";
import { NetworkEvents } from "../kernel/netlink/network-events.js";
import { speedsIn } from "../kernel/tc/speed.js";
import type { Clock } from "../model/clock.js";
import { SystemError } from "../model/errors.js";
import { type IpAddress, parseAddress } from "../model/ip.js";
import type { Logger } from "../model/log.js";
import { octets } from "../model/units.js";
import type { LocalInterface, NetworkChange, NetworkFollower, NetworkView } from "../pep/router/rsvp/network-view.js";
import type { Route } from "../rsvp/machine/state.js";

const interfaceList = z.array(
  z.object({
    ifindex: z.number().int().positive(),
    ifname: z.string(),
    flags: z.array(z.string()),
    mtu: z.number().int().positive(),
    /** Of a bus: only then the speed means something. */
    parentdev: z.string().optional(),
    addr_info: z.array(z.object({ local: z.string().optional(), scope: z.string().optional() })).default([]),
  }),
);

const routeList = z.array(
  z.object({ dst: z.string(), type: z.string().default("unicast"), dev: z.string().optional() }),
);

const TIMEOUT_MS = 5000;

const speedOf = speedsIn("/sys");

export const ipNetwork: NetworkView = { interfaces, routes };

/** As `ipNetwork`, and says when to look again. */
export const followedNetwork = (options: { readonly clock: Clock; readonly log: Logger }): NetworkView => ({
  ...ipNetwork,
  follow: (changed) => followNetwork(options, changed),
});

/** By a netlink agent of its own: what it misses while it is started again calls for a look. */
function followNetwork(
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  changed: (change: NetworkChange) => void,
): NetworkFollower {
  let isListening = false;
  const agent = new NetlinkAgent({ name: "network", clock, log });
  const events = new NetworkEvents(agent, {
    joined: () => {
      isListening = true;
      changed({ what: "everything" });
    },
    event: (event) => changed(event.kind === "routes" ? { what: "routes", to: event.to } : { what: "everything" }),
    lost: (reason) => {
      // Where nothing was heard yet, the agent's own warning says it.
      if (isListening) log.info("rsvp.network-missed", { reason });
      isListening = false;
      changed({ what: "everything" });
    },
  });
  return {
    get isListening() {
      return isListening;
    },
    close: async () => {
      events.close();
      await agent.close();
    },
  };
}

async function interfaces(): Promise<readonly LocalInterface[]> {
  const found = await askIp(interfaceList, ["-details", "address", "show"]);
  const up = found.filter(({ flags }) => flags.includes("UP") && flags.includes("LOWER_UP"));
  return Promise.all(
    up.map(async ({ ifindex: index, ifname: name, mtu, parentdev, addr_info: addresses }) => {
      const own = addresses.filter(({ scope }) => scope !== "link").map(({ local = "" }) => parseAddress(local));
      const known = own.filter((address) => address !== undefined);
      const speed = await speedOf({ index, name, mtu, hardware: parentdev !== undefined, linkType: 0 });
      return { name, index, mtu: octets(mtu), addresses: known, ...(speed === undefined ? {} : { speed }) };
    }),
  );
}

/** All in one call of `ip`, however many there are. */
async function routes(destinations: readonly IpAddress[]): Promise<ReadonlyMap<IpAddress, Route>> {
  // -force: goes on after one that cannot be reached, which is then left out.
  const questions = destinations.map((to) => `route get ${to}\n`).join("");
  const found = new Map<IpAddress, Route>();
  for (const { dst, type, dev } of await askIp(routeList, ["-force", "-batch", "-"], questions)) {
    const destination = parseAddress(dst);
    if (destination === undefined) continue;
    if (type === "local") found.set(destination, { kind: "local" });
    else if (type === "unicast" && dev !== undefined) found.set(destination, { kind: "interface", name: dev });
  }
  return found;
}

/** Every command's answer is a JSON array on a line of its own; here they are one. */
async function askIp<Item>(schema: z.ZodType<Item[]>, args: readonly string[], input = ""): Promise<readonly Item[]> {
  const result = await execa("ip", ["-j", ...args], {
    input,
    reject: false,
    timeout: TIMEOUT_MS,
    env: { LC_ALL: "C" },
  });
  const refuse = (said: string, cause?: unknown): SystemError =>
    new SystemError("RSVP_NETWORK", `ip ${args.join(" ")}: ${said}`, { cause, remedy: "install iproute2" });
  // A batch that went on after a destination without a route ends with status 1, and its other answers count.
  const isBatch = args.includes("-batch");
  if (result.exitCode !== 0 && !(isBatch && result.exitCode === 1)) {
    throw refuse(result.stderr.split("\n")[0] ?? "", result.cause);
  }
  try {
    const lines = result.stdout.split("\n").filter((line) => line.startsWith("["));
    return lines.flatMap((line) => schema.parse(JSON.parse(line)));
  } catch (cause) {
    throw refuse("its answer cannot be read", cause);
  }
}
