import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PROBE_CONTENT } from "../../../../src/portal/web/game/link.js";
import { LinkMeter } from "../../../../src/portal/web/game/meter.js";
import type { Packet } from "../../../../src/portal/web/game/packet.js";

const packetOf = (meter: LinkMeter, now: number): Packet => ({
  ...PROBE_CONTENT,
  sequence: meter.nextSequence(),
  sentAt: now,
  ...meter.report(now),
});

describe("a meter", () => {
  it("takes the time that the other side held a packet out of the round trip", () => {
    const [here, there] = [new LinkMeter(), new LinkMeter()];
    // The other clock is far off: only differences by one clock count.
    there.take(packetOf(here, 1000), 500_010);
    here.take(packetOf(there, 500_110), 1120);
    expect(here.read()).toMatchObject({ roundTrip: 20, roundTrip95: 20 });
    expect(here.read().roundTrip).toBeUndefined();
  });

  it("counts what was lost in both directions", () => {
    const [here, there] = [new LinkMeter(), new LinkMeter()];
    for (let at = 0; at < 100; at += 1) {
      const packet = packetOf(here, at * 10);
      if (at % 4 !== 0) there.take(packet, at * 10 + 5);
    }
    here.take(packetOf(there, 1000), 1005);
    expect(there.read().lossIn).toBeCloseTo(0.25, 9);
    expect(here.read()).toMatchObject({ lossIn: 0, lossOut: 0.25 });
    expect(there.totals).toMatchObject({ received: 75, expected: 100, duplicates: 0 });
  });

  it("counts what could not leave as lost for the other side, but not as sent", () => {
    const [here, there] = [new LinkMeter(), new LinkMeter()];
    there.take(packetOf(here, 0), 5);
    there.read();
    for (let at = 1; at < 4; at += 1) here.withhold();
    there.take(packetOf(here, 40), 45);
    expect(there.read().lossIn).toBe(0.75);
    expect(here.totals.sent).toBe(2);
  });

  it("loses everything while nothing comes, once something came", () => {
    const [here, there] = [new LinkMeter(), new LinkMeter()];
    expect(there.read().lossIn).toBeUndefined();
    there.take(packetOf(here, 0), 5);
    there.take(packetOf(here, 10), 16);
    expect(there.read()).toMatchObject({ lossIn: 0, jitter: 1 / 16 });
    expect(there.read()).toEqual({ lossIn: 1 });
  });

  it("has the jitter of RFC 3550 §6.4.1", () => {
    const [here, there] = [new LinkMeter(), new LinkMeter()];
    const transits = [5, 9, 5, 13];
    let expected = 0;
    transits.forEach((transit, index) => {
      there.take(packetOf(here, index * 20), index * 20 + transit + 1e6);
      if (index > 0) expected += (Math.abs(transit - transits[index - 1]!) - expected) / 16;
    });
    expect(there.read().jitter).toBeCloseTo(expected, 9);
  });

  it("takes no packet twice, and none from long ago", () => {
    const [here, there] = [new LinkMeter(), new LinkMeter()];
    const first = packetOf(here, 0);
    expect(there.take(first, 1)).toBe(true);
    expect(there.take(first, 2)).toBe(false);
    for (let at = 1; at < 5000; at += 1) there.take(packetOf(here, at), at + 1);
    expect(there.take(first, 5001)).toBe(false);
    expect(there.totals).toMatchObject({ received: 5000, duplicates: 2 });
  });

  it("gives figures that make sense, whatever comes", () => {
    const hostile = fc.array(
      fc.record({
        sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
        sentAt: fc.double({ min: -1e12, max: 1e12, noNaN: true }),
        received: fc.nat(),
        expected: fc.nat(),
      }),
    );
    fc.assert(
      fc.property(hostile, (packets) => {
        const meter = new LinkMeter();
        for (const [at, packet] of packets.entries()) {
          meter.take({ ...PROBE_CONTENT, ...packet, echo: { sentAt: packet.sentAt, held: 0 } }, at);
        }
        const { roundTrip, lossIn, lossOut } = meter.read();
        if (roundTrip !== undefined) expect(roundTrip).toBeGreaterThanOrEqual(0);
        for (const loss of [lossIn, lossOut]) {
          if (loss === undefined) continue;
          expect(loss).toBeGreaterThanOrEqual(0);
          expect(loss).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
