import { describe, expect, it } from "vitest";
import type { WantedAggregate } from "../../../../src/pep/router/aggregates.js";
import { joinWishes } from "../../../../src/pep/router/rsvp/wishes.js";
import { EDGE, wanted } from "./three-nodes.js";

const tunnel = { protocol: 17, local: EDGE.r1, sourcePort: 49_157, destinationPort: 4789 };
const names = (all: readonly WantedAggregate[], own: string | undefined = EDGE.r1) => {
  const { accepted, rejected } = joinWishes(own, [], all);
  return {
    accepted: [...accepted.values()].map(({ pool, name }) => [pool, name.by]),
    rejected: rejected.map(({ pool, why }) => `${pool}: ${why}`),
  };
};

describe("wishes", () => {
  it("of one code point to one edge: the lowest pool has the plain session, in whatever order they come", () => {
    const all = [9, 7, 8].map((pool) => wanted(100_000, { pool }));
    for (const some of [all, all.toReversed()]) {
      expect(names(some).accepted).toEqual([
        [7, "codePoint"],
        [8, "index"],
        [9, "index"],
      ]);
    }
  });

  it("to several edges, and of tunnels, do not meet", () => {
    const all = [
      wanted(100_000),
      wanted(100_000, { pool: 8, remote: "10.4.0.1" }),
      { ...wanted(100_000, { pool: 9 }), tunnel },
      { ...wanted(100_000, { pool: 10 }), tunnel: { ...tunnel, sourcePort: 49_158 } },
    ];
    expect(names(all)).toEqual({
      accepted: [
        [7, "codePoint"],
        [8, "codePoint"],
        [9, "tunnel"],
        [10, "tunnel"],
      ],
      rejected: [],
    });
  });

  it("are turned down with the reason", () => {
    const all = [
      wanted(100_000, { pool: 1, remote: EDGE.r1 }),
      wanted(100_000),
      wanted(100_000, { pool: 70_000 }),
      { ...wanted(100_000, { pool: 8 }), tunnel },
      { ...wanted(100_000, { pool: 9 }), tunnel },
    ];
    expect(names(all).rejected).toEqual([
      "1: an aggregate cannot end where it begins",
      `9: pool 8 has the tunnel towards ${EDGE.r2}`,
      `70000: another pool has the code point towards ${EDGE.r2}, and no session can have the number 70000`,
    ]);
    expect(joinWishes(undefined, [], [wanted(100_000)]).rejected).toEqual([
      { pool: 7, why: "this router has no address for aggregates" },
    ]);
  });

  it("do not share a code point with reservations of hosts", () => {
    const all = [wanted(100_000), { ...wanted(100_000, { pool: 8 }), tunnel }];
    const { accepted, rejected } = joinWishes(EDGE.r1, [], all, (remote) => remote === EDGE.r2);
    expect([...accepted.values()]).toMatchObject([{ pool: 8 }]);
    expect(rejected).toEqual([{ pool: 7, why: `reservations of hosts have the code point towards ${EDGE.r2}` }]);
  });

  it("of the configuration give way to those of the policy server", () => {
    const { pool: _, ...standing } = wanted(160_000);
    const kept = (all: readonly WantedAggregate[]) =>
      [...joinWishes(EDGE.r1, [standing], all).accepted.values()].map(({ rate }) => rate);
    expect(kept([])).toEqual([160_000]);
    expect(kept([wanted(100_000), wanted(200_000, { pool: 8 })])).toEqual([100_000, 200_000]);
    expect(kept([{ ...wanted(100_000), tunnel }])).toEqual([100_000, 160_000]);
  });
});
