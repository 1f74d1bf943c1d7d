import { beforeEach, describe, expect, it } from "vitest";
import type { Tunnel } from "../../../src/kernel/port.js";
import { structureId } from "../../../src/kernel/structure-id.js";
import { octets } from "../../../src/model/units.js";
import { flow } from "../fixtures.js";
import { Bench, flowsOf, POOLS, without } from "./bench.js";

const tunnel: Tunnel = {
  id: 1,
  name: "core",
  kind: "vxlan",
  local: "203.0.113.1",
  remote: "203.0.113.2",
  sourcePort: 50_000,
  destinationPort: 4789,
  mtu: octets(1450),
};
const steered = flow(1, { tunnel: 1 });

describe("decisions about tunnels", () => {
  let bench: Bench;
  const decide = (flows: Parameters<Bench["keeper"]["update"]>[0]["flows"], ...tunnels: readonly Tunnel[]) =>
    bench.keeper.update({ flows, pools: POOLS, tunnels: new Map(tunnels.map((one) => [one.id, one])) });
  const kinds = () => bench.kernel.applied.at(-1)?.map(({ kind }) => kind);
  /** A pass finds nothing to do. */
  const expectSettled = async (): Promise<void> => {
    const { structureId: madeFor } = await bench.kernel.read();
    expect(madeFor).toBe(structureId(bench.keeper.desired));
    const { length } = bench.kernel.applied;
    bench.kernel.emit({ kind: "ruleset" });
    await bench.clock.pass(2000);
    expect(bench.kernel.applied).toHaveLength(length);
    expect(bench.keeper.status()).toMatchObject({ repairs: 0, pending: 0 });
  };

  beforeEach(async () => {
    bench = new Bench();
    await bench.keeper.start();
  });

  it("make the rules for one that comes before the flows that it carries, and without one that goes", async () => {
    await decide(flowsOf(steered), tunnel);
    expect(kinds()).toEqual(["structure", "tunnel.set", "pool.set", "flow.add"]);
    await expectSettled();
    await decide(without(1));
    expect(kinds()).toEqual(["structure", "flow.remove", "tunnel.remove"]);
    await expectSettled();
  });

  it("leave the rules alone for one that is otherwise, and for flows of one that is there", async () => {
    await decide(new Map(), tunnel);
    await decide(flowsOf(steered), tunnel);
    expect(kinds()).toEqual(["flow.add"]);
    await decide(new Map(), { ...tunnel, remote: "203.0.113.3" });
    expect(kinds()).toEqual(["tunnel.set"]);
    await expectSettled();
  });
});
