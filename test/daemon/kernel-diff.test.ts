import { describe, expect, it } from "vitest";
import { differences, diffKernel } from "../../src/daemon/kernel-diff.js";
import { FakeKernel } from "../../src/kernel/fake.js";
import type { DesiredState, KernelChange, ObservedState, Tunnel } from "../../src/kernel/port.js";
import { kilobitsPerSecond, octets } from "../../src/model/units.js";
import { desired, flow, link, pool, remark, SESSION } from "../kernel/fixtures.js";

const held: ObservedState = {
  structure: true,
  structureId: "x",
  interfaces: [],
  pools: new Map([[1, pool(1)]]),
  tunnels: new Map(),
  classes: [],
  flows: new Map(),
};

const rows = (wanted: DesiredState, changes: readonly KernelChange[], observed: Partial<ObservedState> = {}) =>
  differences(wanted, { ...held, ...observed }, changes).map(({ kind, object, wanted: want, found }) => [
    kind,
    object,
    want,
    found,
  ]);

describe("differences between intent and kernel", () => {
  it("tells of the structure why", () => {
    const structure = [{ kind: "structure" }] as const;
    const { structureId: _none, ...nothing } = held;
    expect(rows(desired([]), structure)[0]?.[3]).toBe("made for another configuration");
    expect(rows(desired([]), structure, { structure: false })[0]?.[3]).toMatch(/changed by somebody/);
    expect(differences(desired([]), { ...nothing, structure: false }, structure)[0]?.found).toBe("absent");
  });

  it("tells of an interface that is not there", () => {
    const interfaces = [
      { name: "wan0", present: false, rate: kilobitsPerSecond(1000) },
      { name: "lan0", present: true, rate: kilobitsPerSecond(1000) },
    ];
    expect(rows(desired([]), [], { interfaces })).toEqual([["interface", "wan0", "managed", "no such device"]]);
  });

  it("tells of pools that are missing, other, or too many", () => {
    const changes: readonly KernelChange[] = [
      { kind: "pool.set", pool: pool(2, 500, "voice") },
      { kind: "pool.set", pool: pool(1, 2000) },
      { kind: "pool.remove", pool: pool(9) },
    ];
    expect(rows(desired([]), changes)).toEqual([
      ["pool", "2", "voice: 500000 bit/s", "absent"],
      ["pool", "1", "pool 1: 2000000 bit/s", "pool 1: 1000000 bit/s"],
      ["pool", "9", "absent", "pool 9: 1000000 bit/s"],
    ]);
  });

  it("tells of tunnels that are missing, other, or too many, and in which one a flow should be", () => {
    const tunnel = (id: number, mtu: number): Tunnel => ({
      id,
      name: "core",
      kind: "vxlan",
      local: "203.0.113.1",
      remote: "203.0.113.2",
      sourcePort: 50_000,
      destinationPort: 4789,
      mtu: octets(mtu),
    });
    const changes: readonly KernelChange[] = [
      { kind: "tunnel.set", tunnel: tunnel(1, 1400) },
      { kind: "tunnel.set", tunnel: tunnel(2, 1400) },
      { kind: "flow.add", rule: flow(1, { tunnel: 2 }) },
      { kind: "tunnel.remove", tunnel: tunnel(3, 1400) },
    ];
    const text = "core: vxlan 203.0.113.1 port 50000 > 203.0.113.2 port 4789, packets to";
    expect(rows(desired([]), changes, { tunnels: new Map([[1, tunnel(1, 1300)]]) })).toEqual([
      ["tunnel", "1", `${text} 1400 B`, `${text} 1300 B`],
      ["tunnel", "2", `${text} 1400 B`, "absent"],
      ["flow", "1", expect.stringMatching(/, tunnel 2$/), "absent"],
      ["tunnel", "3", "absent", `${text} 1400 B`],
    ]);
  });

  it("gives a flow that is to become another one row, with what it is and what it should be", () => {
    const found = flow(1);
    const wanted = flow(1, { rate: kilobitsPerSecond(64), outOfProfile: remark(0) });
    const observed = {
      flows: new Map([
        [
          1,
          { rule: found, counters: { inProfile: { packets: 0, octets: 0 }, outOfProfile: { packets: 0, octets: 0 } } },
        ],
      ]),
    } as unknown as Partial<ObservedState>;
    const changes: readonly KernelChange[] = [
      { kind: "flow.remove", rule: found },
      { kind: "flow.add", rule: wanted },
      { kind: "flow.remove", rule: flow(2) },
    ];
    const told = rows(desired([wanted]), changes, observed);
    expect(told).toHaveLength(2);
    expect(told[0]?.[2]).toMatch(
      new RegExp(`^udp .* of ${SESSION}: EF, pool 1, 64000 bit/s, burst 1500 B, beyond BE$`),
    );
    expect(told[0]?.[3]).toMatch(/80000 bit\/s, burst 1500 B, beyond drop$/);
    expect(told[1]?.slice(0, 3)).toEqual(["flow", "2", "absent"]);
  });

  it("shows the first thousand of many, and counts all", async () => {
    const kernel = new FakeKernel();
    const flows = Array.from({ length: 1500 }, (_, at) => flow(at + 1));
    const view = await diffKernel(kernel, desired(flows, { interfaces: [link("wan0")] }), false);
    expect(view.differences).toHaveLength(1000);
    // The structure, the pool, and every flow.
    expect(view.total).toBe(1502);
    expect(view).toMatchObject({ kept: 0 });
    expect(view.steps).toBeUndefined();
  });

  it("keeps what is as it is wanted", async () => {
    const kernel = new FakeKernel();
    const wanted = desired([flow(1), flow(2)]);
    await kernel.apply(wanted, kernel.plan(wanted, await kernel.read()));
    expect(await diffKernel(kernel, wanted, true)).toMatchObject({ differences: [], total: 0, kept: 2 });
  });
});
