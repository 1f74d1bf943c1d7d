/** Three namespaces, r1 - t - r2, with t being the one that the tests run in, and nodes of RSVP in them. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { OutgoingDatagram, ReceivedDatagram, TransportCounts } from "../../../src/rsvp/endpoint/transport.js";
import { run } from "../../kernel/real/namespace.js";
import { until } from "../../lab/support/until.js";

export const ADDRESS = {
  r1: { v4: "10.9.1.1", v6: "2001:db8:1::1" },
  t1: { v4: "10.9.1.2", v6: "2001:db8:1::2" },
  t2: { v4: "10.9.2.2", v6: "2001:db8:2::2" },
  r2: { v4: "10.9.2.1", v6: "2001:db8:2::1" },
} as const;

/** Interfaces: eth0 of r1 and r2, t1 and t2 of t, which forwards. */
export async function buildNodes(): Promise<void> {
  await run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
  for (const [name, device, own, far] of [
    ["r1", "t1", ADDRESS.r1, ADDRESS.t1],
    ["r2", "t2", ADDRESS.r2, ADDRESS.t2],
  ] as const) {
    const lines: readonly string[] = [
      `netns add ${name}`,
      `link add ${device} type veth peer name eth0 netns ${name}`,
      `link set ${device} up`,
      `-n ${name} link set lo up`,
      `-n ${name} link set eth0 up`,
      `addr add ${far.v4}/24 dev ${device}`,
      `addr add ${far.v6}/64 dev ${device} nodad`,
      `-n ${name} addr add ${own.v4}/24 dev eth0`,
      `-n ${name} addr add ${own.v6}/64 dev eth0 nodad`,
      `-n ${name} route add default via ${far.v4}`,
      `-n ${name} -6 route add default via ${far.v6}`,
    ];
    for (const line of lines) await run("ip", ...line.split(" "));
  }
}

export interface PeerOptions {
  readonly choice?: "auto" | "raw" | "udp";
  readonly interfaces: readonly string[];
  readonly protocols?: readonly string[];
  readonly alerts?: readonly number[];
  readonly families?: readonly number[];
  readonly role?: "host" | "router";
  readonly nextHops?: readonly (readonly [string, string])[];
  readonly limits?: Readonly<Record<string, number>>;
}

type Datagram<Of> = Omit<Of, "octets"> & { readonly octets: string };
type Line =
  | { readonly open: string }
  | { readonly received: Datagram<ReceivedDatagram> }
  | { readonly counts: TransportCounts }
  | { readonly refused: readonly string[] }
  | { readonly failed: readonly string[] };

export class Peer {
  readonly received: Datagram<ReceivedDatagram>[] = [];
  readonly failed: (readonly string[])[] = [];
  kind = "";
  refused: readonly string[] = [];
  #counts: TransportCounts | undefined;
  readonly #child: ChildProcess;

  /** @param namespace - undefined for t @param prefix - a command that starts another one */
  constructor(dist: string, namespace: string | undefined, options: PeerOptions, prefix: readonly string[] = []) {
    const program = fileURLToPath(new URL("peer.mjs", import.meta.url));
    const enter = namespace === undefined ? [] : ["ip", "netns", "exec", namespace];
    const [command = "", ...args] = [...enter, ...prefix, process.execPath, program, dist, JSON.stringify(options)];
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#read(JSON.parse(line) as Line));
  }

  async ready(): Promise<this> {
    await until("the node to open", () => this.kind !== "" || this.refused.length > 0);
    return this;
  }

  send(datagram: Omit<OutgoingDatagram, "octets">, octets: Buffer): void {
    this.#child.stdin?.write(`${JSON.stringify({ send: { ...datagram, octets: octets.toString("hex") } })}\n`);
  }

  async counts(): Promise<TransportCounts> {
    this.#counts = undefined;
    this.#child.stdin?.write(`{"counts":true}\n`);
    await until("the counts", () => this.#counts !== undefined);
    return this.#counts!;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
  }

  #read(line: Line): void {
    if ("open" in line) this.kind = line.open;
    if ("received" in line) this.received.push(line.received);
    if ("counts" in line) this.#counts = line.counts;
    if ("refused" in line) this.refused = line.refused;
    if ("failed" in line) this.failed.push(line.failed);
  }
}
