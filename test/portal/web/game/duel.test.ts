import { describe, expect, it } from "vitest";
import { Duel } from "../../../../src/portal/web/game/duel.js";
import type { PacketChannel } from "../../../../src/portal/web/game/link.js";
import { PACKET_OCTETS } from "../../../../src/portal/web/game/packet.js";
import { Ticker } from "../../../../src/portal/web/game/ticker.js";

/** Two ends of a way that takes `delay` ms and loses each `lost`th packet, on a clock that the test turns. */
class Wire {
  now = 0;
  sent = 0;
  #flying: { at: number; deliver: () => void }[] = [];

  ends(delay: number, lost: number): [PacketChannel, PacketChannel] {
    const listeners: ((event: { data: unknown }) => void)[] = [];
    const end = (other: number): PacketChannel => ({
      readyState: "open",
      bufferedAmount: 0,
      send: (data) => {
        this.sent += 1;
        if (this.sent % lost !== 0)
          this.#flying.push({ at: this.now + delay, deliver: () => listeners[other]?.({ data }) });
      },
      addEventListener: (_type, listener) => {
        listeners[1 - other] = listener;
      },
    });
    return [end(1), end(0)];
  }

  turn(): void {
    this.now += 8;
    const due = this.#flying.filter(({ at }) => at <= this.now);
    this.#flying = this.#flying.filter(({ at }) => at > this.now);
    for (const { deliver } of due) deliver();
  }
}

const duelOf = (wire: Wire, channel: PacketChannel, side: "left" | "right", granted?: number): Duel =>
  new Duel({
    channel,
    side,
    callId: "call",
    stepsBetween: 1,
    granted: () => granted,
    input: () => (Math.floor(wire.now / 300) % 3) + (side === "left" ? 0 : 1),
    now: () => wire.now,
  });

function playFor(ms: number, delay: number, lost: number, granted?: number): readonly [Duel, Duel, Wire] {
  const wire = new Wire();
  const [one, other] = wire.ends(delay, lost);
  const [left, right] = [duelOf(wire, one, "left", granted), duelOf(wire, other, "right", granted)];
  while (wire.now < ms) {
    wire.turn();
    left.tick();
    right.tick();
    // As the page does for its plots.
    if (wire.now % 400 === 0) for (const duel of [left, right]) duel.read();
  }
  return [left, right, wire];
}

describe("a duel", () => {
  it("goes on at 60 steps a second through delay and loss, and both sides agree", () => {
    for (const duel of playFor(10_100, 40, 7).slice(0, 2) as Duel[]) {
      expect(duel.sure.frame).toBeGreaterThan(570);
      expect(duel.counters).toMatchObject({ diverged: false, unreadable: 0 });
      const { roundTrip, lossIn } = duel.read();
      expect(roundTrip).toBeGreaterThan(75);
      expect(roundTrip).toBeLessThan(110);
      expect(lossIn).toBeGreaterThan(0.03);
    }
  });

  it("stands still now and then where the way is longer than the window", () => {
    const [left] = playFor(10_000, 700, 1e9);
    expect(left.counters.stalls).toBeGreaterThan(100);
    expect(left.counters.diverged).toBe(false);
  });

  it("sends no more than was granted", () => {
    const [left, , wire] = playFor(10_000, 5, 1e9, 80);
    expect(left.packetRate).toBe(30);
    expect((wire.sent / 2 / 10) * PACKET_OCTETS * 8).toBeLessThan(80_000);
    expect(playFor(1000, 5, 1e9)[0].packetRate).toBe(60);
  });

  it("counts what it cannot read", () => {
    let listener: ((event: { data: unknown }) => void) | undefined;
    const channel: PacketChannel = {
      readyState: "connecting",
      bufferedAmount: 0,
      send: () => expect.unreachable(),
      addEventListener: (_type, given) => {
        listener = given;
      },
    };
    const duel = duelOf(new Wire(), channel, "left");
    listener?.({ data: new ArrayBuffer(5) });
    listener?.({ data: "text" });
    duel.tick();
    expect(duel.counters.unreadable).toBe(2);
  });
});

describe("a ticker", () => {
  it("gives sixty steps in a second, and not a whole pause at once", () => {
    const ticker = new Ticker();
    let steps = 0;
    for (let now = 0; now < 1000; now += 7) steps += ticker.steps(now);
    expect(steps).toBeGreaterThanOrEqual(59);
    expect(steps).toBeLessThanOrEqual(61);
    expect(ticker.steps(60_000)).toBeLessThanOrEqual(10);
  });
});
