/** What must fit together where pools are carried in tunnels; their edges are looked at by `checkEdges`. */
import { hasPorts, type TunnelKind } from "../model/tunnel.js";
import type { CrossProblem } from "./common.js";
import type { PdpConfig } from "./pdp.js";
import { MAX_TUNNEL, type PoolTunnel, tunnelOfPool, writtenTunnel } from "./pool-tunnels.js";

type Pool = PdpConfig["pools"][number];

/** A pool in a tunnel, and where it stands in the file. */
interface Tunnelled {
  readonly pool: Pool;
  readonly index: number;
  readonly tunnel: PoolTunnel;
  /** Names of the edge routers. */
  readonly routers: readonly string[];
}

export function checkTunnels(config: PdpConfig): readonly CrossProblem[] {
  const routers = new Map(config.communities.map(({ name, router }) => [name, router]));
  const tunnelled = config.pools.flatMap((pool, index): readonly Tunnelled[] => {
    const tunnel = tunnelOfPool(pool, config);
    const ends = [pool.from, pool.to].flatMap((name) => routers.get(name ?? "") ?? []);
    return tunnel === undefined ? [] : [{ pool, index, tunnel, routers: ends }];
  });
  return [
    ...config.pools.flatMap(checkWritten),
    ...checkNumbers(tunnelled),
    ...checkOuterFlows(tunnelled),
    ...checkEnds(tunnelled),
    ...checkPorts(tunnelled),
    ...tunnelled.flatMap((each) => checkPacketSize(config, each)),
  ];
}

const at = (index: number, key?: string): CrossProblem["path"] => [
  "pools",
  index,
  "carry",
  ...(key === undefined ? [] : [key]),
];

function checkWritten(pool: Pool, index: number): readonly CrossProblem[] {
  const written = writtenTunnel(pool);
  if (written === undefined) return [];
  const keys = (["sourcePort", "destinationPort"] as const).filter((key) => written[key] !== undefined);
  const needless = hasPorts(written.kind) ? [] : keys;
  const problems = needless.map((key) => ({
    path: at(index, key),
    message: `packets of kind ${written.kind} have no ports`,
    remedy: "take it away, or choose vxlan, fou or gue",
  }));
  if (written.tunnel !== undefined || pool.id <= MAX_TUNNEL) return problems;
  const message = `the number of pool "${pool.name}" is ${pool.id}: a tunnel has one of 1 to ${MAX_TUNNEL}`;
  return [...problems, { path: at(index), message, remedy: 'add "tunnel:" with a number that both edges have free' }];
}

/** The second and later pool of those that say the same of a thing that only one may have. */
function clashes(
  tunnelled: readonly Tunnelled[],
  claimsOf: (each: Tunnelled) => readonly string[],
  problem: (each: Tunnelled, first: Tunnelled) => CrossProblem,
): readonly CrossProblem[] {
  const taken = new Map<string, Tunnelled>();
  return tunnelled.flatMap((each) => {
    const claims = claimsOf(each);
    const first = claims.map((claim) => taken.get(claim)).find((other) => other !== undefined);
    for (const claim of claims) if (!taken.has(claim)) taken.set(claim, each);
    return first === undefined ? [] : [problem(each, first)];
  });
}

const checkNumbers = (tunnelled: readonly Tunnelled[]): readonly CrossProblem[] =>
  clashes(
    tunnelled,
    ({ tunnel, routers }) => routers.map((router) => `${router} ${tunnel.number}`),
    ({ pool, index, tunnel, routers }, first) => {
      const router = routers.find((name) => first.routers.includes(name)) ?? "";
      const message = `tunnel ${tunnel.number} of pool "${pool.name}" is that of pool "${first.pool.name}" at router "${router}" already`;
      return { path: at(index), message, remedy: 'give one of them another number by "tunnel:"' };
    },
  );

/** Only by their outer flow do routers on the way tell tunnels apart. */
const checkOuterFlows = (tunnelled: readonly Tunnelled[]): readonly CrossProblem[] =>
  clashes(
    tunnelled,
    ({ tunnel: { from, to, kind, sourcePort, destinationPort } }) => [
      `${[from, to].sort()} ${hasPorts(kind) ? `udp ${sourcePort} ${destinationPort}` : kind}`,
    ],
    ({ pool, index, tunnel }, first) => ({
      path: at(index),
      message: `the tunnel of pool "${pool.name}" looks from outside like that of pool "${first.pool.name}"`,
      remedy: hasPorts(tunnel.kind)
        ? "give one of them another sourcePort"
        : "choose vxlan, fou or gue: they have ports",
    }),
  );

/** IP in IP, also in UDP, is told apart by the addresses of its ends alone. */
const BY_ENDS: ReadonlySet<TunnelKind> = new Set(["ipip", "fou", "gue"]);

const checkEnds = (tunnelled: readonly Tunnelled[]): readonly CrossProblem[] =>
  clashes(
    tunnelled.filter(({ tunnel }) => BY_ENDS.has(tunnel.kind)),
    ({ tunnel: { from, to } }) => [`${[from, to].sort()}`],
    ({ pool, index, tunnel }, first) => ({
      path: at(index),
      message: `between the edges of pool "${pool.name}" is the ${first.tunnel.kind} tunnel of pool "${first.pool.name}" already, beside which the kernel has no second one of ${tunnel.kind}`,
      remedy: "choose vxlan or gre for one of them",
    }),
  );

/** A port takes packets of one tunnel; with VXLAN those of all, as a number in the packet tells them apart. */
function checkPorts(tunnelled: readonly Tunnelled[]): readonly CrossProblem[] {
  const taken = new Map<string, Tunnelled>();
  return tunnelled.flatMap((each): readonly CrossProblem[] => {
    const { pool, index, tunnel, routers } = each;
    if (!hasPorts(tunnel.kind)) return [];
    const claims = routers.map((router) => `${router} ${tunnel.destinationPort}`);
    const isVxlan = ({ tunnel: { kind } }: Tunnelled): boolean => kind === "vxlan";
    const others = claims.flatMap((claim) => taken.get(claim) ?? []);
    const other = others.find((found) => !isVxlan(found) || !isVxlan(each));
    for (const claim of claims) if (!taken.has(claim)) taken.set(claim, each);
    if (other === undefined) return [];
    const message = `port ${tunnel.destinationPort} of pool "${pool.name}" takes ${other.tunnel.kind} of pool "${other.pool.name}"`;
    return [{ path: at(index), message, remedy: 'choose another "destinationPort:" for one of them' }];
  });
}

/** A larger packet would be refused by the tunnel, or cut to pieces, in the middle of a call. */
function checkPacketSize({ classes }: PdpConfig, { pool, index, tunnel }: Tunnelled): readonly CrossProblem[] {
  const serviceClass = classes.find(({ name }) => name === pool.class);
  if (serviceClass === undefined || serviceClass.packetSize <= tunnel.mtu) return [];
  const { name, packetSize } = serviceClass;
  const message = `packets of class "${name}" come to ${packetSize} octets, into the tunnel of pool "${pool.name}" fit ${tunnel.mtu}`;
  const remedy = `lower the class's packetSize to what its media has, or raise "mtu:" where the path carries ${tunnel.overhead} octets more`;
  return [{ path: at(index), message, remedy }];
}
