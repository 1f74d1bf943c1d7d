/** A path of three namespaces, a - router - b, with the router being the namespace that the tests run in. */
import { execa } from "execa";
import { run } from "./namespace.js";

export const A = { v4: "192.0.2.10", v6: "2001:db8:1::10" } as const;
export const B = { v4: "198.51.100.20", v6: "2001:db8:2::20" } as const;

const MAC = {
  a: "02:00:00:00:00:0a",
  routerA: "02:00:00:00:01:0a",
  b: "02:00:00:00:00:0b",
  routerB: "02:00:00:00:01:0b",
};

interface Side {
  readonly namespace: string;
  readonly hostMac: string;
  readonly routerMac: string;
  readonly host: { readonly v4: string; readonly v6: string };
  readonly router: { readonly v4: string; readonly v6: string };
}

const SIDES: readonly Side[] = [
  {
    namespace: "a",
    hostMac: MAC.a,
    routerMac: MAC.routerA,
    host: A,
    router: { v4: "192.0.2.1", v6: "2001:db8:1::1" },
  },
  {
    namespace: "b",
    hostMac: MAC.b,
    routerMac: MAC.routerB,
    host: B,
    router: { v4: "198.51.100.1", v6: "2001:db8:2::1" },
  },
];

/** Interfaces of the router: `to-a`, `to-b`. Neighbours are static, so that no packet waits for an answer. */
export async function buildPath(): Promise<void> {
  await run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
  // The router's own solicitations of routers and of its own addresses would be counted with signalling, at any time.
  await run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
  for (const { namespace, hostMac, routerMac, host, router } of SIDES) {
    const device = `to-${namespace}`;
    const lines: readonly string[] = [
      `netns add ${namespace}`,
      `link add ${device} address ${routerMac} type veth peer name eth0 address ${hostMac} netns ${namespace}`,
      `link set ${device} up`,
      `-n ${namespace} link set eth0 up`,
      `-n ${namespace} link set lo up`,
      `addr add ${router.v4}/24 dev ${device}`,
      `addr add ${router.v6}/64 dev ${device} nodad`,
      `-n ${namespace} addr add ${host.v4}/24 dev eth0`,
      `-n ${namespace} addr add ${host.v6}/64 dev eth0 nodad`,
      `neigh add ${host.v4} lladdr ${hostMac} dev ${device} nud permanent`,
      `neigh add ${host.v6} lladdr ${hostMac} dev ${device} nud permanent`,
      `-n ${namespace} neigh add ${router.v4} lladdr ${routerMac} dev eth0 nud permanent`,
      `-n ${namespace} neigh add ${router.v6} lladdr ${routerMac} dev eth0 nud permanent`,
      `-n ${namespace} route add default via ${router.v4}`,
      `-n ${namespace} -6 route add default via ${router.v6}`,
    ];
    for (const line of lines) await run("ip", ...line.split(" "));
  }
}

export interface Burst {
  readonly from: { readonly address: string; readonly port: number };
  readonly to: { readonly address: string; readonly port: number };
  readonly packets: number;
  /** Octets at layer 3, of each packet. */
  readonly size: number;
}

const SENDER = `
const { createSocket } = require("node:dgram");
const send = async ({ from, to, packets, size }) => {
  const six = to.address.includes(":");
  const socket = createSocket(six ? "udp6" : "udp4");
  await new Promise((done) => socket.bind(from.port, from.address, done));
  const payload = Buffer.alloc(size - (six ? 48 : 28));
  for (let n = 0; n < packets; n += 1)
    await new Promise((done, fail) => socket.send(payload, to.port, to.address, (e) => (e ? fail(e) : done())));
  socket.close();
};
(async () => { for (const burst of JSON.parse(process.argv[1])) await send(burst); })();
`;

/** Sends UDP packets as fast as it can, one burst after the other. */
export async function send(namespace: string | undefined, bursts: readonly Burst[]): Promise<void> {
  const command = [process.execPath, "-e", SENDER, JSON.stringify(bursts)];
  const [program = "", ...args] = namespace === undefined ? command : ["ip", "netns", "exec", namespace, ...command];
  await run(program, ...args);
}

const FLOODER = `
const [port, address, perSecond] = process.argv.slice(1);
const socket = require("node:dgram").createSocket("udp4");
const start = performance.now();
let sent = 0;
setInterval(() => {
  const due = ((performance.now() - start) * perSecond) / 1000;
  for (; sent < due; sent += 1) socket.send("", Number(port), address);
}, 4);
`;

/**
 * Empty UDP datagrams from a to b at this rate until the returned function is called. They are as short as ARP, since
 * a queue that counts octets would always find room for it between longer ones.
 */
export function flood(port: number, packetsPerSecond: number): () => Promise<void> {
  const flooder = [process.execPath, "-e", FLOODER, `${port}`, B.v4, `${packetsPerSecond}`];
  const child = execa("ip", ["netns", "exec", "a", ...flooder], { reject: false });
  return async () => {
    child.kill();
    await child;
  };
}

/** Has b count what reaches a port, by code point. */
export async function countAt(ports: readonly number[], codes: readonly number[]): Promise<void> {
  const rules = ports.flatMap((port) =>
    codes.flatMap((code) => [
      `ip dscp ${code} udp dport ${port} counter comment "${port}/${code}"`,
      `ip6 dscp ${code} udp dport ${port} counter comment "${port}/${code}"`,
    ]),
  );
  const text = `table inet receiver { chain in { type filter hook prerouting priority 0; ${rules.join("; ")}; }; }`;
  await run("ip", "netns", "exec", "b", "nft", text);
}

/** Packets at b by `port/code point`; what did not come is absent. */
export async function received(): Promise<Record<string, number>> {
  const text = await run("ip", "netns", "exec", "b", "nft", "list", "table", "inet", "receiver");
  const counts: Record<string, number> = {};
  for (const [, packets, label = ""] of text.matchAll(/counter packets (\d+) bytes \d+ comment "([^"]+)"/g)) {
    if (packets !== "0") counts[label] = (counts[label] ?? 0) + Number(packets);
  }
  return counts;
}
