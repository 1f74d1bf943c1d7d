/**
 * A path of four namespaces, a - near edge - far edge - b, the near edge being the namespace that this runs in, and what a tunnel
 * between the edges does to packets from a to b. Needs nothing of the test runner, so that it also runs where that is too heavy.
 */
import { execa } from "execa";
import { fouPortOf } from "../../../src/kernel/link/fou-port.js";
import {
  createCommands,
  deleteCommands,
  type IpCommands,
  TunnelNames,
  tunnelMark,
} from "../../../src/kernel/link/tunnel.js";
import type { Tunnel } from "../../../src/kernel/port.js";
import { familyOf, type IpFamily } from "../../../src/model/ip.js";
import { hasPorts, OUTER_PROTOCOL, type TunnelKind, tunnelMtu, tunnelOverhead } from "../../../src/model/tunnel.js";
import { octets } from "../../../src/model/units.js";

export const TABLE = "sluice_test";
export const PATH_MTU = octets(1500);
const names = new TunnelNames(TABLE);
const PORT = 7001;
const CLASS = "1:10";

type Both = Readonly<Record<IpFamily, string>>;
const A: Both = { 4: "192.0.2.10", 6: "2001:db8:1::10" };
const B: Both = { 4: "198.51.100.20", 6: "2001:db8:3::20" };
const NEAR: Both = { 4: "10.2.0.1", 6: "2001:db8:2::1" };
const FAR: Both = { 4: "10.2.0.2", 6: "2001:db8:2::2" };
const FAMILIES: readonly IpFamily[] = [4, 6];

const run = async (line: string, input = ""): Promise<string> => {
  const [program = "", ...args] = line.split(" ");
  return (await execa(program, args, { env: { LC_ALL: "C" }, input })).stdout;
};
const ip = (line: string): Promise<string> => run(`ip ${line}`);

/** As the policy server would ask for it: the largest inner packet makes the largest outer one. */
export const tunnelOfKind = (kind: TunnelKind, outer: IpFamily, id = 7): Tunnel => ({
  id,
  name: `${kind} over IPv${outer}`,
  kind,
  local: NEAR[outer],
  remote: FAR[outer],
  ...(hasPorts(kind)
    ? { sourcePort: 50_000 + 10 * id, destinationPort: 6080 + id }
    : { sourcePort: 0, destinationPort: 0 }),
  mtu: tunnelMtu(kind, outer, PATH_MTU),
});

export async function buildEdges(): Promise<void> {
  const lines = [
    "netns add a",
    "netns add far",
    "netns add b",
    "link add to-a type veth peer name eth0 netns a",
    "link add wan type veth peer name wan netns far",
    "-n far link add to-b type veth peer name eth0 netns b",
    ...["link set to-a up", "link set wan up", "-n far link set wan up", "-n far link set to-b up"],
    ...["a", "b"].flatMap((end) => [`-n ${end} link set eth0 up`, `-n ${end} link set lo up`]),
    ...["192.0.2.1/24", "2001:db8:1::1/64"].map((address) => `addr add ${address} dev to-a nodad`),
    ...FAMILIES.map((family) => `addr add ${NEAR[family]}/${family === 4 ? 24 : 64} dev wan nodad`),
    ...FAMILIES.map((family) => `-n far addr add ${FAR[family]}/${family === 4 ? 24 : 64} dev wan nodad`),
    ...["198.51.100.1/24", "2001:db8:3::1/64"].map((address) => `-n far addr add ${address} dev to-b nodad`),
    ...FAMILIES.map((family) => `-n a addr add ${A[family]}/${family === 4 ? 24 : 64} dev eth0 nodad`),
    ...FAMILIES.map((family) => `-n b addr add ${B[family]}/${family === 4 ? 24 : 64} dev eth0 nodad`),
    ...["192.0.2.1", "2001:db8:1::1"].map((hop) => `-n a route add default via ${hop}`),
    ...["198.51.100.1", "2001:db8:3::1"].map((hop) => `-n b route add default via ${hop}`),
    ...FAMILIES.map((family) => `route add default via ${FAR[family]}`),
    ...FAMILIES.map((family) => `-n far route add default via ${NEAR[family]}`),
  ];
  for (const line of lines) await ip(line);
  const forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
  await execa("sh", ["-c", forward]);
  await execa("ip", ["netns", "exec", "far", "sh", "-c", forward]);
}

const inFar = async (commands: IpCommands): Promise<void> => {
  for (const family of FAMILIES) {
    if (commands[family].length > 0) await run(`ip -n far -${family} -batch -`, `${commands[family].join("\n")}\n`);
  }
};
const otherEnd = (tunnel: Tunnel): Tunnel => ({ ...tunnel, local: tunnel.remote, remote: tunnel.local });

/** The other end of it, by the same commands. */
export const endInFar = (tunnel: Tunnel): Promise<void> => inFar(createCommands(names, otherEnd(tunnel)));

export function endGoneInFar(tunnel: Tunnel): Promise<void> {
  const port = fouPortOf(otherEnd(tunnel));
  const throws = { 4: [], 6: [], [familyOf(tunnel.local) ?? 4]: [tunnel.local] };
  const parts = { device: true, rules: { 4: 1, 6: 1 }, throws, ports: port === undefined ? [] : [port] };
  return inFar(deleteCommands(names, tunnel.id, parts));
}

/** Of each datagram the index, and octets that depend on it and on where they are. */
const SENDER = `
const { createSocket } = require("node:dgram");
const send = async ({ from, to, sizes }) => {
  const six = to.includes(":");
  const socket = createSocket(six ? "udp6" : "udp4");
  await new Promise((done) => socket.bind(7000, from, done));
  for (const [index, size] of sizes.entries()) {
    const payload = Buffer.from(Array.from({ length: size - (six ? 48 : 28) }, (_, at) => (index * 31 + at * 7) & 0xff));
    await new Promise((done) => socket.send(payload, ${PORT}, to, done));
    await new Promise((done) => setTimeout(done, 20));
  }
  socket.close();
};
(async () => { for (const burst of JSON.parse(process.argv[1])) await send(burst); })();
`;

/** Says when it listens; then what came, until that many are here or the time is over. */
const RECEIVER = `
const { createSocket } = require("node:dgram");
const [wanted, ...addresses] = process.argv.slice(1);
const got = [];
const end = () => { console.log(JSON.stringify(got)); process.exit(); };
setTimeout(end, 20_000);
let open = 0;
for (const address of addresses) {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (message, { address: from, port }) => {
    got.push({ from, port, message: message.toString("hex") });
    if (got.length === Number(wanted)) setTimeout(end, 200);
  });
  socket.bind(${PORT}, address, () => { if (++open === addresses.length) console.log("ready"); });
}
`;

interface Burst {
  readonly from: string;
  readonly to: string;
  /** Octets of each packet, layer 3. */
  readonly sizes: readonly number[];
}

const sendFromA = (bursts: readonly Burst[]): Promise<unknown> =>
  execa("ip", ["netns", "exec", "a", process.execPath, "-e", SENDER, JSON.stringify(bursts)]);

async function receiveInB(count: number, send: () => Promise<unknown>): Promise<string> {
  const receiver = execa("ip", ["netns", "exec", "b", process.execPath, "-e", RECEIVER, String(count), B[4], B[6]]);
  await new Promise<void>((resolve) => receiver.stdout.once("data", () => resolve()));
  await send();
  return (await receiver).stdout.replace(/^ready\n/, "");
}

const expectedIn = (bursts: readonly Burst[]): readonly string[] =>
  bursts.flatMap(({ from, sizes }) =>
    sizes.map((size, index) => {
      const payload = Array.from(
        { length: size - (from.includes(":") ? 48 : 28) },
        (_, at) => (index * 31 + at * 7) & 0xff,
      );
      return JSON.stringify({ from, port: 7000, message: Buffer.from(payload).toString("hex") });
    }),
  );

/** Sessions of a are marked, outside as inside, steered and put into a class as the router's rules do it. */
const steerInNear = (id: number): string => `table inet steer {
  chain pre { type filter hook prerouting priority dstnat + 5;
    iifname "to-a" udp dport ${PORT} ip dscp set ef
    iifname "to-a" udp dport ${PORT} ip6 dscp set ef
    iifname "to-a" udp dport ${PORT} meta mark set ${tunnelMark(id)}
  }
  chain class { type filter hook forward priority mangle;
    udp dport ${PORT} meta priority set ${CLASS}
  }
  chain post { type filter hook postrouting priority 0;
    oifname "wan" meta priority ${CLASS} counter comment "classed"
  }
}`;

function countInFar({ id, kind, local, remote, sourcePort, destinationPort }: Tunnel): string {
  const header = local.includes(":") ? "ip6" : "ip";
  const tuple = `${header} saddr ${local} ${header} daddr ${remote}`;
  const inside = hasPorts(kind)
    ? `udp sport ${sourcePort} udp dport ${destinationPort}`
    : `meta l4proto { ${[...new Set(Object.values(OUTER_PROTOCOL[kind]))].join(", ")} }`;
  return `table inet count { chain pre { type filter hook prerouting priority raw;
    iifname "wan" ${tuple} ${inside} ${header} dscp ef counter comment "outer"
    iifname "wan" udp dport ${PORT} counter comment "plain"
    iifname "${names.device(id)}" udp dport ${PORT} counter comment "inner"
  }
  }`;
}

/** Two routers were passed, and the tunnel is none. */
const COUNT_IN_B = `table inet count { chain pre { type filter hook prerouting priority raw;
  iifname "eth0" udp dport ${PORT} ip ttl 62 ip dscp ef counter comment "intact"
  iifname "eth0" udp dport ${PORT} ip6 hoplimit 62 ip6 dscp ef counter comment "intact"
}
}`;

interface Count {
  readonly packets: number;
  readonly octets: number;
}

async function counted(place: string): Promise<Readonly<Record<string, Count>>> {
  return countsIn(await ip(`netns exec ${place} nft list table inet count`));
}

function countsIn(text: string): Readonly<Record<string, Count>> {
  const counts: Record<string, Count> = {};
  for (const [, packets, bytes, label = ""] of text.matchAll(/counter packets (\d+) bytes (\d+) comment "([^"]+)"/g)) {
    const { packets: before = 0, octets: octetsBefore = 0 } = counts[label] ?? {};
    counts[label] = { packets: before + Number(packets), octets: octetsBefore + Number(bytes) };
  }
  return counts;
}

/** What a tunnel did to packets of both families; the sizes are those of layer 3. */
export interface Carried {
  /** Datagrams that came as they were sent, in order, to the octet, from the address and port of their sender. */
  readonly untouched: boolean;
  readonly sent: Count;
  /** In the one outer 5-tuple, with the code point of the inner packets. */
  readonly outer: Count;
  /** Seen by the far edge at the end of the tunnel. */
  readonly inner: Count;
  /** Past the tunnel. */
  readonly plain: Count;
  /** Outer packets that leave in the class which the inner ones were given. */
  readonly classed: number;
  /** At the receiver: code point kept, one hop for each edge. */
  readonly intact: number;
  readonly expectedOverhead: number;
}

/** With the tunnel's ends made. */
export async function carried(tunnel: Tunnel, outer: IpFamily): Promise<Carried> {
  const sizes = [64, 200, 1200, tunnel.mtu];
  const bursts = FAMILIES.map((family): Burst => ({ from: A[family], to: B[family], sizes }));
  await run("nft -f -", steerInNear(tunnel.id));
  await run("ip netns exec far nft -f -", countInFar(tunnel));
  await run("ip netns exec b nft -f -", COUNT_IN_B);
  try {
    const received = await receiveInB(2 * sizes.length, () => sendFromA(bursts));
    const far = await counted("far");
    const nothing: Count = { packets: 0, octets: 0 };
    return {
      untouched: received === `[${expectedIn(bursts).join(",")}]`,
      sent: { packets: 2 * sizes.length, octets: 2 * sizes.reduce((sum, size) => sum + size, 0) },
      outer: far.outer ?? nothing,
      inner: far.inner ?? nothing,
      plain: far.plain ?? nothing,
      classed: countsIn(await run("nft list table inet steer")).classed?.packets ?? 0,
      intact: (await counted("b")).intact?.packets ?? 0,
      expectedOverhead: 2 * sizes.length * tunnelOverhead(tunnel.kind, outer),
    };
  } finally {
    await run("nft delete table inet steer");
    await ip("netns exec far nft delete table inet count");
    await ip("netns exec b nft delete table inet count");
  }
}

/** What the sender was told by ICMP when it sent one octet too much, of each family; 0: nothing. */
export async function toldMtu(tunnel: Tunnel): Promise<Readonly<Record<IpFamily, number>>> {
  await run("nft -f -", steerInNear(tunnel.id));
  try {
    const sizes = [tunnel.mtu + 1];
    await sendFromA(FAMILIES.map((family) => ({ from: A[family], to: B[family], sizes })));
    const told = async (family: IpFamily): Promise<number> =>
      Number(/\bmtu (\d+)/.exec(await ip(`-n a route get ${B[family]}`))?.[1] ?? 0);
    return { 4: await told(4), 6: await told(6) };
  } finally {
    await run("nft delete table inet steer");
    for (const family of FAMILIES) await ip(`-n a -${family} route flush cache`);
  }
}
