import { describe, expect, it } from "vitest";
import { sessionElements } from "../../src/lab/kernel-left.js";

const map = (name: string, type: unknown, elem?: readonly unknown[]) => ({ map: { name, type, map: "mark", elem } });
const FIVE_TUPLE = ["inet_proto", "ipv4_addr", "inet_service", "ipv4_addr", "inet_service"];
const listing = (...objects: unknown[]): string =>
  JSON.stringify({ nftables: [{ metainfo: {} }, { table: { name: "sluice" } }, ...objects] });

describe("sessionElements", () => {
  it("counts the elements of maps that are keyed by a flow, and not the pools", () => {
    const json = listing(
      map("s4", FIVE_TUPLE, [
        [{}, 1],
        [{}, 2],
      ]),
      map("x4", FIVE_TUPLE, [[{}, 3]]),
      map("pool", "mark", [[1, "1:10"]]),
    );
    expect(sessionElements(json)).toBe(3);
  });

  it("counts none where a map has no elements, as nft then leaves the key out", () => {
    expect(sessionElements(listing(map("s4", FIVE_TUPLE), { chain: { name: "pre" } }))).toBe(0);
  });
});
