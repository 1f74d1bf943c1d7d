import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { refusePools, slotByClass, slotOfClass } from "../../../src/kernel/dsmark/rules.js";
import {
  CLASS_MASK,
  CLASS_SHIFT,
  CLASS_VALUES,
  defaultSlot,
  INDICES,
  MARKS,
  MOST_POOL,
  slotOf,
} from "../../../src/kernel/dsmark/slots.js";
import { inProfileWord, outOfProfileWord } from "../../../src/kernel/nft/priority-word.js";
import { MAX_SIZE_CLASS } from "../../../src/kernel/nft/size-class.js";
import { CLASS, minorOfPool } from "../../../src/kernel/tc/tree.js";
import { dscp } from "../../../src/model/units.js";
import { pool } from "../fixtures.js";

/** What DSMARK and tcindex make of a slot, as their sources do: sch_dsmark's dequeue, cls_tcindex's classify. */
const marked = (slot: number, octet: number): number => {
  const { mask, value } = MARKS.get(slot & (INDICES - 1)) ?? { mask: 0xff, value: 0 };
  return (octet & mask) | value;
};
const classified = (slot: number): number => (slot & CLASS_MASK) >> CLASS_SHIFT;

const codePoint = fc.integer({ min: 0, max: 63 });
const poolId = fc.integer({ min: 1, max: MOST_POOL });

/** The two rules of a code point's chain, done by hand. */
function priorityAfter(word: number, code: number): number {
  const [shift = "", combine = ""] = slotByClass(code);
  const by = Number(/<< (\d+)$/.exec(shift)?.[1]);
  const [, mask, or] = /and (0x[0-9a-f]{8}) or (0x[0-9a-f]{8}) accept$/.exec(combine) ?? [];
  return ((((word << by) >>> 0) & Number(mask)) | Number(or)) >>> 0;
}

describe("a slot", () => {
  it("says code point and class of every pool, and keeps ECN", () => {
    fc.assert(
      fc.property(poolId, codePoint, fc.integer({ min: 0, max: 255 }), (id, code, octet) => {
        const slot = slotOf(minorOfPool(id), code);
        expect(slot).toBeLessThanOrEqual(0xffff);
        expect(classified(slot)).toBe(minorOfPool(id));
        expect(marked(slot, octet)).toBe((code << 2) | (octet & 3));
      }),
    );
  });

  it("is computed by the rules from the word of a flow, whatever else is in it", () => {
    fc.assert(
      fc.property(
        poolId,
        codePoint,
        fc.option(fc.integer({ min: 1, max: MAX_SIZE_CLASS }), { nil: undefined }),
        (id, code, size) => {
          const word = inProfileWord(dscp(code), id, size);
          expect(priorityAfter(word, code)).toBe(0x20000 | slotOf(minorOfPool(id), code));
        },
      ),
    );
  });

  it("of what is out of profile has no class, so that HTB takes its default", () => {
    fc.assert(
      fc.property(codePoint, (code) => {
        const slot = priorityAfter(outOfProfileWord({ action: "remark", dscp: dscp(code) }), code) & 0xffff;
        expect(slot).toBe(slotOf(CLASS.default, code));
        expect(classified(slot)).toBe(0x1ff);
        expect(marked(slot, 0xb9)).toBe((code << 2) | 1);
      }),
    );
    // No pool's class, nor signalling's.
    expect(minorOfPool(MOST_POOL)).toBe(0x1fe);
  });

  it("of signalling is one value", () => {
    expect(slotOfClass(CLASS.signalling, 24)).toEqual(["meta priority set 2:158 accept"]);
    expect([classified(0x158), marked(0x158, 0)]).toEqual([CLASS.signalling, 24 << 2]);
  });

  it("by default leaves packets as they are, in no class, and signs", () => {
    const tables = ["sluice", "sluice_test", "other"].map(defaultSlot);
    expect(new Set(tables).size).toBe(3);
    for (const slot of tables) {
      expect(classified(slot)).toBe(CLASS_VALUES - 1);
      expect(marked(slot, 0xb9)).toBe(0xb9);
    }
  });
});

describe("pools beyond the slots", () => {
  it("are refused, and say why", () => {
    expect(() => refusePools({ poolSets: [pool(1), pool(MOST_POOL)] })).not.toThrow();
    expect(() => refusePools({ poolSets: [pool(1), pool(MOST_POOL + 1)] })).toThrow(
      expect.objectContaining({
        code: "KERNEL_UNSUPPORTED",
        message: 'pool 495 "pool 495": a slot of DSMARK has room for the pools 1 to 494',
        remedy: "use backend: nftables, or fewer pools",
      }),
    );
  });
});
