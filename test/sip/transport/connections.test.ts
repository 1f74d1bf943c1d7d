import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../src/model/ip.js";
import { Connections, failLater, type Holder } from "../../../src/sip/transport/connections.js";
import type { Flow } from "../../../src/sip/transport/transport.js";

const address = parseAddress("10.1.0.10") ?? expect.unreachable();
const local = { address, port: 5062, transport: "wss" as const };
const from = { address, port: 4000 };

function bench() {
  const connections = new Connections<Holder>();
  const add = () => connections.add(local, from, (holder) => holder);
  return { connections, add };
}

describe("connections", () => {
  it("are named, each otherwise, and found until they are closed", () => {
    const { connections, add } = bench();
    const [one, other] = [add(), add()];
    expect(one.flow).toEqual({ id: one.flow.id, local, remote: { ...from, transport: "wss", flow: one.flow.id } });
    expect(other.flow.id).not.toBe(one.flow.id);
    expect([...connections.all()]).toEqual([one, other]);
    one.closed();
    expect([connections.get(one.flow.id), connections.get(other.flow.id)]).toEqual([undefined, other]);
    expect(connections.get(undefined)).toBeUndefined();
  });

  it("give messages to whom was named last, also those that were open before", () => {
    const { connections, add } = bench();
    const { message, flow } = add();
    const [first, second]: [string[], string[]] = [[], []];
    message(Buffer.from("lost"), flow.remote, flow.local);
    connections.onMessage((octets) => first.push(octets.toString()));
    message(Buffer.from("a"), flow.remote, flow.local);
    connections.onMessage((octets, remote, at) => second.push(`${octets.toString()} ${remote.port} ${at.port}`));
    message(Buffer.from("b"), flow.remote, flow.local);
    expect([first, second]).toEqual([["a"], ["b 4000 5062"]]);
  });

  it("tell everybody who listens of their end, when they are no longer found", () => {
    const { connections, add } = bench();
    const { flow, closed } = add();
    const told: (Flow | boolean)[] = [];
    connections.onFlowClosed((gone) => told.push(gone));
    connections.onFlowClosed(({ id }) => told.push(connections.get(id) === undefined));
    closed();
    expect(told).toEqual([flow, true]);
  });
});

it("a failure is told later, not while the message is being sent", async () => {
  const told: Error[] = [];
  const cause = new Error("no connection");
  failLater((failure) => told.push(failure), cause);
  expect(told).toEqual([]);
  await Promise.resolve();
  expect(told).toEqual([cause]);
});
