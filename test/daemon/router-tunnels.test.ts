import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { steersIntoTunnels, tunnelViews } from "../../src/daemon/router-tunnels.js";
import { FakeKernel } from "../../src/kernel/fake.js";
import type { FlowRule, Tunnel } from "../../src/kernel/port.js";
import { Reconciler } from "../../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { sessionIdOf } from "../../src/model/session.js";
import { bitsPerSecond, dscp, octets } from "../../src/model/units.js";

const tunnel: Tunnel = {
  ...{ id: 9, name: "to branch", kind: "vxlan", local: "10.2.0.1", remote: "10.2.0.2" },
  ...{ sourcePort: 50_000, destinationPort: 4789, mtu: octets(1450) },
};
const other: Tunnel = {
  ...{ ...tunnel, id: 10, name: "to depot", kind: "gre", remote: "10.5.0.2" },
  ...{ sourcePort: 0, destinationPort: 0 },
};
const rule = (id: number, change: Partial<FlowRule> = {}): FlowRule => ({
  ...{ id, session: sessionIdOf("call", "tag"), dscp: dscp(46), pool: 1, rate: bitsPerSecond(80_000) },
  key: {
    protocol: "udp",
    source: { address: "10.1.0.10", port: 6000 + id },
    destination: { address: "10.3.0.10", port: 6000 },
  },
  ...{ burst: octets(1000), outOfProfile: { action: "drop" } },
  ...change,
});
const counters = (packets: number, excess: number) => ({
  inProfile: { packets, octets: octets(packets * 200) },
  outOfProfile: { packets: excess, octets: octets(excess * 200) },
});

let kernel: FakeKernel;
let keeper: Reconciler;
beforeEach(async () => {
  kernel = new FakeKernel();
  const local = { interfaces: [], signalling: [], signallingDscp: dscp(24) };
  const usage = { record: () => undefined };
  keeper = new Reconciler({ kernel, local, usage, clock: SYSTEM_CLOCK, log: SILENT_LOGGER });
  await keeper.start();
});
afterEach(() => keeper.close());

const enforce = (flows: readonly FlowRule[], tunnels: readonly Tunnel[]) =>
  keeper.replace({
    flows: new Map(flows.map((each) => [each.id, each])),
    pools: new Map([[1, { id: 1, name: "voice", rate: bitsPerSecond(200_000) }]]),
    tunnels: new Map(tunnels.map((each) => [each.id, each])),
  });

describe("what a router tells of its tunnels", () => {
  it("is what the flows in each have carried: excess as well, unless it is dropped", async () => {
    const remarked = { outOfProfile: { action: "remark", dscp: dscp(0) } } as const;
    await enforce(
      [rule(1, { tunnel: 9 }), rule(2, { tunnel: 9, ...remarked }), rule(3), rule(4, { tunnel: 10 })],
      [tunnel, other],
    );
    kernel.count(1, counters(10, 5));
    kernel.count(2, counters(20, 7));
    kernel.count(3, counters(400, 0));
    expect(await tunnelViews(kernel, keeper)).toEqual([
      {
        ...{ id: 9, name: "to branch", kind: "vxlan", outer: "udp 10.2.0.1:50000 > 10.2.0.2:4789", mtu: 1450 },
        ...{ flows: 2, carried: { packets: 37, octets: 7400 }, state: "whole" },
      },
      {
        ...{ id: 10, name: "to depot", kind: "gre", outer: "gre 10.2.0.1 > 10.5.0.2", mtu: 1450 },
        ...{ flows: 1, carried: { packets: 0, octets: 0 }, state: "whole" },
      },
    ]);
  });

  it("is that one is missing which the kernel lost", async () => {
    await enforce([rule(1, { tunnel: 9 })], [tunnel]);
    kernel.loseEverything();
    expect(await tunnelViews(kernel, keeper)).toMatchObject([{ id: 9, flows: 1, state: "missing" }]);
  });

  it("is nothing without tunnels, and nothing is read for it", async () => {
    await enforce([rule(1)], []);
    kernel.failReads(new Error("not to be asked") as Parameters<FakeKernel["failReads"]>[0]);
    expect(await tunnelViews(kernel, keeper)).toEqual([]);
    kernel.failReads(undefined);
  });
});

it("tunnels are for routers whose back end has rules of nf_tables", () => {
  const names = ["nftables", "dsmark", "iptables", "ebpf"] as const;
  expect(names.filter((name) => steersIntoTunnels({ name }))).toEqual(["nftables", "dsmark"]);
});
