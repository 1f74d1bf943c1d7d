import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressFromBytes } from "../../../src/model/ip.js";
import { buildPacket, type IpPacket, ipv6AlertOf, passedOn, readPacket } from "../../../src/rsvp/endpoint/ip-packet.js";

const address = (length: 4 | 16) => fc.uint8Array({ minLength: length, maxLength: length }).map(addressFromBytes);
const packets = fc.constantFrom<4 | 16>(4, 16).chain((length) =>
  fc.record<IpPacket>(
    {
      source: address(length),
      destination: address(length),
      protocol: fc.constantFrom(46, 134),
      ttl: fc.integer({ min: 0, max: 255 }),
      tos: fc.integer({ min: 0, max: 255 }),
      routerAlert: fc.integer({ min: 0, max: 31 }),
      payload: fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
    },
    { requiredKeys: ["source", "destination", "protocol", "ttl", "tos", "payload"] },
  ),
);

describe("IP packets", () => {
  it("have the octets of RFC 791 and RFC 2113", () => {
    const packet = buildPacket({
      source: "10.0.0.1",
      destination: "10.0.9.2",
      protocol: 46,
      ttl: 63,
      tos: 0xc0,
      routerAlert: 0,
      payload: Buffer.from("RSVP"),
    });
    expect(packet.toString("hex")).toBe("46c0001c000000003f2e00000a0000010a000902940400005253" + "5650");
  });

  it("have the octets of RFC 8200 and RFC 2711", () => {
    const packet = buildPacket({
      source: "2001:db8::1",
      destination: "2001:db8::2",
      protocol: 46,
      ttl: 64,
      tos: 0xc0,
      routerAlert: 0,
      payload: Buffer.from("RSVP"),
    });
    const addresses = "20010db800000000000000000000000120010db8000000000000000000000002";
    expect(packet.toString("hex")).toBe(`6c000000000c0040${addresses}2e0005020001010052535650`);
  });

  it("property: are read as they were built", () => {
    fc.assert(
      fc.property(packets, (packet) => {
        expect(readPacket(buildPacket(packet))).toEqual(packet);
      }),
    );
  });

  it("property: of any octets nothing is read past the end, and nothing throws", () => {
    const noise = fc.uint8Array({ maxLength: 120 }).map((octets) => Buffer.from(octets));
    const damaged = fc.tuple(packets, fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([packet, at, value, cut]) => {
      const octets = buildPacket(packet);
      octets[at % octets.length] = value;
      return octets.subarray(0, cut % (octets.length + 1));
    });
    fc.assert(
      fc.property(fc.oneof(noise, damaged), (octets) => {
        const packet = readPacket(octets);
        if (packet !== undefined) expect(packet.payload.length).toBeLessThan(octets.length);
      }),
    );
  });

  it("finds Router Alert behind other options, and not in ones that do not add up", () => {
    const withOptions = (...options: number[]): Buffer => {
      const header = buildPacket({ destination: "10.0.0.1", protocol: 46, ttl: 1, tos: 0, payload: Buffer.alloc(0) });
      const octets = Buffer.concat([header, Buffer.from(options)]);
      octets.writeUInt8(0x40 | (octets.length / 4), 0);
      octets.writeUInt16BE(octets.length, 2);
      return octets;
    };
    expect(readPacket(withOptions(1, 1, 1, 1, 0x94, 4, 0, 7))?.routerAlert).toBe(7);
    expect(readPacket(withOptions(7, 3, 0, 1, 0x94, 4, 0, 0))?.routerAlert).toBe(0);
    expect(readPacket(withOptions(0, 0x94, 4, 0))?.routerAlert).toBeUndefined();
    expect(readPacket(withOptions(7, 0, 0, 0))?.routerAlert).toBeUndefined();
    expect(readPacket(withOptions(0x94, 4, 0, 0))?.routerAlert).toBe(0);
    expect(readPacket(withOptions(1, 1, 1, 0x94))?.routerAlert).toBeUndefined();
  });

  it("names nesting depths in IPv6 as RFC 3175 §7 maps them", () => {
    expect([0, 1, 2].map(ipv6AlertOf)).toEqual([1, 4, 5]);
  });

  it("go on with one hop less, until there is none", () => {
    const octets = buildPacket({ destination: "::1", protocol: 46, ttl: 2, tos: 0, payload: Buffer.alloc(8) });
    const next = passedOn(octets);
    expect(next?.readUInt8(7)).toBe(1);
    expect(octets.readUInt8(7)).toBe(2);
    expect(passedOn(next!)).toBeUndefined();
  });
});
