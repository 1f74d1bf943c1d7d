import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  edgeCommands,
  filterCommands,
  isOurEdge,
  MADE_EDGE,
  type ObservedEdge,
} from "../../../src/kernel/dsmark/edge.js";
import { EDGE_HANDLE, MARKS } from "../../../src/kernel/dsmark/slots.js";
import { NO_TREE } from "../../../src/kernel/tc/difference.js";
import { madeTree } from "../../../src/kernel/tc/made-tree.js";
import { planted, plantedCommands, removeCommand } from "../../../src/kernel/tc/planting.js";
import { ownRoot } from "../../../src/kernel/tc/survey.js";
import { classesOf, signatureOf } from "../../../src/kernel/tc/tree.js";
import { octets } from "../../../src/model/units.js";
import { link, pool } from "../fixtures.js";

const SIGNATURE = signatureOf("sluice");
const SLOT = 0xff80 | (SIGNATURE & 0x3f);
const specs = classesOf({ wanted: link("wan0"), rate: link("wan0").rate, mtu: octets(1500), bestEffort: "bfifo" }, [
  pool(1, 2000),
]);
const FILTER = "filter add dev wan0 parent 1: protocol all prio 5301 tcindex hash 512 mask 0xff80 shift 7 fall_through";
const made = planted("dsmark", madeTree(specs));

describe("a DSMARK edge", () => {
  it("is made from nothing: root, indices, the usual tree, one filter", () => {
    const commands = plantedCommands("dsmark", "wan0", SIGNATURE, specs, undefined);
    expect(commands[0]).toBe(
      `qdisc add dev wan0 root handle 2: dsmark indices 128 default_index 0x${SLOT.toString(16)} set_tc_index`,
    );
    const marks = commands.filter((command) => command.includes(" dsmark mask "));
    expect(marks).toHaveLength(64);
    expect(marks).toContain("class change dev wan0 classid 2:6e dsmark mask 0x3 value 0xb8");
    expect(marks).toContain("class change dev wan0 classid 2:40 dsmark mask 0x3 value 0x0");
    const [root, ...tree] = plantedCommands("htb", "wan0", SIGNATURE, specs, undefined);
    expect(root).toBe(`qdisc add dev wan0 root handle 1: htb default ffff r2q ${SIGNATURE}`);
    expect(commands.slice(65)).toEqual([root?.replace(" root ", " parent 2:1 "), ...tree, FILTER]);
  });

  it("is left alone when it fits, and goes with its root", () => {
    expect(plantedCommands("dsmark", "wan0", SIGNATURE, specs, made)).toEqual([]);
    expect(removeCommand("wan0", made)).toBe("qdisc del dev wan0 root handle 2:");
    expect(removeCommand("wan0", NO_TREE)).toBe("qdisc del dev wan0 root handle 1:");
  });

  it("needs nothing of its own for a pool that comes or goes", () => {
    const more = classesOf({ wanted: link("wan0"), rate: link("wan0").rate, mtu: octets(1500), bestEffort: "bfifo" }, [
      pool(1, 2000),
      pool(494),
    ]);
    for (const [before, after] of [
      [specs, more],
      [more, specs],
    ] as const) {
      const from = madeTree(before);
      expect(plantedCommands("dsmark", "wan0", SIGNATURE, after, planted("dsmark", from))).toEqual(
        plantedCommands("htb", "wan0", SIGNATURE, after, from),
      );
    }
  });

  it("takes the place of a tree of another back end, and gives it back", () => {
    const [first, second] = plantedCommands("dsmark", "wan0", SIGNATURE, specs, madeTree(specs));
    expect([first, second]).toEqual([
      "qdisc del dev wan0 root handle 1:",
      expect.stringContaining("qdisc add dev wan0 root handle 2: dsmark"),
    ]);
    const back = plantedCommands("htb", "wan0", SIGNATURE, specs, made);
    expect(back.slice(0, 2)).toEqual([
      "qdisc del dev wan0 root handle 2:",
      `qdisc add dev wan0 root handle 1: htb default ffff r2q ${SIGNATURE}`,
    ]);
    expect(back.some((command) => command.includes("dsmark") || command.startsWith("filter"))).toBe(false);
  });

  it("has exactly those indices put right that differ", () => {
    const mark = fc.record({ mask: fc.nat(255), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(fc.nat(127), mark), { selector: ([at]) => at }), (changes) => {
        const marks = new Map(MARKS);
        for (const [at, entry] of changes) {
          // The kernel does not list what is untouched.
          if (entry.mask === 0xff && entry.value === 0) marks.delete(at);
          else marks.set(at, entry);
        }
        const after = new Map(marks);
        for (const command of edgeCommands("wan0", SIGNATURE, { ...MADE_EDGE, marks })) {
          const [, at = "", mask, value] =
            /^class (?:del|change) dev wan0 classid 2:([0-9a-f]+)(?: dsmark mask (\S+) value (\S+))?$/.exec(command) ??
            [];
          const index = Number.parseInt(at, 16);
          expect(marks.get(index)).not.toEqual(MARKS.get(index));
          if (mask === undefined) after.delete(index);
          else after.set(index, { mask: Number(mask), value: Number(value) });
        }
        expect(after).toEqual(MARKS);
      }),
    );
  });

  it("has its filter made anew where that is not as made, and leaves those of another priority", () => {
    const [ours] = MADE_EDGE.filters;
    if (ours === undefined) throw new Error("no filter");
    const other = { kind: "u32", priority: 7, protocol: 0x0800, handle: 0 };
    const again = ["filter del dev wan0 parent 1: prio 5301", FILTER];
    const commandsFor = (filters: ObservedEdge["filters"]): readonly string[] =>
      filterCommands("wan0", { ...MADE_EDGE, filters });
    expect(commandsFor([ours, other])).toEqual([]);
    expect(commandsFor([other])).toEqual([FILTER]);
    // An entry beside it.
    expect(commandsFor([ours, { ...ours, handle: 17 }])).toEqual(again);
    expect(commandsFor([{ ...other, priority: 5301 }])).toEqual(again);
    expect(commandsFor([{ ...ours, protocol: 0x0800 }])).toEqual(again);
  });
});

describe("whose a DSMARK is", () => {
  const options = { indices: 128, defaultIndex: SLOT, setTcIndex: true };
  const device = { index: 2, name: "wan0", mtu: 1500, linkType: 1, hardware: false };
  const root = { interfaceIndex: 2, kind: "dsmark", handle: EDGE_HANDLE, parent: 0xffffffff, dsmark: options };
  const htb = { r2q: SIGNATURE, defaultClass: 0xffff };
  const inside = { interfaceIndex: 2, kind: "htb", handle: 0x10000, parent: 0x20001, htb };

  it("is told by its options and the tree in it", () => {
    expect(ownRoot({ ...device, root, inside }, SIGNATURE)).toBe("dsmark");
    expect(ownRoot({ ...device, root: { ...inside, parent: 0xffffffff } }, SIGNATURE)).toBe("htb");
    expect(ownRoot(device, SIGNATURE)).toBeUndefined();
  });

  it("is told while it is empty, after a death between two commands", () => {
    expect(ownRoot({ ...device, root }, SIGNATURE)).toBe("dsmark");
    const empty = { ...NO_TREE, edge: { marks: new Map(), filters: [] } };
    const commands = plantedCommands("dsmark", "wan0", SIGNATURE, specs, empty);
    expect(commands).toEqual(plantedCommands("dsmark", "wan0", SIGNATURE, specs, undefined).slice(1));
    expect(removeCommand("wan0", empty)).toBe("qdisc del dev wan0 root handle 2:");
  });

  it("is another's where anything is otherwise", () => {
    for (const change of [{ indices: 64 }, { defaultIndex: SLOT ^ 1 }, { setTcIndex: false }])
      expect(isOurEdge(EDGE_HANDLE, { ...options, ...change }, SIGNATURE)).toBe(false);
    expect(isOurEdge(0x10000, options, SIGNATURE)).toBe(false);
    expect(isOurEdge(EDGE_HANDLE, undefined, SIGNATURE)).toBe(false);
    expect(ownRoot({ ...device, root, inside: { ...inside, htb: { ...htb, r2q: 7 } } }, SIGNATURE)).toBeUndefined();
    expect(ownRoot({ ...device, root, inside: { ...inside, kind: "prio" } }, SIGNATURE)).toBeUndefined();
  });
});
