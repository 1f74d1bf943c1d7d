import { createSocket } from "node:dgram";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flood, pacer } from "../../src/lab/flood.js";
import { bitsPerSecond, millis, octets } from "../../src/model/units.js";

const RATE = bitsPerSecond(8_000_000);

describe("pacer", () => {
  it("keeps to the rate however the ticks fall", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 40, noNaN: true }), { maxLength: 100 }), (ticks) => {
        const due = pacer({ rate: RATE, datagramSize: octets(1000) });
        const sent = ticks.reduce((sum, tick) => sum + due(tick), 0);
        const exact = ticks.reduce((sum, tick) => sum + tick, 0);
        // 8 Mbit/s in datagrams of 1000 octets: one each millisecond.
        expect(sent).toBeLessThanOrEqual(exact + 1e-6);
        expect(sent).toBeGreaterThan(exact - 1 - 1e-6);
      }),
    );
  });

  it("does not make up for a long pause with one burst", () => {
    expect(pacer({ rate: RATE, datagramSize: octets(1000) })(10_000)).toBe(40);
  });
});

describe("flood", () => {
  const bounded = { destination: "127.0.0.1", port: 9, rate: RATE, datagramSize: octets(500), duration: millis(1000) };

  it.each([
    { ...bounded, destination: "localhost" },
    { ...bounded, rate: bitsPerSecond(0) },
    { ...bounded, rate: bitsPerSecond(2e9) },
    { ...bounded, datagramSize: octets(20) },
    { ...bounded, datagramSize: octets(70_000) },
    { ...bounded, duration: millis(0) },
    { ...bounded, duration: millis(1e9) },
  ])("refuses what is out of bounds: $destination $rate $datagramSize $duration", async (options) => {
    await expect(flood(options)).rejects.toThrow(RangeError);
  });

  it("sends datagrams whose IP packets have the size asked for, until it is told to end", async () => {
    const sink = createSocket("udp4");
    await new Promise<void>((resolve) => sink.bind(0, "127.0.0.1", resolve));
    const stop = new AbortController();
    const size = new Promise<number>((resolve) => {
      sink.once("message", (message) => {
        stop.abort();
        resolve(message.length);
      });
    });
    const running = flood({ ...bounded, port: sink.address().port, duration: millis(60_000) }, stop.signal);
    expect(await size).toBe(500 - 28);
    expect((await running).sent).toBeGreaterThan(0);
    sink.close();
  });
});
