import { EventEmitter } from "node:events";
import type { Server } from "node:http";
import { expect, it } from "vitest";
import { ConnectionGate } from "../../src/http/connection-gate.js";

/** A connection from an address that this machine does not have. */
class From extends EventEmitter {
  readonly remoteAddress: string;
  isDestroyed = false;
  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }
  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.emit("close");
  }
}

function gate(mostOf: (address: string) => number) {
  const server = new EventEmitter();
  const refused: string[] = [];
  const connections = new ConnectionGate(server as Server, {
    mostOf,
    onRefused: (address) => void refused.push(address),
  });
  const open = (address: string): From => {
    const socket = new From(address);
    server.emit("connection", socket);
    return socket;
  };
  return { server, connections, refused, open };
}

it("counts a /64 as one source, and an IPv4 address as itself however it is written", () => {
  const { connections, refused, open } = gate(() => 2);
  const first = open("2001:db8:0:1::1");
  expect(open("2001:db8:0:1:ffff::2").isDestroyed).toBe(false);
  expect(open("2001:db8:0:1::3").isDestroyed).toBe(true);
  expect(open("2001:db8:0:2::3").isDestroyed).toBe(false);
  expect([open("192.0.2.1"), open("::ffff:192.0.2.1"), open("192.0.2.1")].map((each) => each.isDestroyed)).toEqual([
    false,
    false,
    true,
  ]);
  expect(refused).toEqual(["2001:db8:0:1::3", "192.0.2.1"]);
  first.destroy();
  expect(open("2001:db8:0:1::4").isDestroyed).toBe(false);
  expect([connections.size, connections.refused]).toEqual([5, 2]);
});

it("lets nobody in who may have none, counts what the server drops, and ends all", () => {
  const { server, connections, open } = gate((address) => (address === "192.0.2.1" ? 1 : 0));
  const [known, stranger] = [open("192.0.2.1"), open("192.0.2.2")];
  expect([known.isDestroyed, stranger.isDestroyed]).toEqual([false, true]);
  server.emit("drop");
  expect([connections.size, connections.refused]).toEqual([1, 2]);
  connections.cut();
  expect([known.isDestroyed, connections.size]).toEqual([true, 0]);
});
