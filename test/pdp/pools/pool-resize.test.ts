import { describe, expect, it } from "vitest";
import { bitsPerSecond } from "../../../src/model/units.js";
import type { PoolKeeper } from "../../../src/pdp/pools/pool-keeper.js";
import type { KeptPool } from "../../../src/pdp/pools/pool-sizings.js";
import type { ScheduledTime } from "../../../src/pdp/pools/schedule.js";

import { begun, following, id, need } from "./keeper-world.js";

describe("an operator's resize", () => {
  const fixed: KeptPool = { ...following("p"), rate: bitsPerSecond(600), sizing: "fixed", overhead: bitsPerSecond(20) };
  const three = (keeper: PoolKeeper) => {
    for (const n of [1, 2, 9]) keeper.restore(id(n), [need("p", 150)]);
  };

  it("sheds down to what is left, and says beforehand whom", () => {
    const { keeper, network, ledger, rooms, sheds } = begun([fixed]);
    three(keeper);
    const plan = { held: { up: 450, down: 450 }, room: 180, shed: [id(2), id(1)] };
    expect(keeper.planResize("p", bitsPerSecond(200))).toEqual(plan);
    expect([network.requests, sheds, ledger.view()[0]?.rate], "after the plan alone").toEqual([[], [], 580]);
    expect(keeper.resize("p", bitsPerSecond(200))).toEqual(plan);
    expect(sheds.map(([session]) => session)).toEqual([id(2), id(1)]);
    expect(rooms.at(-1)).toEqual(["p", 180]);
    for (const [session] of sheds) keeper.release(session);
    network.grant();
    expect(network.left("p")).toBe(200);
    expect(keeper.view()[0]).toEqual({ name: "p", reserved: 200, asked: undefined, waiting: 0 });
    expect(sheds).toHaveLength(2);
  });

  it("gives more at once, also right after it took", () => {
    const { keeper, network, ledger } = begun([fixed]);
    keeper.resize("p", bitsPerSecond(200));
    network.grant();
    expect(keeper.resize("p", bitsPerSecond(900))?.shed).toEqual([]);
    network.grant();
    expect(network.left("p")).toBe(900);
    expect(ledger.view()[0]?.rate).toBe(880);
  });

  it("bounds a pool that follows its sessions, and takes the place of its schedule", async () => {
    const always = {
      days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
      from: 0,
      to: 0,
      rate: bitsPerSecond(250),
    };
    const { clock, keeper, network } = begun([{ ...following("p"), schedule: [always as ScheduledTime] }]);
    expect(network.left("p")).toBe(250);
    keeper.resize("p", bitsPerSecond(300));
    await clock.pass(120_000);
    network.grant();
    expect(keeper.fits(id(1), [need("p", 280)]).admitted).toBe(true);
    expect(keeper.fits(id(1), [need("p", 281)]).admitted).toBe(false);
    expect(keeper.resize("p", bitsPerSecond(100))?.shed).toEqual([]);
    network.grant();
    expect(network.left("p")).toBe(100);
  });

  it("is for pools that are sized here", () => {
    const { keeper } = begun([fixed]);
    expect(keeper.planResize("link", bitsPerSecond(1))).toBeUndefined();
    expect(keeper.resize("nowhere", bitsPerSecond(1))).toBeUndefined();
  });
});
