import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aggregateChainNames, aggregateChains } from "../../../src/kernel/nft/aggregates.js";
import { carryChanges, carryChangesOf, withCarries } from "../../../src/kernel/nft/carry-elements.js";
import { carrySetsOf, parseCarrySet } from "../../../src/kernel/nft/carry-sets.js";
import { layoutsOf } from "../../../src/kernel/nft/layouts.js";
import { rsvpChains } from "../../../src/kernel/nft/rsvp-messages.js";
import { renderUpdate } from "../../../src/kernel/nft/ruleset.js";
import { parseElements } from "../../../src/kernel/nft-shell/listing.js";
import { renderTransaction } from "../../../src/kernel/nft-shell/render.js";
import { samePool } from "../../../src/kernel/plan.js";
import type { AggregateMatch, PoolClass } from "../../../src/kernel/port.js";
import { structureId } from "../../../src/kernel/structure-id.js";
import { addressFromBytes } from "../../../src/model/ip.js";
import { dscp } from "../../../src/model/units.js";
import { desired, link, pool } from "../fixtures.js";

const LINKS = [link("r1"), link("r2.1-a")];
const LAYOUTS = layoutsOf({ table: "t", maxFlows: 16 });
const EF: AggregateMatch = { by: "codePoint", dscp: dscp(46) };
const OUTER: AggregateMatch = {
  by: "flow",
  protocol: 17,
  source: { address: "10.1.0.1", port: 50_000 },
  destination: { address: "10.3.0.1", port: 4789 },
};
const carrying = (id: number, carries: readonly AggregateMatch[], only?: string): PoolClass => ({
  ...pool(id),
  carries,
  ...(only === undefined ? {} : { only }),
});

const address = (width: number) =>
  fc.uint8Array({ minLength: width, maxLength: width }).map((octets) => addressFromBytes(octets));
const port = fc.integer({ min: 1, max: 0xffff });
const arbitraryMatch: fc.Arbitrary<AggregateMatch> = fc.oneof(
  fc.integer({ min: 0, max: 63 }).map((code): AggregateMatch => ({ by: "codePoint", dscp: dscp(code) })),
  fc
    .tuple(fc.constantFrom(4, 16), fc.constantFrom("both", "destination", "none"), fc.integer({ min: 1, max: 255 }))
    .chain(([width, ports, protocol]) =>
      fc.tuple(address(width), address(width), port, port).map(
        ([from, to, source, destination]): AggregateMatch => ({
          by: "flow",
          protocol,
          source: ports === "both" ? { address: from, port: source } : { address: from },
          destination: ports === "none" ? { address: to } : { address: to, port: destination },
        }),
      ),
    ),
);
const arbitraryPools = fc
  .uniqueArray(arbitraryMatch, { maxLength: 12, selector: (match) => JSON.stringify(match) })
  .chain((matches) => fc.tuple(fc.constant(matches), fc.nat(matches.length), fc.option(fc.constant("r1"))))
  .map(([matches, at, only]) => [
    carrying(0x4000, matches.slice(0, at), only ?? undefined),
    carrying(7, matches.slice(at)),
  ]);

/** What is in the maps once these were put in. */
const elementsOf = (pools: readonly PoolClass[]) =>
  carryChanges([], pools, LINKS).map(({ set, element }) => ({ set, element }));
const bare = ({ carries: _, ...rest }: PoolClass): PoolClass => rest;

describe("what pools carry, as elements", () => {
  it("comes back as it went in, and then nothing is to be changed", () => {
    fc.assert(
      fc.property(arbitraryPools, (pools) => {
        const found = elementsOf(pools);
        const read = withCarries(pools.map(bare), found);
        const meant = pools.map((each) => (each.carries?.length === 0 ? bare(each) : each));
        for (const [at, each] of read.entries()) expect(samePool(each, meant[at]!)).toBe(true);
        expect(carryChanges(found, read, LINKS)).toEqual([]);
        const sets = new Set(carrySetsOf(pools, LINKS).map(({ name }) => name));
        expect(new Set(found.map(({ set }) => set))).toEqual(sets);
        for (const name of sets) expect(parseCarrySet(name)?.name).toBe(name);
      }),
    );
  });

  it("can be said in words that nft reads", () => {
    fc.assert(
      fc.property(arbitraryPools, (pools) => {
        const changes = carryChanges([], pools, LINKS);
        const lines = renderTransaction("t", LAYOUTS, changes).split("\n").slice(0, -1);
        for (const [at, { set, element }] of changes.entries()) {
          const text = /\{(.*)\}$/.exec(lines[at] ?? "")?.[1] ?? "";
          expect(parseElements(text, LAYOUTS.get(set)!)).toEqual([element]);
        }
      }),
    );
  });

  it("changes for the pools that it is about, and takes a match over from another", () => {
    const [mine, other] = [carrying(7, [EF], "r1"), carrying(8, [OUTER], "r1")];
    const found = elementsOf([mine, other]);
    expect(carryChangesOf(found, [mine], [{ ...mine, rate: pool(7, 5).rate }], LINKS)).toEqual([]);
    expect(carryChangesOf(found, [mine], [], LINKS).map(({ action, set }) => `${action} ${set}`)).toEqual([
      "delete carry_dscp_46",
    ]);
    const taken = carryChangesOf(found, [], [carrying(9, [OUTER], "r1")], LINKS);
    expect(taken.map(({ action, set }) => `${action} ${set}`)).toEqual(["delete carry4_r1", "create carry4_r1"]);
  });

  it("is a stray where no pool has it, or its pool is elsewhere", () => {
    const found = elementsOf([carrying(7, [EF, OUTER])]);
    expect(carryChanges(found, [], LINKS).every(({ action }) => action === "delete")).toBe(true);
    const [read = pool(0)] = withCarries([{ ...pool(7), only: "r1" }], found);
    expect(read.carries).toHaveLength(2);
    expect(carryChanges(found, [read], LINKS).map(({ action }) => action)).toEqual(["delete", "delete"]);
  });
});

describe("rules of aggregates", () => {
  const sets = carrySetsOf([carrying(7, [OUTER, EF], "r1")], LINKS);

  it("ask for flows before code points, and are none without any", () => {
    expect(aggregateChains(sets, "nftables").join("\n")).toMatchInlineSnapshot(`
      "	chain code_point_46 {
      		meta priority set oifname map @carry_dscp_46 accept
      	}
      	chain code_points {
      		ip dscp vmap { 46 : goto code_point_46 }
      		ip6 dscp vmap { 46 : goto code_point_46 }
      	}
      	chain carry_r1 {
      		meta priority set meta l4proto . ip saddr . th sport . ip daddr . th dport map @carry4_r1 accept
      		goto code_points
      	}
      	chain aggregates {
      		oifname vmap { "r1" : goto carry_r1 }
      		goto code_points
      	}"
    `);
    expect([aggregateChains([], "nftables"), aggregateChainNames([], "dsmark")]).toEqual([[], []]);
  });

  it("leave the code point to DSMARK as it is", () => {
    const text = aggregateChains(sets, "dsmark").join("\n");
    expect(text).toContain("map @carry_dscp_46 goto carried_slot");
    expect(text).toContain("meta priority set meta priority and 0x0000ff80 or 0x00020000 accept");
    expect(aggregateChainNames(sets, "dsmark")).toContain("carried_slot");
    // Class 1:2, without the bit that has a code point written.
    expect(rsvpChains({ interfaces: LINKS, rsvp: true }, "dsmark").join()).toContain("meta priority set 2:100 accept");
  });

  it("change nothing on a router that carries none and has no RSVP", () => {
    const options = { table: "t", maxFlows: 16 };
    const plain = desired([], { interfaces: LINKS });
    expect(renderUpdate(options, plain, "")).not.toMatch(/carr|aggregates|reservations|jump (to|from)_server/);
    expect(structureId({ ...plain, rsvp: false })).toBe(structureId(plain));
    const other = desired([], { interfaces: LINKS, pools: [carrying(1, [EF])] });
    expect(new Set([plain, { ...plain, rsvp: true }, other].map(structureId)).size).toBe(3);
    expect(structureId(desired([], { interfaces: LINKS, pools: [carrying(2, [EF])] }))).toBe(structureId(other));
  });

  it("limit RSVP messages to half of what signalling is guaranteed", () => {
    const [rules = ""] = rsvpChains({ interfaces: LINKS, rsvp: true }, "nftables");
    expect(rules.split("\n")[1]?.trim()).toBe(
      'oifname "r1" limit rate 16000 bytes/second burst 16000 bytes meta priority set 1:2 accept',
    );
  });
});
