import { describe, expect, it } from "vitest";
import { REFUSAL_REASONS, type Refusal } from "../../../src/model/decision.js";
import { bitsPerSecond, octets } from "../../../src/model/units.js";
import type { FlowAsk } from "../../../src/pdp/negotiation/flow-ask.js";
import { rateRefusal } from "../../../src/pdp/negotiation/rate-refusal.js";

const flow = (ask?: Partial<FlowAsk>) => ({
  direction: "up" as const,
  traffic: { rate: bitsPerSecond(80_000), burst: octets(1000), packetsPerSecond: 50 },
  ask: ask === undefined ? undefined : { index: 0, ...ask },
});
const full: Refusal = {
  admitted: false,
  reason: "noRoom",
  text: "pool voice is full",
  pool: "voice",
  needed: bitsPerSecond(85_600),
  free: bitsPerSecond(40_000),
};

describe("want of room", () => {
  it("is told as such to a plain call", () => {
    for (const flows of [[], [flow()], [flow({ media: "audio" })]]) expect(rateRefusal(full, flows)).toBe(full);
  });

  it("is a requirement that cannot be met where any medium asks for a class or a quality, with the same figures", () => {
    const told = { ...full, reason: "rateUnavailable" };
    expect(rateRefusal(full, [flow(), flow({ sessionClass: "talk" })])).toEqual(told);
    expect(rateRefusal(full, [flow({ need: {} })])).toEqual(told);
  });

  it("is the only reason that is told otherwise", () => {
    for (const reason of REFUSAL_REASONS.filter((each) => each !== "noRoom")) {
      expect(rateRefusal({ ...full, reason }, [flow({ sessionClass: "talk" })]).reason).toBe(reason);
    }
  });
});
