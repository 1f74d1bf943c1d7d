import { describe, expect, it } from "vitest";
import type { EchoedElement } from "../../../src/kernel/netlink/nf-tables.js";
import {
  assembleFlows,
  countersOf,
  createFlow,
  deleteFlow,
  elementKeys,
} from "../../../src/kernel/nft/flow-elements.js";
import { ownerComment, parseOwner } from "../../../src/kernel/nft/owner.js";
import { policerOf } from "../../../src/kernel/nft/policer.js";
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

/** 10 000 octets a second, packets of 200 and a bucket of 7 of them. */
const tight = (rule: FlowRule): FlowRule => ({ ...rule, packetSize: octets(200) });
/** A second of the rate is no tight bucket. */
const wide = (rule: FlowRule): FlowRule => ({ ...rule, packetSize: octets(200), burst: octets(10_000) });

const kinds: readonly (readonly [string, FlowRule])[] = [
  ["in4", flow(1)],
  ["in6", flow6(2)],
  ["in4any", any(flow(3))],
  ["in6any", any(flow6(4))],
  ["tight4", tight(flow(5))],
  ["tight6", tight(flow6(6))],
  ["tight4any", any(tight(flow(7)))],
  ["tight6any", any(tight(flow6(8)))],
  ["in4", wide(flow(9))],
];

const elementsOf = (rule: FlowRule): readonly EchoedElement[] =>
  createFlow(rule).map(({ set, element }) => ({ set, element }));

describe("session maps", () => {
  it.each(kinds)("%s keeps a key as it was", (name, rule) => {
    expect(elementKeys(rule)[0]?.set).toBe(name);
    expect(setNameOf(rule.key, name.startsWith("tight") ? "tight" : "in")).toBe(name);
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

  it("limits packets where octets would give a bucket of more than a second", () => {
    expect(policerOf(flow(1))).toEqual({ limit: { rate: 10_000, burst: 1500 }, sizeClass: undefined });
    expect(policerOf(wide(flow(1)))).toEqual({ limit: { rate: 10_000, burst: 10_000 }, sizeClass: undefined });
    expect(policerOf(tight(flow(1)))).toEqual({ limit: { unit: "packets", rate: 50, burst: 7 }, sizeClass: 43 });
    // Rounded up, and never less than one packet.
    const odd = { ...flow(1), packetSize: octets(201), burst: octets(0) };
    expect(policerOf(odd)).toMatchObject({ limit: { unit: "packets", rate: 50, burst: 1 } });
    // Larger than any packet that is compared: octets are what is left.
    expect(policerOf({ ...flow(1), packetSize: octets(3000) }).sizeClass).toBeUndefined();
  });

  it("counts what is too large as out of profile", () => {
    const part = (packets: number) => ({ packets, octets: packets * 100 });
    const counters = { tight: part(10), out: part(5), over: part(3) };
    const elements = createFlow(tight(flow(1))).map(({ set, element }) => {
      const profile = set.replace("4", "") as keyof typeof counters;
      return { set, element: { ...element, counter: counters[profile] } };
    });
    const expected = { inProfile: part(7), outOfProfile: part(8) };
    expect(countersOf(elements).get(1)).toEqual(expected);
    expect(assembleFlows(elements).flows.get(1)?.counters).toEqual(expected);
    expect(deleteFlow(tight(flow(1))).map(({ set }) => set)).toEqual(["tight4", "out4", "over4"]);
  });

  it("calls stray what says another thing than it does", () => {
    const [inside, ...rest] = elementsOf(tight(flow(1))) as [EchoedElement, ...EchoedElement[]];
    const faster = {
      ...inside,
      element: { ...inside.element, limit: { unit: "packets", rate: 51, burst: 7 } as const },
    };
    expect(assembleFlows([faster, ...rest]).strays).toHaveLength(3);
    expect(assembleFlows([inside, ...rest.slice(1)]).strays).toHaveLength(2);
    expect(assembleFlows([inside, ...rest]).strays).toEqual([]);
  });

  it("keeps a known packet size in the comment", () => {
    expect(createFlow(tight(flow(7)))[0]?.element.comment).toBe(`sluice:${SESSION}:7:200:10000:1500`);
    const owner = { session: SESSION, id: 7, traffic: { packetSize: octets(200), rate: 10_000, burst: octets(0) } };
    expect(parseOwner(ownerComment(owner))).toEqual(owner);
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
