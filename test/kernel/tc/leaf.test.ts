import { describe, expect, it } from "vitest";
import type { CommandResult } from "../../../src/kernel/probe/outcome.js";
import type { ScratchRunner } from "../../../src/kernel/probe/scratch.js";
import { chooseLeaf } from "../../../src/kernel/tc/choose-leaf.js";
import { bestEffortLeaf, leafFits, leafText } from "../../../src/kernel/tc/leaf.js";
import { readQdisc } from "../../../src/kernel/tc/observed.js";
import { frameOf } from "../../../src/kernel/tc/sizes.js";

const MISSING: CommandResult = { exitCode: 2, stderr: "Error: Specified qdisc kind is unknown." };
const THERE: CommandResult = { exitCode: 0, stderr: "" };
const FORBIDDEN: CommandResult = { exitCode: 1, stderr: "unshare: unshare failed: Operation not permitted" };
/** A machine that has these qdiscs. */
const having =
  (kinds: Readonly<Record<string, CommandResult>>): ScratchRunner =>
  async ({ args }) =>
    kinds[args[7] ?? ""] ?? MISSING;

const FRAME = frameOf(1500);
const MEGABIT = 125_000;

describe("the queue of best effort", () => {
  it.each([
    [{ fq_codel: THERE, cake: THERE }, "fq_codel", "best effort is queued by fq_codel"],
    [{ cake: THERE }, "cake", "best effort is queued by cake; fq_codel missing in kernel"],
    [{}, "bfifo", "best effort is queued by a sized bfifo; fq_codel missing in kernel, cake missing in kernel"],
    [
      { fq_codel: FORBIDDEN, cake: { exitCode: 1, stderr: 'Unknown qdisc "cake", hence option "x" is unparsable' } },
      "bfifo",
      `best effort is queued by a sized bfifo; fq_codel unknown (${FORBIDDEN.stderr}), cake missing in tool`,
    ],
  ])("is what the machine has: %j", async (kinds, kind, detail) => {
    expect(await chooseLeaf(having(kinds))).toEqual({ kind, detail });
  });

  it("is told to tc", () => {
    const texts = (link: number) =>
      (["bfifo", "fq_codel", "cake"] as const).map((kind) => leafText(bestEffortLeaf(kind, link, FRAME)));
    expect(texts(100 * MEGABIT)).toEqual([
      "bfifo limit 625000b",
      "fq_codel limit 10240 target 5000us interval 100000us memory_limit 4194304b",
      "cake unlimited besteffort memlimit 4194304b",
    ]);
    // A frame takes 12 ms.
    expect(texts(MEGABIT)).toEqual([
      "bfifo limit 73728b",
      "fq_codel limit 10240 target 18168us interval 113168us memory_limit 4194304b",
      "cake unlimited besteffort memlimit 4194304b",
    ]);
    expect(texts(100_000 * MEGABIT)).toEqual([
      "bfifo limit 67108864b",
      "fq_codel limit 10240 target 5000us interval 100000us memory_limit 33554432b",
      "cake unlimited besteffort memlimit 33554432b",
    ]);
  });

  it("is exactly the one that is wanted", () => {
    const kinds = ["bfifo", "fq_codel", "cake"] as const;
    const found = {
      bfifo: { kind: "bfifo", limit: 625_000 },
      fq_codel: { kind: "fq_codel", limit: 10_240, target: 4999, interval: 99_999, memory: 4_194_304 },
      cake: { kind: "cake", shaper: 0, diffserv: 3, memory: 4_194_304 },
    };
    for (const wanted of kinds) {
      const spec = bestEffortLeaf(wanted, 100 * MEGABIT, FRAME);
      expect(leafFits(spec, undefined)).toBe(false);
      expect(kinds.filter((kind) => leafFits(spec, found[kind]))).toEqual([wanted]);
    }
    const fits = (kind: (typeof kinds)[number], changes: object): boolean =>
      leafFits(bestEffortLeaf(kind, 100 * MEGABIT, FRAME), { ...found[kind], ...changes });
    expect(fits("bfifo", { limit: 1 })).toBe(false);
    for (const changes of [{ target: 6000 }, { interval: 90_000 }, { limit: 1 }, { memory: 1 }])
      expect(fits("fq_codel", changes)).toBe(false);
    for (const changes of [{ shaper: 1 }, { diffserv: 0 }, { memory: 1 }]) expect(fits("cake", changes)).toBe(false);
  });
});

describe("what rtnetlink tells of a queue", () => {
  // Taken from Linux 6.1, which was told what `leafText` says for 1 Mbit/s.
  const TOLD = {
    fq_codel:
      "000000000100000000000380ffff0100010000000d00010066715f636f64656c000000004400020008000100f74600000800020000280000080003000fba01000800040001000000080006000e000100080008004000000008000900000040000800050000040000",
    cake: "000000000100000000000680ffff0100010000000900010063616b6500000000900002000c0002000000000000000000080005000700000008000700a0860100080008008813000008000a0000004000080009000000000008000f0000000000080010000000000008000b0000000000080003000300000008000d0000000000080006000000000008000c0000000000080004000000000008000e000000000008001100010000000800120000000000",
  } as const;
  const body = (kind: keyof typeof TOLD): Buffer => Buffer.from(TOLD[kind], "hex");

  it.each(["fq_codel", "cake"] as const)("is what was wanted: %s", (kind) => {
    const found = readQdisc(body(kind));
    expect(found).toMatchObject({ kind, parent: 0x1ffff });
    expect(leafFits(bestEffortLeaf(kind, MEGABIT, FRAME), found)).toBe(true);
    expect(leafFits(bestEffortLeaf(kind, 1000 * MEGABIT, FRAME), found)).toBe(false);
  });

  it("tells cake's own shaper", () => {
    const shaped = body("cake");
    // TCA_CAKE_BASE_RATE64 is the first option.
    shaped.writeBigUInt64LE(125_000n, 40);
    expect(readQdisc(shaped)).toMatchObject({ shaper: 125_000 });
    expect(leafFits(bestEffortLeaf("cake", MEGABIT, FRAME), readQdisc(shaped))).toBe(false);
  });

  it("never reads past its end", () => {
    for (const kind of ["fq_codel", "cake"] as const) {
      for (let place = 20; place < body(kind).length; place += 1) {
        const damaged = body(kind);
        damaged[place] = 0xff;
        try {
          readQdisc(damaged);
          readQdisc(body(kind).subarray(0, place));
        } catch (error) {
          expect(error).toMatchObject({ family: "decode" });
        }
      }
    }
  });
});
