import { describe, expect, it } from "vitest";
import { rateOf, stepsPerPacket } from "../../../../src/portal/web/game/pace.js";
import { PACKET_OCTETS } from "../../../../src/portal/web/game/packet.js";
import { describeQuality } from "../../../../src/portal/web/quality/describe.js";
import { isStricter, type MediumKind, PARAMETERS } from "../../../../src/portal/web/quality/needs.js";
import { ACTIVITIES, limitsOf, planOf, presetOf } from "../../../../src/portal/web/quality/presets.js";

describe("presets", () => {
  it.each(ACTIVITIES)("of %s are ranges that fit their sliders", (activity) => {
    for (const [kind, medium] of Object.entries(presetOf(activity, []))) {
      expect(medium.sessionClass).toBe(planOf(activity).sessionClass);
      for (const name of PARAMETERS) {
        const range = medium.send?.[name];
        if (range === undefined) continue;
        const { min, max, scale } = limitsOf(kind as MediumKind, name);
        expect(isStricter(name, range.worst, range.wanted)).toBe(false);
        for (const value of [range.wanted, range.worst]) {
          expect(value / scale).toBeGreaterThanOrEqual(min);
          expect(value / scale).toBeLessThanOrEqual(max);
        }
      }
    }
  });

  it("want what the provider's class promises", () => {
    const classes = [{ name: "game-fps", label: "Game", latency: 90, jitter: 10, loss: 0.001 }];
    const { send } = presetOf("game-fps", classes).application ?? {};
    expect(send?.latency).toEqual({ wanted: 90, worst: 90 });
    expect(send?.jitter).toEqual({ wanted: 10, worst: 30 });
    expect(send?.rate).toEqual({ wanted: 160, worst: 80 });
    expect(presetOf("game-rts", classes).application?.send?.latency).toEqual({ wanted: 100, worst: 250 });
  });

  it("are enough for what the game sends", () => {
    expect(rateOf(PACKET_OCTETS, 60)).toBeLessThan(160);
    expect(stepsPerPacket(PACKET_OCTETS, 160, 1)).toBe(1);
    expect(stepsPerPacket(PACKET_OCTETS, 80, 1)).toBe(2);
    expect(stepsPerPacket(PACKET_OCTETS, 64, 3)).toBe(3);
    expect(stepsPerPacket(PACKET_OCTETS, 32, 3)).toBe(5);
    expect(stepsPerPacket(PACKET_OCTETS, undefined, 1)).toBe(1);
    expect(stepsPerPacket(PACKET_OCTETS, 1, 1)).toBe(6);
  });

  it("can be read by people", () => {
    expect(describeQuality(presetOf("game-fps", []))).toBe(
      "Game (game-fps): latency 40 to 80 ms, jitter 15 to 30 ms, loss 0.5 to 2 %, rate 160 to 80 kbit/s.",
    );
    expect(describeQuality({})).toBe("Nothing is asked of the network.");
  });
});
