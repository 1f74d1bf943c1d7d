/** The flood of the core link: from each side's load host to the other's, shaped to an even rate by the kernel. */
import { fileURLToPath } from "node:url";
import type { Lab } from "../lab.js";

export interface FloodControl {
  stop(): Promise<void>;
}

const BOTTLENECK_MBIT = 10;
const TIMES = 3;
/** Bounded, whatever becomes of the demo. */
const SECONDS = 180;
/** Discard (RFC 863): what comes is thrown away on arrival, without an answer. */
const PORT = 9;
/**
 * As large as an RTP packet of the calls, so that both have the same chance of a place in the queue. So many
 * small packets would cost a program much of a processor: it sends large datagrams, and the kernel cuts them up.
 */
const PACKET_OCTETS = 200;
const DATAGRAM_OCTETS = 16_000;

const DIRECTIONS = [
  { from: "load1", to: "10.3.0.99", via: "10.1.0.1" },
  { from: "load2", to: "10.1.0.99", via: "10.3.0.1" },
] as const;

/** Resolves when the queue in front of the bottleneck is full. */
export async function startFlood(lab: Lab): Promise<FloodControl> {
  const program = fileURLToPath(new URL("../flood-main.js", import.meta.url));
  const rate = BOTTLENECK_MBIT * TIMES;
  // A program's timers send in bursts, between which a queue has room and nothing is lost. The kernel's token
  // bucket spaces the packets evenly, if it always has some to send: hence a tenth more.
  for (const { from, to, via } of DIRECTIONS) {
    const mtu = ["mtu", "lock", String(PACKET_OCTETS)];
    await lab.exec(from, ["ip", "route", "replace", to, "via", via, ...mtu]);
    const shape = ["rate", `${rate}mbit`, "burst", "3k", "limit", "300k"];
    await lab.exec(from, ["tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", ...shape]);
    const hook = "{ type filter hook prerouting priority raw; policy accept; }";
    const sink = `add chain inet sink in ${hook}; add rule inet sink in ip saddr ${to} drop`;
    await lab.exec(from, ["nft", `add table inet sink; ${sink}`]);
  }
  const floods = DIRECTIONS.map(({ from, to }) => {
    const load = ["--mbit", String(rate * 1.1), "--size", String(DATAGRAM_OCTETS), "--seconds", String(SECONDS)];
    // Before others in turn, so that the flood does not pause on a busy machine; it needs very little.
    return lab.spawn(from, ["nice", "-n", "-10", "node", program, "--to", to, "--port", String(PORT), ...load]);
  });
  await Promise.all(floods.map((flood) => flood.said("flooding")));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  let stopped: Promise<void> | undefined;
  return {
    stop: () => {
      stopped ??= Promise.all(floods.map((flood) => flood.stop())).then(() => undefined);
      return stopped;
    },
  };
}
