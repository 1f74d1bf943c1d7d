import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addressFromBytes,
  addressToBytes,
  familyOf,
  formatEndpoint,
  parseAddress,
  parsePrefix,
  prefixContains,
  sourceKey,
} from "../../src/model/ip.js";

describe("addresses", () => {
  it("brings IPv6 into one canonical form (RFC 5952)", () => {
    expect(parseAddress("FD01:0:0:0::00A")).toBe("fd01::a");
    expect(parseAddress("::ffff:10.1.0.2")).toBe("::ffff:a01:2");
    expect(parseAddress("10.1.0.2")).toBe("10.1.0.2");
  });

  it.each(["", "10.1.0", "10.1.0.256", "fe80::1%eth0", "[::1]", "example.org", "1::2::3"])("refuses %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(familyOf(text)).toBeUndefined();
  });

  it("turns any octets into text and back", () => {
    const bytes = fc.constantFrom(4, 16).chain((size) => fc.uint8Array({ minLength: size, maxLength: size }));
    fc.assert(
      fc.property(bytes, (octets) => {
        expect(addressToBytes(addressFromBytes(octets))).toEqual(Buffer.from(octets));
      }),
    );
  });

  it("refuses prefixes with host bits and knows what is inside", () => {
    expect(parsePrefix("10.1.0.1/24")).toBeUndefined();
    expect(parsePrefix("fd01::/129")).toBeUndefined();
    const [v4, v6] = [parsePrefix("10.1.0.0/20"), parsePrefix("fd01::/64")];
    if (v4 === undefined || v6 === undefined) throw new Error("prefixes must parse");
    expect(prefixContains(v4, "10.1.15.255")).toBe(true);
    expect(prefixContains(v4, "10.1.16.0")).toBe(false);
    expect(prefixContains(v6, "fd01::ffff:1")).toBe(true);
    expect(prefixContains(v6, "10.1.0.1")).toBe(false);
  });

  it("brackets IPv6 hosts", () => {
    expect([formatEndpoint("fd01::a", 5060), formatEndpoint("10.1.0.2", 5060)]).toEqual([
      "[fd01::a]:5060",
      "10.1.0.2:5060",
    ]);
  });
});

it.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:0db8:0000:0001::9", "2001:db8:0:1::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::", "fe80:0:0:0::/64"],
])("the source of %s is %s", (address, key) => {
  expect(sourceKey(address)).toBe(key);
});
