import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionId } from "../../src/model/session.js";
import { bitsPerSecond, kilobitsPerSecond } from "../../src/model/units.js";
import { AdmissionLedger } from "../../src/pdp/ledger.js";

const session = (n: number) => n.toString(16).padStart(16, "0") as SessionId;
const need = (pool: string, up: number, down = up) => ({ pool, up: bitsPerSecond(up), down: bitsPerSecond(down) });

describe("admission ledger", () => {
  it("says which pool is short, what was needed and what is free", () => {
    const ledger = new AdmissionLedger([{ name: "voice", rate: kilobitsPerSecond(100) }]);
    expect(ledger.reserve(session(1), [need("voice", 60_000)])).toEqual({ admitted: true });
    expect(ledger.reserve(session(2), [need("voice", 10_000, 60_000)])).toMatchObject({
      admitted: false,
      reason: "noRoom",
      pool: "voice",
      needed: 60_000,
      free: 40_000,
    });
  });

  it("counts a session's own hold as free when it asks again, and keeps the old on refusal", () => {
    const ledger = new AdmissionLedger([{ name: "voice", rate: kilobitsPerSecond(100) }]);
    ledger.reserve(session(1), [need("voice", 60_000)]);
    expect(ledger.reserve(session(1), [need("voice", 90_000)]).admitted).toBe(true);
    expect(ledger.reserve(session(1), [need("voice", 110_000)]).admitted).toBe(false);
    expect(ledger.held(session(1))).toEqual([need("voice", 90_000)]);
  });

  it("takes from all pools or from none", () => {
    const ledger = new AdmissionLedger([
      { name: "wide", rate: kilobitsPerSecond(1000) },
      { name: "thin", rate: kilobitsPerSecond(10) },
    ]);
    expect(ledger.reserve(session(1), [need("wide", 20_000), need("thin", 20_000)])).toMatchObject({ pool: "thin" });
    expect(ledger.view().every(({ usedUp, sessions }) => usedUp === 0 && sessions === 0)).toBe(true);
  });

  it("names every pool that is short, and in which direction, with the figures of the first", () => {
    const ledger = new AdmissionLedger([
      { name: "wide", rate: kilobitsPerSecond(1000) },
      { name: "thin", rate: kilobitsPerSecond(10) },
      { name: "far", rate: kilobitsPerSecond(20) },
    ]);
    const needs = [need("wide", 50_000), need("thin", 20_000), need("far", 5000, 30_000)];
    expect(ledger.shortages(session(1), needs)).toEqual([
      { pool: "thin", direction: "up", needed: 20_000, free: 10_000 },
      { pool: "far", direction: "down", needed: 30_000, free: 20_000 },
    ]);
    expect(ledger.reserve(session(1), needs)).toEqual({
      admitted: false,
      reason: "noRoom",
      pool: "thin",
      needed: 20_000,
      free: 10_000,
      text: "pool thin is full: 20.0 kbit/s needed, 10.0 kbit/s free; pool far is full: 30.0 kbit/s needed, 20.0 kbit/s free",
    });
  });

  it("gives a pool another size, and takes nothing from anybody when that is less", () => {
    const ledger = new AdmissionLedger([{ name: "voice", rate: kilobitsPerSecond(100) }]);
    ledger.reserve(session(1), [need("voice", 60_000)]);
    ledger.resize("voice", kilobitsPerSecond(50));
    expect(ledger.reserve(session(2), [need("voice", 1)])).toMatchObject({ admitted: false, free: 0 });
    expect(ledger.reserve(session(1), [need("voice", 50_000)])).toEqual({ admitted: true });
    ledger.resize("voice", kilobitsPerSecond(200));
    expect(ledger.reserve(session(2), [need("voice", 150_000)])).toEqual({ admitted: true });
    expect(ledger.used("voice")).toEqual({ up: 200_000, down: 200_000 });
    expect([...ledger.holders("voice").keys()]).toEqual([session(1), session(2)]);
  });

  it("counts a pool that is named twice once, and rates with fractions as whole ones", () => {
    const ledger = new AdmissionLedger([{ name: "p", rate: bitsPerSecond(1000) }]);
    ledger.reserve(session(1), [need("p", 100.1, 0), need("p", 200.2, 0.3)]);
    expect(ledger.held(session(1))).toEqual([need("p", 302, 1)]);
    expect(ledger.view()[0]).toMatchObject({ usedUp: 302, usedDown: 1, sessions: 1 });
    ledger.release(session(1));
    expect(ledger.view()[0]).toMatchObject({ usedUp: 0, usedDown: 0, sessions: 0 });
  });

  it("never gives away more than there is, and leaks nothing, over any sequence", () => {
    const step = fc.record({
      session: fc.integer({ min: 0, max: 5 }),
      action: fc.constantFrom("reserve", "reserve", "release"),
      a: fc.double({ min: 0, max: 700, noNaN: true }),
      b: fc.double({ min: 0, max: 700, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ledger = new AdmissionLedger([
          { name: "p", rate: bitsPerSecond(1000) },
          { name: "q", rate: bitsPerSecond(600) },
        ]);
        for (const { session: n, action, a, b } of steps) {
          if (action === "release") ledger.release(session(n));
          else ledger.reserve(session(n), [need("p", a, b), need("q", b, a)]);
          for (const pool of ledger.view()) {
            if (pool.usedUp > pool.rate || pool.usedDown > pool.rate) return false;
          }
        }
        for (let n = 0; n <= 5; n++) ledger.release(session(n));
        return ledger.view().every(({ usedUp, usedDown, sessions }) => usedUp + usedDown + sessions === 0);
      }),
    );
  });
});
