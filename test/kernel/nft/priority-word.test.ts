import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeWord, inProfileWord, outOfProfileWord } from "../../../src/kernel/nft/priority-word.js";
import { MAX_SIZE_CLASS, SIZE_CLASSES, sizeClassOf } from "../../../src/kernel/nft/size-class.js";
import { MAX_POOL } from "../../../src/kernel/pool-limit.js";
import { dscp } from "../../../src/model/units.js";

const anyCode = fc.integer({ min: 0, max: 63 }).map(dscp);

describe("priority word", () => {
  it("has the layout that the ruleset expects", () => {
    expect(inProfileWord(dscp(46), 1)).toBe(0xae000011);
    expect(inProfileWord(dscp(46), 1, 3)).toBe(0xae830011);
    expect(outOfProfileWord({ action: "remark", dscp: dscp(36) })).toBe(0xe400ffff);
    expect(outOfProfileWord({ action: "drop" })).toBe(0x40000000);
  });

  it("reads back every word that it makes", () => {
    const anyClass = fc.option(fc.integer({ min: 1, max: MAX_SIZE_CLASS }), { nil: undefined });
    fc.assert(
      fc.property(anyCode, fc.integer({ min: 1, max: MAX_POOL }), anyClass, (code, pool, sizeClass) => {
        expect(decodeWord(inProfileWord(code, pool, sizeClass))).toEqual({
          kind: "inProfile",
          dscp: code,
          pool,
          sizeClass,
        });
        const outOfProfile = { action: "remark", dscp: code } as const;
        expect(decodeWord(outOfProfileWord(outOfProfile))).toEqual({ kind: "outOfProfile", outOfProfile });
      }),
    );
    expect(decodeWord(outOfProfileWord({ action: "drop" }))).toEqual({
      kind: "outOfProfile",
      outOfProfile: { action: "drop" },
    });
  });

  it.each([0, 0x00010011, 0x40000001, 0x80000001, 0x80800011, 0x80010011, 0x80fa0011, 0xe4000000, 0xe401ffff])(
    "does not take %i for one of ours",
    (word) => expect(decodeWord(word)).toBeUndefined(),
  );
});

describe("size classes", () => {
  it("fit a word, rise, and let a packet be little larger than it should", () => {
    expect(MAX_SIZE_CLASS).toBeLessThan(0x80);
    for (const [index, size] of SIZE_CLASSES.entries()) {
      const before = SIZE_CLASSES[index - 1] ?? 20;
      expect(size).toBeGreaterThan(before);
      if (index > 0) expect((size - before - 1) / (before + 1)).toBeLessThan(0.1);
    }
  });

  it("are the least that let a size through", () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 2048 }), (size) => {
        const found = sizeClassOf(size)!;
        expect(SIZE_CLASSES[found - 1]).toBeGreaterThanOrEqual(size);
        if (found > 1) expect(SIZE_CLASSES[found - 2]).toBeLessThan(size);
      }),
    );
    expect(sizeClassOf(2049)).toBeUndefined();
  });
});
