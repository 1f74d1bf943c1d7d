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
/** As large as an RTP packet of the calls, so that both have the same chance of a place in the queue. */
const PACKET_OCTETS = 200;

const DIRECTIONS = [
  { from: "load1", to: "10.3.0.99" },
  { from: "load2", to: "10.1.0.99" },
] as const;

/** Resolves when the queue in front of the bottleneck is full. */
export async function startFlood(lab: Lab): Promise<FloodControl> {
  const program = fileURLToPath(new URL("../flood-main.js", import.meta.url));
  const rate = BOTTLENECK_MBIT * TIMES;
  // A program's timers send in bursts, between which a queue has room and nothing is lost. The kernel's token
  // bucket spaces the packets evenly, if it always has some to send: hence a tenth more.
  for (const { from } of DIRECTIONS) {
    const shape = ["rate", `${rate}mbit`, "burst", "3k", "limit", "300k"];
    await lab.exec(from, ["tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", ...shape]);
    const hook = "{ type filter hook prerouting priority raw; policy accept; }";
    const sink = `add chain inet sink in ${hook}; add rule inet sink in udp dport ${PORT} drop`;
    await lab.exec(from, ["nft", `add table inet sink; ${sink}`]);
  }
  const floods = DIRECTIONS.map(({ from, to }) => {
    const load = ["--mbit", String(rate * 1.1), "--sizes", String(PACKET_OCTETS), "--seconds", String(SECONDS)];
    return lab.spawn(from, ["node", program, "--to", to, "--port", String(PORT), ...load]);
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
