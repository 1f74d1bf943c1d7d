import { describe, expect, it } from "vitest";
import { numberClasses } from "../../../src/kernel/iptables/flow-class.js";
import { namesOf } from "../../../src/kernel/iptables/names.js";
import { ownRules, renderRules, renderRulesRemoval, rulesAreOurs } from "../../../src/kernel/iptables/ruleset.js";
import type { Dscp } from "../../../src/model/units.js";
import { desired, flow, link, remark } from "../fixtures.js";

const names = namesOf("sluice");
const state = desired([], { interfaces: [link("wan0")] });
const classesOf = (...flows: Parameters<typeof numberClasses>[2]) => numberClasses(new Map(), new Set(), flows).classes;
const NONE = ownRules(names, "");

const FOREIGN = `*mangle
:FORWARD ACCEPT [1:2]
:sluicegate - [0:0]
:sluice-other - [0:0]
-A FORWARD -j sluicegate
-A sluicegate -m comment --comment sluice:other -j sluice-other
COMMIT
`;
const OURS = `*mangle
:FORWARD ACCEPT [0:0]
:sluice - [0:0]
:sluice-c07 - [0:0]
:sluice-output - [0:0]
-A FORWARD -m comment --comment "sluice:sluice" -j sluice
-A FORWARD -j theirs
-A OUTPUT -m comment --comment sluice:sluice -j sluice-output
-A sluice -m comment --comment "sluice layout 1"
COMMIT
`;

describe("chains", () => {
  it("never flush, and write only to chains of their own and one jump for each hook", () => {
    const classes = classesOf(flow(1), flow(2, { outOfProfile: remark(36) }), flow(3, { dscp: 0 as Dscp }));
    for (const family of [4, 6] as const) {
      const text = renderRules(names, family, { state, classes, maxFlows: 100 }, NONE);
      const lines = text.split("\n").filter((line) => line !== "");
      expect([lines[0], lines.at(-1)]).toEqual(["*mangle", "COMMIT"]);
      const declared = lines.flatMap((line) => /^:(\S+) - \[0:0\]$/.exec(line)?.[1] ?? []);
      expect(declared.every(names.isChain)).toBe(true);
      for (const line of lines.slice(1, -1)) {
        if (line.startsWith(":")) continue;
        expect(line).toMatch(/^-A sluice|^-I (FORWARD|OUTPUT) 1 -m comment --comment "sluice:sluice" -j sluice/);
        const target = / -[gj] (sluice\S*)$/.exec(line)?.[1];
        if (target !== undefined) expect(declared).toContain(target);
      }
      expect(lines.filter((line) => line.startsWith("-I"))).toHaveLength(2);
      expect(text.includes("ipv6-icmp")).toBe(family === 6);
    }
  });

  it("change with the classes and not with the hooks when only classes change", () => {
    const text = renderRules(names, 4, { classes: classesOf(flow(1)), maxFlows: 100 }, ownRules(names, OURS));
    expect(text).not.toMatch(/FORWARD|OUTPUT|:sluice - |signalling/);
    expect(text).toContain("-X sluice-c07\n");
    expect(text).toContain("-A sluice-c0 -m mark --mark 0x100/0xff00 -g sluice-c01\n");
    expect(text).toContain("-A sluice-class -m mark --mark 0x0/0xf000 -g sluice-c0\n");
  });

  it("leave their jumps where they are, and make them anew where one is missing", () => {
    const input = { state, classes: classesOf(), maxFlows: 100 };
    expect(renderRules(names, 4, input, ownRules(names, OURS))).not.toMatch(/^-[ID] /m);
    const one = OURS.replace(/^-A OUTPUT.*\n/m, "");
    expect(renderRules(names, 4, input, ownRules(names, one)).match(/^-[ID] .*$/gm)).toEqual([
      '-D FORWARD -m comment --comment "sluice:sluice" -j sluice',
      '-I FORWARD 1 -m comment --comment "sluice:sluice" -j sluice',
      '-I OUTPUT 1 -m comment --comment "sluice:sluice" -j sluice-output',
    ]);
  });

  it("go without a trace, and what only sounds like them stays", () => {
    const own = ownRules(names, OURS);
    expect(renderRulesRemoval(own).split("\n")).toEqual([
      "*mangle",
      ":sluice - [0:0]",
      ":sluice-c07 - [0:0]",
      ":sluice-output - [0:0]",
      '-D FORWARD -m comment --comment "sluice:sluice" -j sluice',
      "-D OUTPUT -m comment --comment sluice:sluice -j sluice-output",
      "-X sluice",
      "-X sluice-c07",
      "-X sluice-output",
      "COMMIT",
      "",
    ]);
    expect(renderRulesRemoval(ownRules(names, FOREIGN))).toBe("");
    expect(rulesAreOurs(own)).toBe(true);
    expect(rulesAreOurs(ownRules(names, OURS.replace("sluice layout 1", "mine")))).toBe(false);
  });

  it("have names that the kernel takes", () => {
    for (const table of ["", "9lives", "a-b", "sluice sluice", "seventeen_letters"])
      expect(() => namesOf(table)).toThrow(expect.objectContaining({ code: "KERNEL_TABLE_NAME" }));
    const longest = namesOf("sixteen_letters_");
    for (const set of longest.sets) expect(set.length).toBeLessThanOrEqual(31);
    for (const chain of [longest.signalling, longest.neighbour]) expect(chain.length).toBeLessThanOrEqual(28);
  });
});
