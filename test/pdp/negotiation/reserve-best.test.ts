import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TrafficSpec } from "../../../src/model/flow.js";
import type { SessionId } from "../../../src/model/session.js";
import { bitsPerSecond, kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import { AdmissionLedger } from "../../../src/pdp/ledger.js";
import { type RangeAnswer, reserveBest } from "../../../src/pdp/negotiation/reserve-best.js";
import type { KeptPool } from "../../../src/pdp/pools/pool-sizings.js";
import { PoolTally, TalliedPools } from "../../../src/pdp/pools/pool-watch-tally.js";
import type { SessionPools } from "../../../src/pdp/pools/session-pools.js";
import { begun, id } from "../pools/keeper-world.js";

/** 200 kbit/s, and up to 1000 as the network grants them. */
const growing = (name: string): KeptPool => ({
  ...{ name, rate: kilobitsPerSecond(200), overhead: bitsPerSecond(0), schedule: [] },
  sizing: {
    ...{ floor: kilobitsPerSecond(200), ceiling: kilobitsPerSecond(1000), step: kilobitsPerSecond(100) },
    ...{ headRoom: bitsPerSecond(0), hold: millis(1000), growTimeout: millis(500), retry: millis(2000) },
  },
});
const traffic = (kbits: number): TrafficSpec => ({
  ...{ rate: kilobitsPerSecond(kbits), burst: octets(1000), packetsPerSecond: 0 },
});
const ask = (pools: SessionPools, session: SessionId, [least, most]: readonly [number, number], names = ["p"]) =>
  reserveBest(pools, {
    session,
    ranges: [{ least: traffic(least), most: traffic(most) }],
    needs: ([{ rate } = traffic(0)]) => names.map((pool) => ({ pool, up: rate, down: rate })),
  });
const kbits = (answer: RangeAnswer) => (answer.admitted ? (answer.traffic[0]?.rate ?? 0) / 1000 : answer.reason);
const quiet = () => new Promise((resolve) => setImmediate(resolve));
async function state(answer: Promise<RangeAnswer>): Promise<number | string> {
  return Promise.race([answer.then(kbits), quiet().then(() => "waits")]);
}

describe("taking the best that fits", () => {
  it("takes what is wanted where there is room, and else what there is, at once", async () => {
    const ledger = new AdmissionLedger([{ name: "p", rate: kilobitsPerSecond(500) }]);
    expect(kbits(await ask(ledger, id(1), [100, 400]))).toBe(400);
    expect(kbits(await ask(ledger, id(2), [50, 400]))).toBe(100);
    expect(await ask(ledger, id(3), [50, 400])).toMatchObject({ reason: "noRoom", needed: 50_000, free: 0 });
    expect(ledger.used("p").up).toBe(500_000);
  });

  it("gives one of two that ask together what the other leaves", async () => {
    const ledger = new AdmissionLedger([{ name: "p", rate: kilobitsPerSecond(500) }]);
    const both = await Promise.all([ask(ledger, id(1), [100, 400]), ask(ledger, id(2), [100, 400])]);
    expect(both.map(kbits)).toEqual([400, 100]);
  });

  it("has a pool grow for what is wanted first, and reduces only when the network does not give it in time", async () => {
    const { keeper, network, clock } = begun([growing("p")]);
    const first = ask(keeper, id(1), [100, 600]);
    expect(await state(first)).toBe("waits");
    expect(network.requests).toEqual([["p", 600_000]]);
    network.grant();
    expect(kbits(await first)).toBe(600);
    const second = ask(keeper, id(2), [10, 300]);
    expect(await state(second)).toBe("waits");
    await clock.pass(500);
    expect(await state(second)).toBe("noRoom");
  });

  it("takes what the pool has when it does not grow", async () => {
    const { keeper, network, ledger } = begun([growing("p")]);
    const answer = ask(keeper, id(1), [100, 600]);
    await quiet();
    network.refuse();
    expect(kbits(await answer)).toBe(200);
    expect(ledger.used("p")).toEqual({ up: 200_000, down: 200_000 });
  });

  it("asks for no more than the pool may become, and than others on the way have", async () => {
    const { keeper, network, ledger } = begun([growing("p"), growing("q")]);
    const beyond = ask(keeper, id(1), [100, 5000]);
    expect(network.requests).toEqual([["p", 1_000_000]]);
    network.grant();
    expect(kbits(await beyond)).toBe(1000);
    keeper.release(id(1));
    ledger.restore(id(2), [{ pool: "q", up: kilobitsPerSecond(700), down: kilobitsPerSecond(0) }]);
    const narrow = ask(keeper, id(3), [100, 5000], ["p", "q"]);
    expect(network.requests.at(-1)).toEqual(["q", 1_000_000]);
    network.grant();
    expect(kbits(await narrow)).toBe(300);
  });

  it("is no refusal by the pool in its history where it is only less", async () => {
    const tally = new PoolTally();
    const pools = new TalliedPools(begun([{ ...growing("p"), sizing: "fixed" }]).keeper, tally);
    expect(kbits(await ask(pools, id(1), [50, 300]))).toBe(200);
    expect([...tally.take().refused]).toEqual([]);
    expect(kbits(await ask(pools, id(2), [50, 300]))).toBe("noRoom");
    expect([...tally.take().refused]).toEqual([["p", 1]]);
  });

  it("never takes more than is reserved or less than is of use, over any sequence, and leaves nothing behind", async () => {
    const event = fc.record({
      kind: fc.constantFrom("ask", "ask", "ask", "release", "grant", "refuse", "pass"),
      session: fc.nat(5),
      least: fc.integer({ min: 1, max: 400 }),
      more: fc.integer({ min: 0, max: 800 }),
      both: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
        const { keeper, network, ledger, clock } = begun([growing("p"), growing("q")]);
        const open = new Map<number, Promise<void>>();
        for (const { kind, session: n, least, more, both } of events) {
          // A session has one thing done at a time.
          if (kind === "ask" && !open.has(n)) {
            const names = both ? ["p", "q"] : ["q"];
            const done = ask(keeper, id(n), [least, least + more], names).then((answer) => {
              open.delete(n);
              if (!answer.admitted) return;
              expect(kbits(answer)).toBeGreaterThanOrEqual(least);
              expect(kbits(answer)).toBeLessThanOrEqual(least + more);
              const rate = (kbits(answer) as number) * 1000;
              expect(ledger.held(id(n))).toEqual(names.map((pool) => ({ pool, up: rate, down: rate })));
            });
            open.set(n, done);
          }
          if (kind === "release" && !open.has(n)) keeper.release(id(n));
          if (kind === "grant") network.grant();
          if (kind === "refuse") network.refuse();
          if (kind === "pass") await clock.pass(least);
          await quiet();
          for (const { name, reserved } of keeper.view()) {
            expect(ledger.used(name).up).toBeLessThanOrEqual(reserved);
          }
        }
        const rest = [...open.values()];
        await clock.pass(1000);
        await Promise.all(rest);
        for (let n = 0; n <= 5; n++) keeper.release(id(n));
        expect(ledger.view().every(({ usedUp, sessions }) => usedUp + sessions === 0)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});
