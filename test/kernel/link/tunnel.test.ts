import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createCommands,
  deleteCommands,
  isTunnelId,
  macOf,
  TUNNEL_MARK,
  TunnelNames,
  tunnelMark,
  tunnelProblem,
} from "../../../src/kernel/link/tunnel.js";
import type { Tunnel } from "../../../src/kernel/port.js";
import { octets } from "../../../src/model/units.js";

const names = new TunnelNames("sluice");
const tunnel: Tunnel = {
  id: 7,
  name: "a to b",
  kind: "vxlan",
  local: "10.2.0.1",
  remote: "10.2.0.2",
  sourcePort: 50_000,
  destinationPort: 4789,
  mtu: octets(1450),
};

describe("a tunnel", () => {
  it("has names that only its own table's Sluice takes for its own", () => {
    const other = new TunnelNames("other");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), fc.string({ maxLength: 20 }), (id, name) => {
        expect(names.device(id).length).toBeLessThanOrEqual(15);
        expect(names.idOfDevice(names.device(id))).toBe(id);
        expect(other.idOfDevice(names.device(id))).toBeUndefined();
        expect(names.idOfRouteTable(names.routeTable(id))).toBe(id);
        expect(other.idOfRouteTable(names.routeTable(id))).toBeUndefined();
        expect(names.nameOfAlias(names.alias({ ...tunnel, id, name }), id)).toBe(name);
        expect(tunnelMark(id) & ~TUNNEL_MARK.mask).toBe(0);
      }),
    );
    for (const name of ["eth0", names.device(1).replace(/1$/, "01"), `${names.device(1)}x`, names.device(256)])
      expect(names.idOfDevice(name)).toBeUndefined();
    expect([0, 256, 1.5].map(isTunnelId)).toEqual([false, false, false]);
  });

  it("is made of one outer 5-tuple, a table and a rule for each family", () => {
    const table = names.routeTable(7);
    const device = names.device(7);
    const { 4: four, 6: six } = createCommands(names, tunnel);
    expect(four).toEqual([
      `link add ${device} mtu 1450 address ${macOf("10.2.0.1", 7)} type vxlan id 7 local 10.2.0.1 remote 10.2.0.2 ` +
        "dstport 4789 srcport 50000 50001 tos inherit ttl 64 nolearning",
      `link set ${device} alias sluice:sluice:7:a%20to%20b`,
      `link set ${device} up`,
      `route replace throw 10.2.0.2 table ${table} proto 83`,
      `neigh replace 169.254.83.1 lladdr ${macOf("10.2.0.2", 7)} dev ${device} nud permanent`,
      `route replace default via 169.254.83.1 dev ${device} onlink table ${table} proto 83`,
      `rule add fwmark 0x70000/0xff0000 lookup ${table} pref 5307 protocol 83`,
    ]);
    expect(six.at(-1)).toBe(four.at(-1));
  });

  it("is taken away part by part, rules first", () => {
    expect(
      deleteCommands(names, 7, { device: true, rules: { 4: 2, 6: 0 }, throws: { 4: [], 6: ["2001:db8::2"] } }),
    ).toEqual({
      4: [
        ...new Array(2).fill(`rule del fwmark 0x70000/0xff0000 lookup ${names.routeTable(7)} pref 5307 protocol 83`),
        `link del ${names.device(7)}`,
      ],
      6: [`route del throw 2001:db8::2 table ${names.routeTable(7)} proto 83`],
    });
  });

  it.each<[string, Partial<Tunnel>]>([
    ["a tunnel id", { id: 256 }],
    ["not canonical", { local: "010.2.0.1" }],
    ["different families", { remote: "2001:db8::1" }],
    ["the same", { remote: "10.2.0.1" }],
    ["a port", { sourcePort: 65_535 }],
    ["an MTU", { mtu: octets(576) }],
    ["too long", { name: "n".repeat(250) }],
  ])("is refused: %s", (why, changes) => {
    expect(tunnelProblem(names, { ...tunnel, ...changes })).toContain(why);
  });
});
