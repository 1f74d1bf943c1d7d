import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numberClasses } from "../../../src/kernel/iptables/flow-class.js";
import {
  assembleFlows,
  countersIn,
  installLines,
  removeLines,
  type SetContents,
} from "../../../src/kernel/iptables/flow-lines.js";
import { namesOf } from "../../../src/kernel/iptables/names.js";
import { parseSaved } from "../../../src/kernel/iptables/set-text.js";
import type { FlowRule } from "../../../src/kernel/port.js";
import { bitsPerSecond, type Dscp, octets } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { flow, flow6, remark } from "../fixtures.js";

const names = namesOf("sluice");

/** The kernel, as far as these lines go: elements by set. */
function held(lines: readonly string[]): SetContents {
  const text = names.sets.map((set) =>
    [`create ${set} hash:ip,port,ip family inet`, ...lines.filter((line) => line.startsWith(`add ${set} `))].join("\n"),
  );
  return new Map([...parseSaved(text.join("\n"))].map(([name, set]) => [name, set.elements]));
}

const rules: fc.Arbitrary<readonly FlowRule[]> = fc
  .uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        fc
          .record({
            six: fc.boolean(),
            any: fc.boolean(),
            tcp: fc.boolean(),
            rate: fc.integer({ min: 1, max: 1_000_000 }),
            burst: fc.integer({ min: 0, max: 1_000_000 }),
            size: fc.option(fc.integer({ min: 20, max: 0xffff }), { nil: undefined }),
            code: fc.integer({ min: 0, max: 63 }),
            out: fc.option(fc.integer({ min: 0, max: 63 }), { nil: undefined }),
            pool: fc.integer({ min: 1, max: 0x7fff }),
          })
          .map(({ six, any, tcp, rate, burst, size, code, out, pool }) => {
            const base = (six ? flow6 : flow)(id, {
              rate: bitsPerSecond(rate * 8),
              burst: octets(burst),
              dscp: code as Dscp,
              pool,
              ...(out === undefined ? {} : { outOfProfile: remark(out) }),
              ...(size === undefined ? {} : { packetSize: octets(size) }),
            });
            const source = any ? { ...base.key.source, port: undefined } : base.key.source;
            return { ...base, key: { ...base.key, source, protocol: tcp ? ("tcp" as const) : base.key.protocol } };
          }),
      ),
    ),
  );

const counters = (packets: number): FlowCounters => ({
  inProfile: { packets, octets: octets(packets * 200) },
  outOfProfile: { packets: packets + 1, octets: octets((packets + 1) * 200) },
});

describe("flows in sets", () => {
  it("come back from the sets as they went in, classes and counters too", () => {
    fc.assert(
      fc.property(rules, (flows) => {
        const { classes, ofFlow } = numberClasses(new Map(), new Set(), flows);
        const lines = flows.flatMap((rule) => {
          const { counting, matching } = installLines(names, rule, ofFlow.get(rule)!, counters(rule.id));
          return [...counting, matching];
        });
        const found = assembleFlows(names, held(lines));
        expect(found.strays).toEqual([]);
        expect(found.flows).toEqual(new Map(flows.map((rule) => [rule.id, { rule, counters: counters(rule.id) }])));
        expect(found.classes).toEqual(classes);
        expect(countersIn(names, held(lines))).toEqual(new Map(flows.map((rule) => [rule.id, counters(rule.id)])));
      }),
    );
  });

  it("are strays when a part is missing or somebody changed it, and only they", () => {
    const lines = [1, 2].flatMap((id) => {
      const { counting, matching } = installLines(names, flow(id), 1);
      return [...counting, matching];
    });
    const gone = removeLines(names, flow(1));
    for (const [at, stray] of [
      [0, [gone.matching, gone.counting[1]]],
      [1, [gone.matching, gone.counting[0]]],
      [2, gone.counting],
    ] as const) {
      const found = assembleFlows(names, held(lines.filter((_, index) => index !== at)));
      expect([...found.flows.keys()]).toEqual([2]);
      expect(found.strays).toEqual(stray);
    }
    const moved = lines.map((line, at) => (at === 0 ? line.replace("skbprio 1:11", "skbprio 1:12") : line));
    expect(moved).not.toEqual(lines);
    expect([...assembleFlows(names, held(moved)).flows.keys()]).toEqual([2]);
    // A class number that another flow uses for something else.
    const other = installLines(names, flow(3, { dscp: 10 as Dscp }), 1);
    const mixed = assembleFlows(names, held([...lines, ...other.counting, other.matching]));
    expect([...mixed.flows.keys()]).toEqual([1, 2]);
    expect(mixed.strays).toHaveLength(3);
  });

  it("passes over what it cannot read", () => {
    const texts = [
      "",
      "add",
      "add x",
      "create",
      'add sluice-in4 x comment "add y"',
      "\0",
      "create a b\nadd a b packets x",
    ];
    for (const text of texts) expect(() => parseSaved(text)).not.toThrow();
    fc.assert(fc.property(fc.string(), (text) => void assembleFlows(names, held([`add sluice-key4 ${text}`]))));
  });
});

describe("classes", () => {
  it("are shared by flows that are treated alike, and kept while they are used", () => {
    const alike = [flow(1), flow6(2), flow(3, { pool: 2 })];
    const first = numberClasses(new Map(), new Set(), alike);
    expect([first.classes.size, first.grew]).toEqual([1, true]);
    const again = numberClasses(first.classes, new Set([1]), [flow(9)]);
    expect([again.grew, [...again.ofFlow.values()]]).toEqual([false, [1]]);
    const other = numberClasses(first.classes, new Set([1]), [flow(4, { dscp: 0 as Dscp })]);
    expect([...other.classes.keys()]).toEqual([1, 2]);
    const unused = numberClasses(first.classes, new Set(), [flow(4, { dscp: 0 as Dscp })]);
    expect([...unused.classes.keys()]).toEqual([1]);
  });

  it("are no more than 255, however the flows come", () => {
    const many = Array.from({ length: 255 }, (_, at) => flow(at + 1, { rate: bitsPerSecond(80_000 + at * 1000) }));
    const { classes } = numberClasses(new Map(), new Set(), many);
    expect(classes.size).toBe(255);
    const one = flow(999, { rate: bitsPerSecond(1000) });
    const attempt = () => numberClasses(classes, new Set(classes.keys()), [one]);
    expect(attempt).toThrow(expect.objectContaining({ code: "KERNEL_UNSUPPORTED" }));
    const used = new Set([...classes.keys()].filter((number) => number !== 17));
    expect([...numberClasses(classes, used, [one]).ofFlow.values()]).toEqual([17]);
    const tooFast = flow(1, { rate: bitsPerSecond(40e9) });
    expect(() => numberClasses(new Map(), new Set(), [tooFast])).toThrow(/flow 1 .*4 GB\/s/);
  });
});
