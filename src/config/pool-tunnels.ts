/** Tunnels of pools: how they are written, and what each comes to. */
import { z } from "zod";
import { familyOf, type IpAddress } from "../model/ip.js";
import { hasPorts, TUNNEL_KINDS, type TunnelKind, tunnelMtu, tunnelOverhead } from "../model/tunnel.js";
import { type Octets, octets } from "../model/units.js";
import { count } from "./scalars.js";

/** What IPv6 needs, and what devices take. */
export const TUNNEL_MTU = { least: 1280, most: 65_000 } as const;
export const MAX_TUNNEL = 255;

const port = () => count(1, 65_534);

const tunnelKeys = () =>
  z.strictObject({
    tunnel: count(1, MAX_TUNNEL)
      .optional()
      .describe("Number of the tunnel, the same at both ends; the pool's `id` if left out and at most 255."),
    kind: z
      .enum(TUNNEL_KINDS)
      .default("vxlan")
      .describe(
        "Encapsulation. Over IPv4 it adds `ipip` 20, `gre` and `fou` 28, `gue` 32, `vxlan` 50 octets to each packet, over IPv6 20 more. A router refuses a kind that its Linux does not have.",
      ),
    sourcePort: port()
      .optional()
      .describe("Of the outer packets, with a kind that has ports: 49152 and the tunnel's number if left out."),
    destinationPort: port()
      .optional()
      .describe(
        "Of the outer packets: 4789 with `vxlan`, 20000 and the tunnel's number with `fou` and `gue`, if left out.",
      ),
    mtu: count(TUNNEL_MTU.least, TUNNEL_MTU.most)
      .transform(octets)
      .optional()
      .describe(
        "Octets of the largest packet inside, counted at layer 3: 1500 less what the kind adds, if left out. The path between the edges must carry it with what the kind adds.",
      ),
  });

/** How packets of a pool reach the other edge. */
export const carryKeys = () =>
  z
    .union([z.enum(["marked", "tunnelled"]), tunnelKeys()])
    .default("marked")
    .describe(
      "`marked`: by their code point alone. `tunnelled`, or keys: all sessions of the pool in one tunnel between the edges of its communities, as one outer flow. Both policy servers must say the same.",
    );

export type PoolCarry = z.output<ReturnType<typeof carryKeys>>;

/** RFC 7348 §5. */
const VXLAN_PORT = 4789;
/** The kernel takes each tunnel of IP in UDP at a port of its own; below those that it gives to whoever asks for any. */
const FIRST_DESTINATION_PORT = 20_000;
/** Of the dynamic ports (RFC 6335 §6), one for each tunnel. */
const FIRST_SOURCE_PORT = 49_152;
/** Of the path between the edges, layer 3. */
const PATH_MTU = octets(1500);

/** The tunnel of a pool, as both of its ends see it. */
export interface PoolTunnel {
  /** 1..255 */
  readonly number: number;
  readonly kind: TunnelKind;
  /** Outer addresses: the edges of the pool's `from` and `to`. */
  readonly from: IpAddress;
  readonly to: IpAddress;
  /** 0 with a kind that has no ports; else the same in both directions. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Largest inner packet, layer 3. */
  readonly mtu: Octets;
  /** What it adds to each packet, layer 3. */
  readonly overhead: Octets;
}

/** Pools and communities of a policy server, as far as tunnels depend on them. */
export interface TunnelSources {
  readonly communities: readonly { readonly name: string; readonly edge?: IpAddress | undefined }[];
}

export interface CarriedPool {
  readonly id: number;
  readonly carry: PoolCarry;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The keys of a tunnelled pool; undefined for one that is marked. */
export function writtenTunnel({ carry }: CarriedPool): Exclude<PoolCarry, string> | undefined {
  if (carry === "marked") return undefined;
  return carry === "tunnelled" ? { kind: "vxlan" } : carry;
}

/** Of a tunnelled pool of a checked file; undefined for one that is marked, or that no tunnel can be made of. */
export function tunnelOfPool(pool: CarriedPool, { communities }: TunnelSources): PoolTunnel | undefined {
  const written = writtenTunnel(pool);
  const edge = (name: string | undefined) => communities.find((community) => community.name === name)?.edge;
  const [from, to] = [edge(pool.from), edge(pool.to)];
  const family = from === undefined ? undefined : familyOf(from);
  const number = written?.tunnel ?? pool.id;
  if (written === undefined || from === undefined || to === undefined || family === undefined) return undefined;
  if (number > MAX_TUNNEL) return undefined;
  const { kind } = written;
  const overhead = tunnelOverhead(kind, family);
  const mtu = written.mtu ?? tunnelMtu(kind, family, PATH_MTU);
  return { number, kind, from, to, ...portsOf(written, number), mtu, overhead };
}

function portsOf(
  { kind, sourcePort, destinationPort }: Exclude<PoolCarry, string>,
  number: number,
): Pick<PoolTunnel, "sourcePort" | "destinationPort"> {
  if (!hasPorts(kind)) return { sourcePort: 0, destinationPort: 0 };
  return {
    sourcePort: sourcePort ?? FIRST_SOURCE_PORT + number,
    destinationPort: destinationPort ?? (kind === "vxlan" ? VXLAN_PORT : FIRST_DESTINATION_PORT + number),
  };
}
