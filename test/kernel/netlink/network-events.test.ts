import { describe, expect, it } from "vitest";
import { readNetworkEvent } from "../../../src/kernel/netlink/network-events.js";
import { hostU32Octets } from "../../../src/kernel/netlink/octets.js";

const INET = 2;
const INET6 = 10;
const MPLS = 28;
const TYPE = { link: 16, address: 21, route: 24, routeGone: 25, rule: 33, neighbour: 28 };

const read = (type: number, body: Buffer) => readNetworkEvent({ type, flags: 0, sequence: 0, port: 0, body });

/** An attribute of a length that needs no padding, or is the last. */
function attribute(type: number, value: Buffer): Buffer {
  const header = hostU32Octets((type << 16) | (4 + value.length));
  return Buffer.concat([header, value]);
}

function route(family: number, length: number, ...attributes: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(12);
  header.set([family, length]);
  return Buffer.concat([header, ...attributes]);
}

describe("what rtnetlink tells of the network", () => {
  it("is about interfaces, whatever it says of links and addresses", () => {
    for (const type of [TYPE.link, TYPE.address]) expect(read(type, Buffer.alloc(0))).toEqual({ kind: "interfaces" });
  });

  it("names the prefix whose way changed, in both families", () => {
    const table = attribute(15, hostU32Octets(254));
    const to4 = attribute(1, Buffer.from([10, 3, 0, 0]));
    const to6 = attribute(1, Buffer.from(`fd03${"0".repeat(28)}`, "hex"));
    expect(read(TYPE.route, route(INET, 24, table, to4))).toEqual({
      kind: "routes",
      to: { address: "10.3.0.0", length: 24 },
    });
    expect(read(TYPE.routeGone, route(INET6, 64, to6, table))).toEqual({
      kind: "routes",
      to: { address: "fd03::", length: 64 },
    });
  });

  it("is about every address of the family for a default route and for a rule", () => {
    const all4 = { kind: "routes", to: { address: "0.0.0.0", length: 0 } };
    expect(read(TYPE.route, route(INET, 0))).toEqual(all4);
    expect(read(TYPE.rule, route(INET, 24, attribute(1, Buffer.from([10, 3, 0, 0]))))).toEqual(all4);
    expect(read(TYPE.rule, route(INET6, 0))).toEqual({ kind: "routes", to: { address: "::", length: 0 } });
  });

  it("is nothing to us for neighbours and other families", () => {
    expect(read(TYPE.neighbour, Buffer.alloc(12))).toBeUndefined();
    expect(read(TYPE.route, route(MPLS, 20))).toBeUndefined();
  });

  it("is refused where a length does not fit", () => {
    expect(() => read(TYPE.route, Buffer.alloc(11))).toThrow(/route/);
    expect(() => read(TYPE.rule, Buffer.alloc(4))).toThrow(/routing rule/);
    expect(() => read(TYPE.route, route(INET6, 64, attribute(1, Buffer.from([10, 3, 0, 0]))))).toThrow(/destination/);
    expect(() => read(TYPE.route, route(INET, 24, hostU32Octets((1 << 16) | 40)))).toThrow(/attribute/);
  });
});
