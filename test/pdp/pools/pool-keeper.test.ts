import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { bitsPerSecond, timestamp } from "../../../src/model/units.js";
import { AdmissionLedger, type LedgerAnswer } from "../../../src/pdp/ledger.js";
import { PoolKeeper } from "../../../src/pdp/pools/pool-keeper.js";
import { InstantReservations } from "../../../src/pdp/pools/reservation-port.js";
import { FakeClock } from "../../support/fake-clock.js";

import { answerOf, begun, following, id, need, world } from "./keeper-world.js";

describe("pool keeper", () => {
  it("gives nothing away before the network has confirmed, but what sessions of an earlier run held", async () => {
    const { keeper, network, ledger, rooms } = world();
    keeper.restore(id(1), [need("p", 250)]);
    expect(network.requests).toEqual([]);
    keeper.start();
    expect(network.requests).toEqual([
      ["p", 300],
      ["q", 200],
    ]);
    const waits = keeper.reserve(id(2), [need("q", 10)]);
    expect(await answerOf(waits)).toBe("waits");
    network.grant();
    expect(await waits).toEqual({ admitted: true });
    expect(rooms).toEqual([
      ["p", 280],
      ["q", 180],
    ]);
    expect(ledger.used("p")).toEqual({ up: 250, down: 250 });
  });

  it("lets a session wait for a larger pool, and says nothing to one that fits", async () => {
    const { keeper, network } = begun();
    expect(keeper.reserve(id(1), [need("p", 180), need("fixed", 50)])).toEqual({ admitted: true });
    expect(keeper.fits(id(2), [need("p", 80)])).toEqual({ admitted: true });
    const waits = keeper.reserve(id(2), [need("p", 80), need("fixed", 50)]);
    expect(network.requests).toEqual([["p", 300]]);
    expect(await answerOf(waits)).toBe("waits");
    expect(keeper.view()[0]).toEqual({ name: "p", reserved: 200, asked: 300, waiting: 1 });
    network.grant();
    expect(await waits).toEqual({ admitted: true });
    expect(keeper.view()[0]).toMatchObject({ reserved: 300, asked: undefined, waiting: 0 });
  });

  it("waits for all pools on the way, and takes from all or from none", async () => {
    const { keeper, network, ledger } = begun();
    const waits = keeper.reserve(id(1), [need("p", 280), need("q", 380), need("link", 50)]);
    expect(network.requests).toEqual([
      ["p", 300],
      ["q", 400],
    ]);
    keeper.confirmed("p", bitsPerSecond(300));
    expect(await answerOf(waits)).toBe("waits");
    expect(ledger.held(id(1))).toEqual([]);
    keeper.confirmed("q", bitsPerSecond(400));
    expect(await waits).toEqual({ admitted: true });
    expect(ledger.held(id(1)).map(({ pool }) => pool)).toEqual(["p", "q", "link"]);
  });

  it("does not make a session wait for a pool or link that cannot grow, and names each that is short", () => {
    const { keeper, network } = begun();
    const needs = [need("p", 300), need("link", 701), need("fixed", 100, 400)];
    expect(keeper.reserve(id(1), needs)).toEqual({
      admitted: false,
      reason: "noRoom",
      pool: "p",
      needed: 300,
      free: 180,
      text: "pool p is full: 0.3 kbit/s needed, 0.2 kbit/s free; pool link is full: 0.7 kbit/s needed, 0.7 kbit/s free; pool fixed is full: 0.4 kbit/s needed, 0.3 kbit/s free",
    });
    expect(keeper.fits(id(1), needs)).toMatchObject({ admitted: false, pool: "p" });
    expect(keeper.fits(id(1), [need("p", 981)])).toMatchObject({ admitted: false });
    expect(network.requests).toEqual([]);
  });

  it("refuses after growTimeout, with the figures and the reason", async () => {
    const { keeper, clock } = begun();
    const waits = keeper.reserve(id(1), [need("p", 300)]);
    await clock.pass(499);
    expect(await answerOf(waits)).toBe("waits");
    await clock.pass(1);
    expect(await waits).toMatchObject({ reason: "noRoom", pool: "p", needed: 300, free: 180 });
    expect(await waits).toMatchObject({ text: expect.stringMatching(/; the network did not give more in time$/) });
  });

  it("refuses when the network does, and for a while nobody asks it again", async () => {
    const { keeper, network, clock } = begun();
    const waits = keeper.reserve(id(1), [need("p", 300)]);
    network.refuse();
    expect(await waits).toMatchObject({ text: expect.stringMatching(/; the network gives no more$/) });
    expect(keeper.reserve(id(2), [need("p", 300)])).toMatchObject({ admitted: false });
    await clock.pass(2000);
    const again = keeper.reserve(id(2), [need("p", 300)]);
    network.grant();
    expect(await again).toEqual({ admitted: true });
  });

  it("lets a session go that ends while it waits, and those that wait when the server ends", async () => {
    const { keeper, network, ledger } = begun();
    const [one, two] = [keeper.reserve(id(1), [need("p", 300)]), keeper.reserve(id(2), [need("p", 300)])];
    keeper.release(id(1));
    expect(await one).toMatchObject({ text: expect.stringMatching(/the session ended$/) });
    keeper.close();
    expect(await two).toMatchObject({ text: expect.stringMatching(/this server ends$/) });
    network.grant();
    expect(ledger.used("p")).toEqual({ up: 0, down: 0 });
  });

  it("gives bandwidth back after the hold time", async () => {
    const { keeper, network, clock } = begun();
    const waits = keeper.reserve(id(1), [need("p", 400)]);
    network.grant();
    await waits;
    keeper.release(id(1));
    await clock.pass(1000);
    expect(network.requests).toEqual([["p", 200]]);
  });

  it("sheds the least important and youngest, once, and admits nobody until they are gone", () => {
    const { keeper, network, sheds, ledger } = begun();
    for (const n of [1, 2, 9]) void keeper.reserve(id(n), [need("p", 50)]);
    network.takeBack("p", 0.5);
    expect(sheds).toEqual([
      [id(2), "p"],
      [id(1), "p"],
    ]);
    network.takeBack("p", 0.9);
    expect(sheds).toHaveLength(2);
    expect(keeper.reserve(id(3), [need("p", 10)])).toMatchObject({ admitted: false, free: 0 });
    keeper.release(id(2));
    keeper.release(id(1));
    expect(ledger.used("p")).toEqual({ up: 50, down: 50 });
    network.takeBack("p", 0);
    expect(sheds.at(-1)).toEqual([id(9), "p"]);
  });

  it("keeps pools at once where nobody else reserves", async () => {
    const ledger = new AdmissionLedger([{ name: "p", rate: bitsPerSecond(200) }]);
    const keeper: PoolKeeper = new PoolKeeper({
      ledger,
      pools: [following("p")],
      timeZone: "UTC",
      port: new InstantReservations(() => keeper),
      rank: () => ({ priority: 0, since: timestamp(0) }),
      shed: () => undefined,
      clock: new FakeClock(),
      log: SILENT_LOGGER,
    });
    keeper.start();
    expect(await keeper.reserve(id(1), [need("p", 700)])).toEqual({ admitted: true });
    expect(ledger.view()[0]).toMatchObject({ rate: 780, usedUp: 700 });
  });

  it("follows the schedule of a pool, minute by minute", async () => {
    const schedule = [{ days: ["mon" as const], from: 480, to: 481, rate: bitsPerSecond(600) }];
    const { keeper, network, clock, ledger } = world([{ ...following("p"), sizing: "fixed", schedule }]);
    clock.time = Date.parse("2026-01-05T07:58:30Z");
    keeper.start();
    network.grant();
    const rate = (): number => ledger.view()[0]?.rate ?? 0;
    expect(rate()).toBe(180);
    for (const [pass, room] of [
      [89_999, 180],
      [1, 580],
      [59_999, 580],
      [1, 180],
    ] as const) {
      await clock.pass(pass);
      network.grant();
      expect(rate()).toBe(room);
    }
  });
});

describe("pool keeper, over any sequence of calls, resizes and failures", () => {
  const command = fc.record({
    kind: fc.constantFrom("reserve", "reserve", "reserve", "release", "release", "grant", "refuse", "takeBack", "pass"),
    session: fc.nat(7),
    a: fc.integer({ min: 0, max: 300 }),
    b: fc.integer({ min: 0, max: 300 }),
  });

  it("never has sessions hold more than is reserved without the overhead, answers everybody, and leaks nothing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 60, size: "max" }), async (commands) => {
        const { keeper, network, ledger, clock, sheds } = begun();
        const open = new Set<Promise<LedgerAnswer>>();
        const check = (): void => {
          // Shed sessions let go at once here.
          for (const [session] of sheds.splice(0)) keeper.release(session);
          for (const { name, rate, usedUp, usedDown } of ledger.view()) {
            const reserved = name === "p" || name === "q" ? Math.max(0, network.left(name) - 20) : rate;
            expect(Math.max(usedUp, usedDown)).toBeLessThanOrEqual(reserved);
            expect(rate).toBeLessThanOrEqual(reserved);
          }
        };
        for (const { kind, session, a, b } of commands) {
          if (kind === "reserve") {
            const needs = [
              need("link", a, b),
              need(a > b ? "p" : "q", a, b),
              ...(a > 150 ? [need("fixed", b, 0)] : []),
            ];
            const answer = Promise.resolve(keeper.reserve(id(session), needs));
            open.add(answer);
            void answer.then(() => open.delete(answer));
          }
          if (kind === "release") keeper.release(id(session));
          if (kind === "grant") network.grant();
          if (kind === "refuse") network.refuse();
          if (kind === "takeBack") network.takeBack(session > 3 ? "p" : "q", a / 300);
          if (kind === "pass") await clock.pass(a * 5);
          check();
        }
        await clock.pass(501);
        await new Promise((resolve) => setImmediate(resolve));
        expect(open.size).toBe(0);
        for (let n = 0; n <= 7; n++) keeper.release(id(n));
        check();
        for (let round = 0; round < 8; round++) {
          network.grant();
          await clock.pass(3000);
        }
        expect(ledger.view().every(({ usedUp, usedDown, sessions }) => usedUp + usedDown + sessions === 0)).toBe(true);
        expect(keeper.view()).toEqual([
          { name: "p", reserved: 200, asked: undefined, waiting: 0 },
          { name: "q", reserved: 200, asked: undefined, waiting: 0 },
        ]);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
