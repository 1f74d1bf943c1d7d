import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seconds } from "../../../src/model/units.js";
import { RefusalMemory } from "../../../src/sip/transport/refusal-memory.js";
import { SourceGate } from "../../../src/sip/transport/source-gate.js";
import { FakeClock } from "../../support/fake-clock.js";

const LIMITS = { connections: 4, perSource: 2, perMinute: 3 };

describe("SourceGate", () => {
  it("keeps one source from taking everybody's room", () => {
    const gate = new SourceGate(LIMITS, new FakeClock());
    const enter = (address: string) => gate.enter(address);
    expect([enter("192.0.2.1"), enter("192.0.2.1"), enter("192.0.2.1")]).toEqual([
      "admitted",
      "admitted",
      "sourceFull",
    ]);
    expect([enter("192.0.2.2"), enter("192.0.2.3"), enter("192.0.2.4")]).toEqual(["admitted", "admitted", "full"]);
    gate.leave("192.0.2.2");
    expect([enter("192.0.2.4"), gate.size]).toEqual(["admitted", 4]);
  });

  it("counts an IPv6 /64 as one source", () => {
    const gate = new SourceGate(LIMITS, new FakeClock());
    expect(["2001:db8::1", "2001:db8::ffff:1", "2001:db8::2", "2001:db8:0:1::1"].map((one) => gate.enter(one))).toEqual(
      ["admitted", "admitted", "sourceFull", "admitted"],
    );
  });

  it("lets a source open so many in a minute, and more as time goes on", () => {
    const clock = new FakeClock();
    const gate = new SourceGate(LIMITS, clock);
    const once = () => {
      const admission = gate.enter("192.0.2.1");
      if (admission === "admitted") gate.leave("192.0.2.1");
      return admission;
    };
    expect([once(), once(), once(), once()]).toEqual(["admitted", "admitted", "admitted", "tooFast"]);
    clock.advance(20_000);
    expect([once(), once()]).toEqual(["admitted", "tooFast"]);
  });

  it("never has more open than it may, nor fewer than none", () => {
    const step = fc.record({ enters: fc.boolean(), host: fc.nat(6), wait: fc.nat(40_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = new FakeClock();
        const gate = new SourceGate(LIMITS, clock);
        const open = new Map<string, number>();
        for (const { enters, host, wait } of steps) {
          const address = `192.0.2.${host}`;
          const before = open.get(address) ?? 0;
          clock.advance(wait);
          if (enters) {
            if (gate.enter(address) === "admitted") open.set(address, before + 1);
          } else if (before > 0) {
            gate.leave(address);
            open.set(address, before - 1);
          }
          const sum = [...open.values()].reduce((total, one) => total + one, 0);
          expect(gate.size).toBe(sum);
          expect(sum).toBeLessThanOrEqual(LIMITS.connections);
          expect(Math.max(0, ...open.values())).toBeLessThanOrEqual(LIMITS.perSource);
        }
      }),
    );
  });

  it("forgets sources that are gone", () => {
    const clock = new FakeClock();
    const gate = new SourceGate({ connections: 10, perSource: 1, perMinute: 1 }, clock);
    for (let host = 0; host < 5000; host += 1) {
      const address = `10.0.${host >> 8}.${host & 255}`;
      expect(gate.enter(address)).toBe("admitted");
      gate.leave(address);
    }
    expect((gate as unknown as { sources: Map<string, unknown> }).sources.size).toBeLessThan(30);
  });
});

describe("RefusalMemory", () => {
  it("forgets after its time, and when the peer takes a connection", () => {
    const clock = new FakeClock();
    const memory = new RefusalMemory(clock, seconds(60));
    memory.add("192.0.2.1:5060");
    memory.add("192.0.2.2:5060");
    memory.forget("192.0.2.2:5060");
    expect([memory.has("192.0.2.1:5060"), memory.has("192.0.2.2:5060")]).toEqual([true, false]);
    clock.advance(60_000);
    expect(memory.has("192.0.2.1:5060")).toBe(false);
  });

  it("remembers the latest only", () => {
    const memory = new RefusalMemory(new FakeClock(), seconds(60));
    for (let port = 1; port <= 2000; port += 1) memory.add(`192.0.2.1:${port}`);
    expect([memory.has("192.0.2.1:1"), memory.has("192.0.2.1:2000")]).toEqual([false, true]);
  });
});
