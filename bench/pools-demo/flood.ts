/** The flood of the core link: from each side's load host to the other's, twice what the link carries. */
import { fileURLToPath } from "node:url";
import type { Lab } from "../../src/lab/lab.js";

export interface Flood {
  stop(): Promise<void>;
}

/** The link has 10 Mbit/s. */
const MBIT = 20;
/** Large packets: what a flood costs the machine goes by their number. */
const PACKET_OCTETS = 1250;
/** Bounded, whatever becomes of the demo. */
const SECONDS = 180;
/** Discard (RFC 863). */
const PORT = 9;
const DIRECTIONS = [
  { from: "load1", to: "10.3.0.99" },
  { from: "load2", to: "10.1.0.99" },
] as const;

/** Resolves when the queues in front of the link are full. */
export async function startFlood(lab: Lab): Promise<Flood> {
  const program = fileURLToPath(new URL("../../src/lab/flood-main.js", import.meta.url));
  const load = ["--port", PORT, "--mbit", MBIT, "--size", PACKET_OCTETS, "--seconds", SECONDS].map(String);
  for (const { from, to } of DIRECTIONS) {
    // Nobody answers what nobody asked for.
    const sink = "{ type filter hook prerouting priority raw; policy accept; }";
    const drop = `add chain inet sink in ${sink}; add rule inet sink in ip saddr ${to} drop`;
    await lab.exec(from, ["nft", `add table inet sink; ${drop}`]);
  }
  const floods = DIRECTIONS.map(({ from, to }) => lab.spawn(from, ["node", program, "--to", to, ...load]));
  await Promise.all(floods.map((flood) => flood.said("flooding")));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return {
    stop: async () => {
      await Promise.all(floods.splice(0).map((flood) => flood.stop()));
    },
  };
}
