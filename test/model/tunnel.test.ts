import { describe, expect, it } from "vitest";
import { hasPorts, OUTER_PROTOCOL, TUNNEL_KINDS, tunnelMtu, tunnelOverhead } from "../../src/model/tunnel.js";
import { octets } from "../../src/model/units.js";

describe("kinds of tunnels", () => {
  // RFC 2003 §3.1; RFC 2784 §2.1 and RFC 2890 §2; UDP RFC 768; RFC 7348 §5; 20 octets of IPv4, 40 of IPv6.
  it.each([
    ["ipip", 20, 40],
    ["gre", 28, 48],
    ["fou", 28, 48],
    ["gue", 32, 52],
    ["vxlan", 50, 70],
  ] as const)("%s adds %i octets over IPv4 and %i over IPv6", (kind, four, six) => {
    expect([tunnelOverhead(kind, 4), tunnelOverhead(kind, 6)]).toEqual([four, six]);
    expect(tunnelMtu(kind, 4, octets(1500))).toBe(1500 - four);
    expect(tunnelMtu(kind, 6, octets(9000))).toBe(9000 - six);
  });

  it("come in the order of what they cost", () => {
    for (const outer of [4, 6] as const) {
      const costs = TUNNEL_KINDS.map((kind) => tunnelOverhead(kind, outer));
      expect(costs).toEqual([...costs].sort((left, right) => left - right));
    }
  });

  it("have ports where the outer protocol is UDP, and one protocol for both families but for ipip", () => {
    for (const kind of TUNNEL_KINDS) {
      const { 4: four, 6: six } = OUTER_PROTOCOL[kind];
      expect(hasPorts(kind)).toBe(four === 17);
      expect(four === six).toBe(kind !== "ipip");
    }
  });
});
