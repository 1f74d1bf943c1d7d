import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMark, inProfileMark, MARK, MAX_POOL, outOfProfileMark } from "../../src/kernel/mark.js";
import { dscp } from "../../src/model/units.js";

const anyCode = fc.integer({ min: 0, max: 63 }).map(dscp);

describe("mark", () => {
  it("has the layout that the ruleset expects", () => {
    expect(inProfileMark(dscp(46), 1)).toBe(0xae000001);
    expect(outOfProfileMark({ action: "remark", dscp: dscp(36) })).toBe(0xe4000000);
    expect(outOfProfileMark({ action: "drop" })).toBe(0x40000000);
  });

  it("reads back every mark that it makes", () => {
    fc.assert(
      fc.property(anyCode, fc.integer({ min: 1, max: MAX_POOL }), (code, pool) => {
        expect(decodeMark(inProfileMark(code, pool))).toEqual({ kind: "inProfile", dscp: code, pool });
        const outOfProfile = { action: "remark", dscp: code } as const;
        expect(decodeMark(outOfProfileMark(outOfProfile))).toEqual({ kind: "outOfProfile", outOfProfile });
      }),
    );
  });

  it("never takes another program's low mark for one of ours", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x3fffffff }), (mark) => {
        expect(decodeMark(mark)).toBeUndefined();
        expect((mark & MARK.kindMask) >>> 0).toBe(0);
      }),
    );
    expect(decodeMark(0x40000001)).toBeUndefined();
    expect(decodeMark(0x80010001)).toBeUndefined();
  });
});
