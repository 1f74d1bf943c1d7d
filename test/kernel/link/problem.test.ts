import { describe, expect, it } from "vitest";
import { TunnelNames } from "../../../src/kernel/link/names.js";
import { conflictAmong, tunnelProblem } from "../../../src/kernel/link/problem.js";
import type { Tunnel } from "../../../src/kernel/port.js";
import { TUNNEL_KINDS } from "../../../src/model/tunnel.js";
import { octets } from "../../../src/model/units.js";
import { tunnel } from "./samples.js";

const names = new TunnelNames("sluice");

describe("a tunnel that cannot be", () => {
  it.each<[string, Partial<Tunnel>]>([
    ["a tunnel id", { id: 256 }],
    ["not canonical", { local: "010.2.0.1" }],
    ["different families", { remote: "2001:db8::1" }],
    ["the same", { remote: "10.2.0.1" }],
    ["a port", { sourcePort: 65_535 }],
    ["a port", { destinationPort: 0 }],
    ["an MTU", { mtu: octets(576) }],
    ["too long", { name: "n".repeat(250) }],
  ])("is refused: %s", (why, changes) => {
    expect(tunnelProblem(names, tunnel("vxlan", 4, changes))).toContain(why);
  });

  it("has ports with a kind that has none", () => {
    for (const kind of TUNNEL_KINDS) expect(tunnelProblem(names, tunnel(kind))).toBeUndefined();
    expect(tunnelProblem(names, tunnel("gre", 4, { sourcePort: 1 }))).toContain("gre has no ports");
    expect(tunnelProblem(names, tunnel("ipip", 6, { destinationPort: 1 }))).toContain("ipip has no ports");
  });
});

describe("tunnels that cannot be beside each other", () => {
  const other = (kind: Tunnel["kind"], changes: Partial<Tunnel> = {}): Tunnel => tunnel(kind, 4, { id: 8, ...changes });

  it.each(["ipip", "fou", "gue"] as const)("have the same ends: %s knows no number", (kind) => {
    const conflict = conflictAmong([tunnel(kind), other("ipip")]);
    expect(conflict?.tunnel.id).toBe(8);
    expect(conflict?.problem).toContain("10.2.0.1 and 10.2.0.2 already");
    expect(conflictAmong([tunnel(kind), other("ipip", { remote: "10.2.0.3" })])).toBeUndefined();
  });

  it("are received at the same port: one is heard by one far end alone", () => {
    const elsewhere = { remote: "10.2.0.3" };
    expect(conflictAmong([tunnel("gue"), other("fou", elsewhere)])?.problem).toContain("destination port 6087");
    expect(conflictAmong([tunnel("gue"), other("fou", { ...elsewhere, destinationPort: 6088 })])).toBeUndefined();
  });

  it("are not those with a number in each packet, nor one that is said twice", () => {
    expect(conflictAmong([tunnel("vxlan"), other("vxlan")])).toBeUndefined();
    expect(conflictAmong([tunnel("gre"), other("gre"), tunnel("ipip", 4, { id: 9 })])).toBeUndefined();
    expect(conflictAmong([tunnel("fou"), tunnel("fou")])).toBeUndefined();
  });
});
