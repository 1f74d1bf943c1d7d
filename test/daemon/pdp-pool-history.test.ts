import { describe, expect, it } from "vitest";
import { recordPools, seriesView } from "../../src/daemon/pdp-pool-history.js";
import { Cleanup } from "../../src/daemon/role.js";
import { bitsPerSecond, timestamp } from "../../src/model/units.js";
import { PoolSeries } from "../../src/pdp/pools/pool-series.js";
import { PoolTally } from "../../src/pdp/pools/pool-watch-tally.js";
import { createLogger } from "../../src/telemetry/logger.js";
import { begun, following, id, need } from "../pdp/pools/keeper-world.js";

function recording(pools: readonly object[] = [following("p")]) {
  const world = begun([following("p")]);
  const events: unknown[] = [];
  const log = createLogger({ format: "json", write: (line) => events.push(JSON.parse(line).event) });
  const cleanup = new Cleanup();
  const config = { pools } as unknown as Parameters<typeof recordPools>[0]["config"];
  const history = recordPools({ config, clock: world.clock, log, cleanup }, { ...world, tally: new PoolTally() });
  return { ...world, history, events, cleanup };
}

describe("the past of a policy server's pools", () => {
  it("is recorded until the role ends, and answered in the steps that are kept", async () => {
    const { keeper, clock, history, cleanup } = recording();
    keeper.reserve(id(1), [need("p", 100)]);
    await clock.pass(3000);
    const view = history.series({ pool: "p" });
    expect(view).toMatchObject({ pool: "p", step: 1000, kept: 600_000 });
    expect(view?.points).toHaveLength(2);
    expect(view?.points[0]).toMatchObject({ used: { min: 100, mean: 100, max: 100 }, reserved: 200, refused: 0 });
    expect(history.series({ pool: "p", since: String(view?.points[1]?.at) })?.points).toHaveLength(1);
    expect(history.series({ pool: "p", step: "60000" })?.points).toEqual([]);
    expect(history.series({ pool: "nobody's" })).toBeUndefined();
    await cleanup.run();
    await clock.pass(3000);
    expect(history.series({ pool: "p" })?.points).toHaveLength(2);
  });

  it("is asked for in a step and a time that there are", () => {
    const series = new PoolSeries();
    for (const query of [{ step: "5000" }, { step: "1 s" }, { since: "yesterday" }, { since: "-1" }]) {
      expect(() => seriesView(series, { pool: "p", ...query })).toThrow(
        expect.objectContaining({ code: "CONTROL_QUERY" }),
      );
    }
  });

  it("has whole rates", () => {
    const series = new PoolSeries();
    for (const [used, at] of [
      [1, 0],
      [2, 1],
      [2, 2],
      [9, 60_000],
    ] as const) {
      series.put("p", { used: bitsPerSecond(used), reserved: bitsPerSecond(9), refused: 0 }, timestamp(at));
    }
    expect(seriesView(series, { pool: "p" })?.points[0]?.used).toEqual({ min: 1, mean: 2, max: 2 });
  });

  it("warns of a pool that grows when it comes near its ceiling, or the network gives no more", async () => {
    const { keeper, clock, network, history, events } = recording();
    keeper.reserve(id(1), [need("p", 180)]);
    await clock.pass(1000);
    expect([events, history.warnings()]).toEqual([[], []]);
    const waits = keeper.reserve(id(2), [need("p", 80)]);
    network.refuse();
    expect(await waits).toMatchObject({ admitted: false });
    await clock.pass(1000);
    expect(events).toEqual(["pdp.pool-near-full"]);
    expect(history.warnings()).toEqual(["pool p is near full: 100 % of it is used"]);
    await clock.pass(15_000);
    expect([events.at(-1), history.warnings()]).toEqual(["pdp.pool-relaxed", []]);
  });

  it("warns where the configuration says so", async () => {
    const { keeper, clock, events } = recording([{ ...following("p"), sizing: "fixed", warn: [50] }]);
    keeper.reserve(id(1), [need("p", 90)]);
    await clock.pass(1000);
    expect(events).toEqual(["pdp.pool-near-full"]);
  });
});
