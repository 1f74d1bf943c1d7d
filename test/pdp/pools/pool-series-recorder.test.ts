import { describe, expect, it } from "vitest";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis, timestamp } from "../../../src/model/units.js";
import { PoolSeries } from "../../../src/pdp/pools/pool-series.js";
import { PoolRecorder } from "../../../src/pdp/pools/pool-series-recorder.js";
import { PoolWatch } from "../../../src/pdp/pools/pool-watch.js";
import { PoolTally, TalliedPools } from "../../../src/pdp/pools/pool-watch-tally.js";
import { begun, id, need } from "./keeper-world.js";

function recorded() {
  const { ledger, keeper, clock, network } = begun();
  const tally = new PoolTally();
  const series = new PoolSeries();
  const watch = new PoolWatch({ thresholds: () => [80], log: SILENT_LOGGER });
  const recorder = new PoolRecorder({ ledger, keeper, tally, series, watch, most: ({ rate }) => rate, clock });
  recorder.start();
  const points = (pool: string) => series.read(pool, millis(1000), timestamp(0)) ?? [];
  return { pools: new TalliedPools(keeper, tally), keeper, clock, network, tally, watch, recorder, points };
}

describe("recording pools", () => {
  it("reads what sessions hold, what is reserved, and who was refused, every second", async () => {
    const { pools, clock, points, watch, recorder } = recorded();
    expect(pools.reserve(id(1), [need("p", 90, 150), need("link", 90, 150)])).toEqual({ admitted: true });
    expect(pools.fits(id(2), [need("link", 700)])).toMatchObject({ admitted: false, pool: "link" });
    expect(pools.reserve(id(2), [need("fixed", 301), need("link", 700)])).toMatchObject({ pool: "fixed" });
    await clock.pass(2000);
    pools.release(id(1));
    await clock.pass(1000);
    const [first, second] = points("p");
    expect(first).toMatchObject({ used: { min: 150, mean: 150, max: 150 }, reserved: 200, refused: 0, samples: 1 });
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBe(1000);
    expect(points("link").map(({ reserved, refused }) => [reserved, refused])).toEqual([
      [700, 1],
      [700, 0],
    ]);
    expect(points("fixed")[0]).toMatchObject({ refused: 1, reserved: 300 });
    expect(watch.warnings()).toEqual([
      "pool fixed was too full for 1 session lately",
      "pool link was too full for 1 session lately",
    ]);
    recorder.close();
    const pending = clock.pending;
    await clock.pass(5000);
    expect([points("p").length, clock.pending]).toEqual([2, pending]);
  });

  it("counts a session that waited in vain, and one that had to let go", async () => {
    const { pools, clock, network, tally, points } = recorded();
    const waits = pools.reserve(id(1), [need("p", 300)]);
    network.refuse();
    expect(await waits).toMatchObject({ admitted: false, pool: "p" });
    tally.shed("p");
    const { refused, shed } = tally.take();
    expect([refused.get("p"), shed.get("p")]).toEqual([1, 1]);
    expect(tally.take()).toEqual({ refused: new Map(), shed: new Map() });
    await clock.pass(2000);
    expect(points("p")[0]?.refused).toBe(0);
  });
});
