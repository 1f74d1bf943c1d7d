import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_POOL } from "../../../src/kernel/pool-limit.js";
import type { ManagedInterface } from "../../../src/kernel/port.js";
import { classHandle, NO_TREE, type ObservedTree, treeCommands } from "../../../src/kernel/tc/difference.js";
import type { LeafSpec } from "../../../src/kernel/tc/leaf.js";
import { type ObservedHtbClass, type ObservedQdisc, readHtbClass, readQdisc } from "../../../src/kernel/tc/observed.js";
import {
  type ClassSpec,
  classesOf,
  minorOfPool,
  poolOfMinor,
  signatureOf,
  type TreeLink,
} from "../../../src/kernel/tc/tree.js";
import { kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { link, pool } from "../fixtures.js";

const SIGNATURE = signatureOf("sluice");
const tree = (changes: Partial<TreeLink> = {}): TreeLink => ({
  wanted: link("wan0"),
  rate: link("wan0").rate,
  mtu: octets(1500),
  bestEffort: "bfifo",
  ...changes,
});
const wan = tree();
const commandsFor = (specs: readonly ClassSpec[], found: ObservedTree = NO_TREE): readonly string[] =>
  treeCommands("wan0", SIGNATURE, specs, found);

/** What tc makes of the burst: whole microseconds, in ticks of 64 ns. */
const ticks = (burst: number, rate: number): number => Math.floor((burst / rate) * 1e6) * 15.625;

const foundClass = (spec: ClassSpec): ObservedHtbClass => ({
  ...spec,
  handle: classHandle(spec.minor),
  parent: spec.parent === 0 ? 0xffffffff : classHandle(spec.parent),
  burstTicks: ticks(spec.burst, spec.rate),
  ceilBurstTicks: ticks(spec.ceilBurst, spec.ceil),
  packets: 0,
  octets: octets(0),
  dropped: 0,
  backlog: octets(0),
});

/** Times as the kernel keeps them, in units of 1024 ns. */
const kept = (microseconds: number): number => Math.floor((Math.floor((microseconds * 1000) / 1024) * 1024) / 1000);

function foundLeaf(minor: number, leaf: LeafSpec): ObservedQdisc {
  const common = { interfaceIndex: 1, handle: 0x80010000, parent: classHandle(minor) };
  switch (leaf.kind) {
    case "bfifo":
      return { ...common, ...leaf };
    case "fq_codel":
      return { ...common, ...leaf, target: kept(leaf.target), interval: kept(leaf.interval) };
    case "cake":
      return { ...common, ...leaf, shaper: 0, diffserv: 3 };
  }
}

/** The tree as the kernel would give it back. */
const built = (specs: readonly ClassSpec[]): ObservedTree => ({
  present: true,
  classes: specs.map(foundClass),
  leaves: specs.flatMap(({ minor, leaf }) => (leaf === undefined ? [] : [foundLeaf(minor, leaf)])),
});

const arbitraryLink = fc
  .record({
    kilobits: fc.integer({ min: 8, max: 1_000_000_000 }),
    mtu: fc.integer({ min: 68, max: 65_535 }),
    overhead: fc.nat(1000),
    mpu: fc.nat(1000),
    linkLayer: fc.constantFrom("ethernet", "atm", "adsl"),
    bestEffort: fc.constantFrom("bfifo", "fq_codel", "cake"),
  })
  .map(({ kilobits, mtu, overhead, mpu, linkLayer, bestEffort }) => {
    const wanted = { ...link("wan0", kilobits), overhead: octets(overhead), mpu: octets(mpu), linkLayer };
    return tree({ wanted, rate: wanted.rate, mtu: octets(mtu), bestEffort });
  });
const arbitraryPools = fc
  .uniqueArray(fc.record({ id: fc.integer({ min: 1, max: MAX_POOL }), kilobits: fc.nat(50_000_000) }), {
    maxLength: 12,
    selector: ({ id }) => id,
  })
  .map((pools) => pools.map(({ id, kilobits }) => pool(id, kilobits)));

describe("HTB tree", () => {
  it("is made from nothing", () => {
    expect(commandsFor(classesOf(wan, [pool(1, 2000)]))).toEqual([
      "qdisc add dev wan0 root handle 1: htb default ffff r2q 1393515244",
      "class add dev wan0 parent 1: classid 1:1 htb rate 1250000bps ceil 1250000bps burst 3072b cburst 3072b prio 0 quantum 1514",
      "class add dev wan0 parent 1:1 classid 1:2 htb rate 32000bps ceil 1250000bps burst 3072b cburst 3072b prio 1 quantum 1514",
      "qdisc replace dev wan0 parent 1:2 bfifo limit 32768b",
      "class add dev wan0 parent 1:1 classid 1:11 htb rate 250000bps ceil 1250000bps burst 4096b cburst 4096b prio 0 quantum 1514",
      "qdisc replace dev wan0 parent 1:11 bfifo limit 25000b",
      "class add dev wan0 parent 1:1 classid 1:ffff htb rate 968000bps ceil 1250000bps burst 3072b cburst 3072b prio 7 quantum 1514",
      "qdisc replace dev wan0 parent 1:ffff bfifo limit 73728b",
    ]);
  });

  it("is left alone when it fits", () => {
    fc.assert(
      fc.property(arbitraryLink, arbitraryPools, (wanted, pools) => {
        const specs = classesOf(wanted, pools);
        expect(commandsFor(specs, built(specs))).toEqual([]);
      }),
    );
  });

  it("is changed in place, class by class", () => {
    const before = built(classesOf(wan, [pool(1, 2000), pool(3, 100)]));
    expect(commandsFor(classesOf(wan, [pool(1, 3000), pool(2, 100)]), before)).toEqual([
      "class del dev wan0 classid 1:13",
      "class change dev wan0 parent 1:1 classid 1:11 htb rate 375000bps ceil 1250000bps burst 4096b cburst 4096b prio 0 quantum 1514",
      "qdisc replace dev wan0 parent 1:11 bfifo limit 37500b",
      "class add dev wan0 parent 1:1 classid 1:12 htb rate 12500bps ceil 1250000bps burst 4096b cburst 4096b prio 0 quantum 1514",
      "qdisc replace dev wan0 parent 1:12 bfifo limit 20480b",
      "class change dev wan0 parent 1:1 classid 1:ffff htb rate 830500bps ceil 1250000bps burst 3072b cburst 3072b prio 7 quantum 1514",
    ]);
  });

  it("changes one pool among 2,000 with three commands, and fast", () => {
    const big = tree({ rate: kilobitsPerSecond(100_000_000) });
    const pools = Array.from({ length: 2000 }, (_, index) => pool(index + 1, 1000));
    const before = built(classesOf(big, pools));
    const start = performance.now();
    const commands = commandsFor(classesOf(big, [...pools, pool(2001, 5000)]), before);
    expect(commands.map((line) => line.replace(/ (htb|bfifo) .*/, ""))).toEqual([
      "class add dev wan0 parent 1:1 classid 1:7e1",
      "qdisc replace dev wan0 parent 1:7e1",
      "class change dev wan0 parent 1:1 classid 1:ffff",
    ]);
    // A hundred times what it takes; comparing each with each would take longer.
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it("takes away what hangs in the wrong place, children first", () => {
    const specs = classesOf(wan, [pool(1, 2000)]);
    const { classes, ...rest } = built(specs);
    const stray = (minor: number, parent: number): ObservedHtbClass => ({
      ...classes[1]!,
      handle: classHandle(minor),
      parent: classHandle(parent),
    });
    const misplaced = classes.map((entry) => (entry.handle === classHandle(0x11) ? stray(0x11, 0x31) : entry));
    const commands = commandsFor(specs, { ...rest, classes: [stray(0x30, 1), stray(0x31, 0x30), ...misplaced] });
    expect(commands.map((line) => line.replace(/ htb .*/, ""))).toEqual([
      "class del dev wan0 classid 1:11",
      "class del dev wan0 classid 1:31",
      "class del dev wan0 classid 1:30",
      "class add dev wan0 parent 1:1 classid 1:11",
      "qdisc replace dev wan0 parent 1:11 bfifo limit 25000b",
    ]);
  });

  it("carries the link's way of counting into every class", () => {
    const counted = (changes: Partial<ManagedInterface>): readonly string[] =>
      commandsFor(classesOf(tree({ wanted: { ...wan.wanted, ...changes } }), [pool(1)])).filter((line) =>
        line.startsWith("class"),
      );
    const dsl = counted({ overhead: octets(24), mpu: octets(96), linkLayer: "adsl" });
    expect(dsl).toHaveLength(4);
    for (const line of dsl) expect(line).toContain("bps overhead 24 mpu 96 linklayer atm ceil ");
    expect(counted({ linkLayer: "atm" })).not.toEqual(counted({}));
    expect(counted({ linkLayer: "ethernet", mpu: octets(0) })).toEqual(counted({}));
    const ethernet = classesOf(wan, []);
    for (const changes of [{ mpu: octets(64) }, { linkLayer: "atm" }, { overhead: octets(4) }] as const) {
      const specs = classesOf(tree({ wanted: { ...wan.wanted, ...changes } }), []);
      expect(commandsFor(specs, built(ethernet))).toHaveLength(3);
    }
  });

  it("promises no class more than the link carries, and leaves best effort something", () => {
    fc.assert(
      fc.property(arbitraryLink, arbitraryPools, (wanted, pools) => {
        const specs = classesOf(wanted, pools);
        const carried = Math.ceil(wanted.rate / 8);
        expect(specs.at(-1)?.rate).toBeGreaterThanOrEqual(Math.min(carried, Math.max(1000, carried / 100)));
        for (const { rate, ceil } of specs) {
          expect(ceil).toBe(carried);
          expect(rate).toBeGreaterThanOrEqual(Math.min(carried, 64));
          expect(rate).toBeLessThanOrEqual(carried);
        }
      }),
    );
  });

  it("sizes quantum, bursts and queues so that a frame passes and the kernel can count them", () => {
    fc.assert(
      fc.property(arbitraryLink, arbitraryPools, (wanted, pools) => {
        const frame = wanted.mtu + 14;
        for (const { minor, rate, ceil, burst, ceilBurst, quantum, leaf } of classesOf(wanted, pools)) {
          if (minor !== 1) expect(quantum).toBeGreaterThanOrEqual(frame);
          expect(quantum).toBeLessThanOrEqual(200_000);
          // A timer of a millisecond; 32 bits of 64 ns.
          for (const [octetsHeld, at] of [
            [burst, rate],
            [ceilBurst, ceil],
          ] as const) {
            expect(octetsHeld).toBeGreaterThanOrEqual(at / 1000);
            expect((octetsHeld / at) * (1e9 / 64)).toBeLessThan(2 ** 32);
          }
          if (leaf?.kind === "bfifo") {
            expect(leaf.limit).toBeGreaterThanOrEqual(frame);
            expect(leaf.limit).toBeLessThanOrEqual(0xffff_ffff);
          }
        }
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
    expect(wide).toMatchObject({ mpu: 0, layer: "ethernet", overhead: 24, quantum: 1514, prio: 0, burstTicks: 26_203 });
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
