/**
 * Two edges with a link between them: the namespace that the tests run in, and `far`. Sockets of both are of one process: a
 * socket stays in the namespace in which it was made.
 */
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import type { IpAddress } from "../../../src/model/ip.js";
import { KernelSockets } from "../../../src/stamp/endpoint/kernel-socket.js";
import { openLibc } from "../../../src/stamp/endpoint/libc.js";
import type { OpenedSockets } from "../../../src/stamp/endpoint/open-sockets.js";
import type { TestSocket } from "../../../src/stamp/endpoint/test-socket.js";
import { run } from "../../kernel/real/namespace.js";

export const NEAR = { v4: "192.0.2.1", v6: "2001:db8::1" } as const;
export const FAR = { v4: "192.0.2.2", v6: "2001:db8::2" } as const;

/** Mbit/s. */
export const LINK_RATE = 10;
/** The class of a pool, and the packets that best effort's queue holds: of the flood's, some 160 ms of the link. */
export const POOL_CLASS = 0x0001_0011;
const BEST_EFFORT_QUEUE = 160;

/** Devices `to-far` here and `to-near` there, each with a tree of a pool and best effort. */
export async function buildEdges(): Promise<void> {
  await plugIn();
  await plantTree("tc", "to-far");
  await plantTree("ip netns exec far tc", "to-near");
}

/** The devices and their addresses alone. */
export async function plugIn(): Promise<void> {
  await run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
  const lines = [
    "netns add far",
    "link add to-far type veth peer name to-near netns far",
    "link set to-far up",
    "-n far link set lo up",
    "-n far link set to-near up",
    `addr add ${NEAR.v4}/24 dev to-far`,
    `addr add ${NEAR.v6}/64 dev to-far nodad`,
    `-n far addr add ${FAR.v4}/24 dev to-near`,
    `-n far addr add ${FAR.v6}/64 dev to-near nodad`,
  ];
  for (const line of lines) await run("ip", ...line.split(" "));
}

async function plantTree(tc: string, device: string): Promise<void> {
  const link = `rate ${LINK_RATE}mbit ceil ${LINK_RATE}mbit quantum 1514`;
  for (const line of [
    `qdisc add dev ${device} root handle 1: htb default ffff`,
    `class add dev ${device} parent 1: classid 1:1 htb ${link}`,
    `class add dev ${device} parent 1:1 classid 1:11 htb rate 1mbit ceil ${LINK_RATE}mbit prio 0 quantum 1514`,
    `class add dev ${device} parent 1:1 classid 1:ffff htb rate 9mbit ceil ${LINK_RATE}mbit prio 7 quantum 1514`,
    `qdisc add dev ${device} parent 1:11 bfifo limit 20480`,
    `qdisc add dev ${device} parent 1:ffff pfifo limit ${BEST_EFFORT_QUEUE}`,
  ]) {
    await run("sh", "-c", `${tc} ${line}`);
  }
}

/** Packets that a class has sent. */
export async function packetsOf(where: "near" | "far", minor: string): Promise<number> {
  const [tc, device] = where === "near" ? ["tc", "to-far"] : ["ip netns exec far tc", "to-near"];
  const shown = await run("sh", "-c", `${tc} -s class show dev ${device} classid 1:${minor}`);
  return Number(/Sent \d+ bytes (\d+) pkt/.exec(shown)?.[1]);
}

const NETWORK_NAMESPACE = 0x40000000;

/** Sockets in the namespace `far`, made by going there for a moment. */
export function farSockets(): OpenedSockets {
  const gate = openLibc();
  const koffi = createRequire(import.meta.url)("koffi") as {
    load(path: null): { func(name: string, result: string, parameters: string[]): (...values: number[]) => number };
  };
  const setns = koffi.load(null).func("setns", "int", ["int", "int"]);
  const enter = (path: string): void => {
    const namespace = openSync(path, "r");
    const result = setns(namespace, NETWORK_NAMESPACE);
    closeSync(namespace);
    if (result !== 0) throw new Error(`cannot enter ${path}`);
  };
  const own = openSync("/proc/thread-self/ns/net", "r");
  const there = <Result>(work: () => Result): Result => {
    enter("/run/netns/far");
    try {
      return work();
    } finally {
      setns(own, NETWORK_NAMESPACE);
    }
  };
  class FarSockets extends KernelSockets {
    override open(address: IpAddress, port: number): Promise<TestSocket> {
      return there(() => super.open(address, port));
    }
  }
  return { sockets: new FarSockets(gate), gate };
}
