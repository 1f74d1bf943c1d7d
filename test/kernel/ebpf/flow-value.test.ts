import { endianness } from "node:os";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketOf, CLOCK_TICK_NS } from "../../../src/kernel/ebpf/bucket.js";
import { encodeFlowKey } from "../../../src/kernel/ebpf/flow-key.js";
import {
  countersAt,
  decodeFlow,
  encodeFlowValue,
  FLOW_VALUE_LENGTH,
  flowIdAt,
  withCounters,
} from "../../../src/kernel/ebpf/flow-value.js";
import { viewOf } from "../../../src/kernel/ebpf/host-octets.js";
import { sameRule } from "../../../src/kernel/plan.js";
import type { FlowRule } from "../../../src/kernel/port.js";
import type { SessionId } from "../../../src/model/session.js";
import { bytesPerSecond, type Dscp, octets, toBitsPerSecond } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { drop, flow, flow6, remark } from "../fixtures.js";

const arbitraryRule: fc.Arbitrary<FlowRule> = fc
  .record({
    six: fc.boolean(),
    id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    session: fc.stringMatching(/^[0-9a-f]{16}$/),
    rate: fc.integer({ min: 1, max: 14_000_000_000 }),
    burst: fc.integer({ min: 0, max: 0xffffffff }),
    size: fc.option(fc.integer({ min: 20, max: 65_535 }), { nil: undefined }),
    code: fc.integer({ min: 0, max: 63 }),
    out: fc.option(fc.integer({ min: 0, max: 63 }), { nil: undefined }),
    pool: fc.integer({ min: 1, max: 0x7fff }),
  })
  .map(({ six, id, session, rate, burst, size, code, out, pool }) => ({
    ...(six ? flow6(3) : flow(3)),
    id,
    session: session as SessionId,
    rate: toBitsPerSecond(bytesPerSecond(rate)),
    burst: octets(burst),
    ...(size === undefined ? {} : { packetSize: octets(size) }),
    dscp: code as Dscp,
    outOfProfile: out === undefined ? drop : remark(out),
    pool,
  }));

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const arbitraryCounters: fc.Arbitrary<FlowCounters> = fc.tuple(count, count, count, count).map(([a, b, c, d]) => ({
  inProfile: { packets: a, octets: octets(b) },
  outOfProfile: { packets: c, octets: octets(d) },
}));

const packed = (rule: FlowRule, values: Uint8Array) => {
  const { family, octets: keys } = encodeFlowKey(rule.key);
  return { family, keys, values };
};

describe("values of flows", () => {
  it("come back with all of the rule and the counters", () => {
    fc.assert(
      fc.property(arbitraryRule, arbitraryCounters, (rule, counters) => {
        const value = encodeFlowValue(rule, counters);
        const found = decodeFlow(packed(rule, value));
        expect(found?.counters).toEqual(counters);
        expect(found && sameRule(found.rule, rule)).toBe(true);
        expect(found?.rule).toEqual(rule);
        expect(flowIdAt(viewOf(value))).toBe(rule.id);
      }),
    );
  });

  it("come back from any place among others, with what the program writes in between", () => {
    const rules = [flow(1), flow(2, { outOfProfile: remark(9) }), flow(3)];
    const values = Buffer.concat(rules.map((rule) => encodeFlowValue(rule)));
    const keys = Buffer.concat(rules.map((rule) => encodeFlowKey(rule.key).octets));
    // Its bucket's state.
    values.fill(0xab, FLOW_VALUE_LENGTH, FLOW_VALUE_LENGTH + 8);
    expect(decodeFlow({ family: 4, keys, values }, 16, FLOW_VALUE_LENGTH)?.rule).toEqual(rules[1]);
  });

  it("are no flow of ours once anything else in them was changed", () => {
    const rule = flow(1, { outOfProfile: remark(36), packetSize: octets(200) });
    const value = encodeFlowValue(rule);
    const constant = Array.from(value.keys()).filter((at) => (at >= 8 && at < 32) || at >= 64);
    for (const at of constant) {
      const changed = Uint8Array.from(value);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const found = decodeFlow(packed(rule, changed));
      expect(found !== undefined && sameRule(found.rule, rule), `octet ${at}`).toBe(false);
      // What the program reads must be what the rest asks for.
      if (at < 28) expect(found, `octet ${at}`).toBeUndefined();
    }
  });

  it("change their counters and nothing else", () => {
    fc.assert(
      fc.property(arbitraryRule, arbitraryCounters, arbitraryCounters, (rule, before, after) => {
        const value = encodeFlowValue(rule, before);
        const changed = withCounters(value, after);
        expect(changed).toEqual(new Uint8Array(encodeFlowValue(rule, after)));
        expect(countersAt(viewOf(value))).toEqual(before);
      }),
    );
  });

  it.runIf(endianness() === "LE")("are laid out as the program reads them", () => {
    const rule = flow(0x0102030405, { pool: 1, dscp: 46 as Dscp, outOfProfile: remark(10) });
    const value = Buffer.from(encodeFlowValue(rule));
    const { depth, cost } = bucketOf(rule);
    expect(value.readBigUInt64LE(0)).toBe(0n);
    expect(value.readBigUInt64LE(8)).toBe(BigInt(depth));
    expect(value.readBigUInt64LE(16)).toBe(BigInt(cost));
    expect(value.readUInt32LE(24)).toBe(0x10011);
    expect([...value.subarray(28, 32)]).toEqual([46, 10, 1, 0]);
    expect(value.readBigUInt64LE(64)).toBe(0x0102030405n);
    expect(value.toString("hex", 72, 80)).toBe("0123456789abcdef");
  });
});

describe("buckets", () => {
  const rate = toBitsPerSecond(bytesPerSecond(10_000));

  it("hold the burst, one packet at least, and a tick of the clock", () => {
    expect(bucketOf({ rate, burst: octets(5000) })).toEqual({
      depth: 500_000_000 + CLOCK_TICK_NS,
      cost: 100_000 * 65_536,
    });
    expect(bucketOf({ rate, burst: octets(0) }).depth).toBe(150_000_000 + CLOCK_TICK_NS);
    expect(bucketOf({ rate, burst: octets(0), packetSize: octets(200) }).depth).toBe(20_000_000 + CLOCK_TICK_NS);
  });

  it("let a whole burst through at any rate, and no more than the tick beyond it", () => {
    const rates = fc.integer({ min: 1, max: 14_000_000_000 });
    fc.assert(
      fc.property(rates, fc.integer({ min: 1500, max: 100_000_000 }), (octetRate, burst) => {
        const { depth, cost } = bucketOf({ rate: toBitsPerSecond(bytesPerSecond(octetRate)), burst: octets(burst) });
        // As the program: nanoseconds that so many octets take.
        const time = Number((BigInt(burst) * BigInt(cost)) >> 16n);
        expect(time).toBeLessThanOrEqual(depth - CLOCK_TICK_NS);
        const most = ((depth - CLOCK_TICK_NS) * 65_536) / cost;
        expect(most).toBeLessThanOrEqual(burst * 1.0005 + octetRate / 1e9 + 1);
      }),
    );
  });
});
