import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FouPort } from "../../../src/kernel/link/fou-port.js";
import {
  createCommands,
  deleteCommands,
  isTunnelId,
  macOf,
  TUNNEL_MARK,
  TunnelNames,
  tunnelMark,
} from "../../../src/kernel/link/tunnel.js";
import type { Tunnel } from "../../../src/kernel/port.js";
import { octets } from "../../../src/model/units.js";
import { tunnel as sample } from "./samples.js";

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

  it("is taken away part by part, rules first, and ports before what tells whose they are", () => {
    const port: FouPort = { family: 6, port: 6087, local: "2001:db8::1", peer: "2001:db8::2", peerPort: 50_070 };
    expect(
      deleteCommands(names, 7, {
        device: true,
        rules: { 4: 2, 6: 0 },
        throws: { 4: [], 6: ["2001:db8::2"] },
        ports: [port],
      }),
    ).toEqual({
      4: [
        ...new Array(2).fill(`rule del fwmark 0x70000/0xff0000 lookup ${names.routeTable(7)} pref 5307 protocol 83`),
        `link del ${names.device(7)}`,
      ],
      6: [
        "fou del port 6087 local 2001:db8::1 peer 2001:db8::2 peer_port 50070",
        `route del throw 2001:db8::2 table ${names.routeTable(7)} proto 83`,
      ],
    });
  });

  it.each(["ipip", "gre", "fou", "gue"] as const)("of %s is no Ethernet: its table leads into the device", (kind) => {
    const table = names.routeTable(7);
    const port = "fou add port 6087 gue local 10.2.0.1 peer 10.2.0.2 peer_port 50070";
    const rule = `rule add fwmark 0x70000/0xff0000 lookup ${table} pref 5307 protocol 83`;
    const { 4: four, 6: six } = createCommands(names, sample(kind));
    expect(four.slice(3)).toEqual([
      ...(kind === "fou" || kind === "gue" ? [port] : []),
      `route replace throw 10.2.0.2 table ${table} proto 83`,
      `route replace default dev ${names.device(7)} table ${table} proto 83`,
      rule,
    ]);
    expect(six).toEqual([`route replace default dev ${names.device(7)} table ${table} proto 83`, rule]);
  });

  it("whose ends are IPv6 is received, and let out of its own table, there", () => {
    const { 4: four, 6: six } = createCommands(names, sample("gue", 6));
    expect(six.slice(0, 2)).toEqual([
      "fou add port 6087 gue local 2001:db8:2::1 peer 2001:db8:2::2 peer_port 50070",
      `route replace throw 2001:db8:2::2 table ${names.routeTable(7)} proto 83`,
    ]);
    expect(four.join()).not.toMatch(/fou add|throw/);
  });
});
