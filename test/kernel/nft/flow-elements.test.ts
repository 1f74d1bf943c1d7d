import { describe, expect, it } from "vitest";
import type { EchoedElement } from "../../../src/kernel/netlink/nf-tables.js";
import { assembleFlows, countersOf, createFlow, parseOwner } from "../../../src/kernel/nft/flow-elements.js";
import { createPool, readPool } from "../../../src/kernel/nft/pool-elements.js";
import { decodeKey, encodeKey, SESSION_SETS, setNameOf } from "../../../src/kernel/nft/sets.js";
import type { FlowRule } from "../../../src/kernel/port.js";
import { octets } from "../../../src/model/units.js";
import { ZERO_FLOW_COUNTERS } from "../../../src/model/usage.js";
import { flow, flow6, pool, SESSION } from "../fixtures.js";

const any = (rule: FlowRule): FlowRule => ({
  ...rule,
  key: { ...rule.key, source: { ...rule.key.source, port: undefined } },
});

const kinds: readonly (readonly [string, FlowRule])[] = [
  ["in4", flow(1)],
  ["in6", flow6(2)],
  ["in4any", any(flow(3))],
  ["in6any", any(flow6(4))],
];

const elementsOf = (rule: FlowRule): readonly EchoedElement[] =>
  createFlow(rule).map(({ set, element }) => ({ set, element }));

describe("session maps", () => {
  it.each(kinds)("%s keeps a key as it was", (name, rule) => {
    expect(setNameOf(rule.key, "in")).toBe(name);
    const set = SESSION_SETS.find((entry) => entry.name === name)!;
    expect(decodeKey(set, encodeKey(rule.key))).toEqual(rule.key);
    expect(decodeKey(set, encodeKey(rule.key).subarray(1))).toBeUndefined();
  });

  it("puts the halves of flows together", () => {
    const rules = kinds.map(([, rule]) => rule);
    const { flows, strays } = assembleFlows(rules.flatMap(elementsOf).reverse());
    expect(strays).toEqual([]);
    expect(new Map([...flows].map(([id, entry]) => [id, entry.rule]))).toEqual(
      new Map(rules.map((rule) => [rule.id, rule])),
    );
  });

  it("calls stray what is not one whole flow of ours", () => {
    const [inside, outside] = elementsOf(flow(1)) as [EchoedElement, EchoedElement];
    const other = elementsOf(flow(1, { key: flow(5).key }));
    const unowned = { ...inside, element: { ...inside.element, comment: "mine" } };
    const unmarked = { ...inside, element: { ...inside.element, data: Buffer.alloc(4) } };
    expect(assembleFlows([inside]).strays).toHaveLength(1);
    expect(assembleFlows([outside]).strays).toHaveLength(1);
    expect(assembleFlows([unowned, outside]).strays).toHaveLength(2);
    expect(assembleFlows([unmarked, outside]).strays).toHaveLength(2);
    // One id, two keys: the first stays.
    const twice = assembleFlows([inside, outside, ...other]);
    expect([twice.flows.size, twice.strays.length]).toEqual([1, 2]);
    expect(twice.flows.get(1)?.rule.key).toEqual(flow(1).key);
  });

  it("tells a flow's counters apart", () => {
    const counters = {
      inProfile: { packets: 3, octets: octets(600) },
      outOfProfile: { packets: 1, octets: octets(200) },
    };
    const elements = createFlow(flow(1), counters).map(({ set, element }) => ({ set, element }));
    expect(countersOf([...elements, ...elementsOf(flow6(2))])).toEqual(
      new Map([
        [1, counters],
        [2, ZERO_FLOW_COUNTERS],
      ]),
    );
  });

  it.each(["", "sluice", "sluice:xyz:1", `sluice:${SESSION}:0`, `sluice:${SESSION}:1:2`, `other:${SESSION}:1`])(
    "does not take %j for an owner",
    (comment) => expect(parseOwner(comment)).toBeUndefined(),
  );

  it("keeps a pool's name and rate, whatever the name", () => {
    for (const entry of [pool(1), pool(0x7fff, 1, 'a:"b" %\n€')]) {
      expect(readPool(createPool(entry).element)).toEqual(entry);
    }
    expect(readPool({ ...createPool(pool(1)).element, comment: "pool:1:%" })).toBeUndefined();
    expect(readPool({ ...createPool(pool(1)).element, data: Buffer.alloc(4) })).toBeUndefined();
  });
});
