import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_POOL } from "../../../src/kernel/mark.js";
import { classHandle, NO_TREE, type ObservedTree, treeCommands } from "../../../src/kernel/tc/difference.js";
import { type ObservedHtbClass, readHtbClass, readQdisc } from "../../../src/kernel/tc/observed.js";
import { classesOf, minorOfPool, poolOfMinor, signatureOf } from "../../../src/kernel/tc/tree.js";
import { octets } from "../../../src/model/units.js";
import { link, pool } from "../fixtures.js";

const SIGNATURE = signatureOf("sluice");
const wan = link("wan0");

const common = { overhead: 0, quantum: 1514, packets: 0, octets: octets(0), dropped: 0, backlog: octets(0) };
const found = (
  minor: number,
  rate: number,
  ceil: number,
  changes: Partial<ObservedHtbClass> = {},
): ObservedHtbClass => ({
  ...common,
  handle: classHandle(minor),
  parent: classHandle(1),
  rate: rate as ObservedHtbClass["rate"],
  ceil: ceil as ObservedHtbClass["ceil"],
  burstTicks: 0,
  ceilBurstTicks: 0,
  prio: 0,
  ...changes,
});
const leaf = (minor: number, limit: number) => ({
  interfaceIndex: 1,
  kind: "bfifo",
  handle: 0x80010000,
  parent: classHandle(minor),
  limit,
});

/** What tc makes of the burst: whole microseconds, in ticks of 64 ns. */
const ticks = (burst: number, rate: number): number => Math.floor((burst / rate) * 1e6) * 15.625;

function treeFor(pools: Parameters<typeof classesOf>[1]): ObservedTree {
  const specs = classesOf(wan, pools);
  return {
    present: true,
    classes: specs.map((spec) =>
      found(spec.minor, spec.rate, spec.ceil, {
        parent: spec.parent === 0 ? 0xffffffff : classHandle(spec.parent),
        prio: spec.prio,
        burstTicks: ticks(spec.burst, spec.rate),
        ceilBurstTicks: ticks(spec.ceilBurst, spec.ceil),
      }),
    ),
    leaves: specs.flatMap((spec) => (spec.leafLimit === undefined ? [] : [leaf(spec.minor, spec.leafLimit)])),
  };
}

describe("HTB tree", () => {
  it("is made from nothing", () => {
    expect(treeCommands("wan0", SIGNATURE, classesOf(wan, [pool(1, 2000)]), NO_TREE)).toEqual([
      "qdisc add dev wan0 root handle 1: htb default ffff r2q 1393515244",
      "class add dev wan0 parent 1: classid 1:1 htb rate 1250000bps ceil 1250000bps burst 3072b cburst 3072b prio 0 quantum 1514",
      "class add dev wan0 parent 1:1 classid 1:2 htb rate 32000bps ceil 1250000bps burst 3072b cburst 3072b prio 1 quantum 1514",
      "qdisc replace dev wan0 parent 1:2 bfifo limit 32768b",
      "class add dev wan0 parent 1:1 classid 1:11 htb rate 250000bps ceil 1250000bps burst 4096b cburst 4096b prio 0 quantum 1514",
      "qdisc replace dev wan0 parent 1:11 bfifo limit 25000b",
      "class add dev wan0 parent 1:1 classid 1:ffff htb rate 968000bps ceil 1250000bps burst 3072b cburst 3072b prio 7 quantum 1514",
      "qdisc replace dev wan0 parent 1:ffff bfifo limit 65536b",
    ]);
  });

  it("is left alone when it fits", () => {
    const pools = [pool(1, 2000), pool(0x7fff, 10)];
    expect(treeCommands("wan0", SIGNATURE, classesOf(wan, pools), treeFor(pools))).toEqual([]);
  });

  it("is changed in place, class by class", () => {
    const after = classesOf(wan, [pool(1, 3000), pool(2, 100)]);
    expect(treeCommands("wan0", SIGNATURE, after, treeFor([pool(1, 2000), pool(3, 100)]))).toEqual([
      "class del dev wan0 classid 1:13",
      "class change dev wan0 parent 1:1 classid 1:11 htb rate 375000bps ceil 1250000bps burst 4096b cburst 4096b prio 0 quantum 1514",
      "qdisc replace dev wan0 parent 1:11 bfifo limit 37500b",
      "class add dev wan0 parent 1:1 classid 1:12 htb rate 12500bps ceil 1250000bps burst 4096b cburst 4096b prio 0 quantum 1514",
      "qdisc replace dev wan0 parent 1:12 bfifo limit 20480b",
      "class change dev wan0 parent 1:1 classid 1:ffff htb rate 830500bps ceil 1250000bps burst 3072b cburst 3072b prio 7 quantum 1514",
    ]);
  });

  it("carries the link's overhead into every class", () => {
    const commands = treeCommands("wan0", SIGNATURE, classesOf({ ...wan, overhead: octets(24) }, []), NO_TREE);
    expect(commands.filter((line) => line.startsWith("class"))).toHaveLength(3);
    for (const line of commands.filter((entry) => entry.startsWith("class"))) expect(line).toContain(" overhead 24 ");
  });

  it("leaves best effort something, whatever is promised", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50_000 }), { maxLength: 20 }), (rates) => {
        const specs = classesOf(
          wan,
          rates.map((rate, index) => pool(index + 1, rate)),
        );
        expect(specs.at(-1)?.rate).toBeGreaterThanOrEqual(12_500);
        for (const spec of specs) expect(spec.ceil).toBeGreaterThanOrEqual(spec.rate);
      }),
    );
  });

  it("gives every pool a class that is no other's", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_POOL }), (id) => {
        expect(poolOfMinor(minorOfPool(id))).toBe(id);
        expect([1, 2, 0xffff]).not.toContain(minorOfPool(id));
      }),
    );
    expect([1, 2, 0x10, 0xffff].map(poolOfMinor)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("signs for one table", () => {
    expect(signatureOf("sluice")).toBe(signatureOf("sluice"));
    expect(signatureOf("sluice")).not.toBe(signatureOf("other"));
    expect(signatureOf("other") >>> 24).toBe(0x53);
  });
});

describe("what rtnetlink tells", () => {
  // Taken from a kernel: htb default ffff r2q 1392508929; bfifo 20480 on 1:11; two classes.
  const ROOT =
    "000000000100000000000100ffffffff02000000080001006874620024000200180002001100030001000053ffff0000000000000000000008000500e8030000";
  const LEAF = "00000000010000000000a38111000100010000000a000100626669666f0000000800020000500000";
  const WIDE =
    "000000000100000001000100ffffffff0000000008000100687462004c000200300001000001180000000000ffffffff0001180000000000ffffffff5b6600005b660000ea05000007000000000000000c00060000dd0ee9020000000c00070000dd0ee902000000";
  const STATISTICS = "300007001400010088776655443322110700000000000000180003000000000000100000090000000000000000000000";
  const body = (hex: string): Buffer => Buffer.from(hex, "hex");

  it("is read to the last bit", () => {
    expect(readQdisc(body(ROOT))).toMatchObject({
      kind: "htb",
      handle: 0x10000,
      parent: 0xffffffff,
      htb: { r2q: 1392508929, defaultClass: 0xffff },
    });
    expect(readQdisc(body(LEAF))).toMatchObject({ kind: "bfifo", parent: 0x10011, limit: 20480 });
    const wide = readHtbClass(body(WIDE + STATISTICS));
    expect(wide).toMatchObject({ handle: 0x10001, parent: 0xffffffff, rate: 12_500_000_000, ceil: 12_500_000_000 });
    expect(wide).toMatchObject({ overhead: 24, quantum: 1514, prio: 0, burstTicks: 26_203 });
    expect(wide).toMatchObject({ octets: Number(0x1122334455667788n), packets: 7, backlog: 4096, dropped: 9 });
    expect(readHtbClass(body(LEAF))).toBeUndefined();
  });

  it("never reads past its end", () => {
    const typed = (read: () => unknown): void => {
      try {
        read();
      } catch (error) {
        expect(error).toMatchObject({ family: "decode" });
      }
    };
    fc.assert(
      fc.property(fc.constantFrom(ROOT, LEAF, WIDE + STATISTICS), fc.nat(), fc.nat(255), (hex, place, value) => {
        const whole = body(hex);
        whole[place % whole.length] = value;
        typed(() => readQdisc(whole));
        typed(() => readHtbClass(whole));
        typed(() => readHtbClass(whole.subarray(0, place % whole.length)));
      }),
      { numRuns: 500 },
    );
  });
});
