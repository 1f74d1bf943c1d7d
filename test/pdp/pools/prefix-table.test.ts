import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressFromBytes, addressToBytes, type IpPrefix, parsePrefix, prefixContains } from "../../../src/model/ip.js";
import { PrefixTable } from "../../../src/pdp/pools/prefix-table.js";

const address = fc
  .oneof(
    fc.array(fc.constantFrom(0, 1, 128, 255), { minLength: 4, maxLength: 4 }),
    fc.array(fc.constantFrom(0, 1, 128, 255), { minLength: 16, maxLength: 16 }),
  )
  .map((octets) => addressFromBytes(Uint8Array.from(octets)));
const prefix = fc.tuple(address, fc.nat(128)).map(([text, bits]): string => {
  const octets = addressToBytes(text);
  const length = Math.min(bits, octets.length * 8);
  const masked = octets.map((octet, index) => octet & (0xff << (8 - Math.min(8, Math.max(0, length - index * 8)))));
  return `${addressFromBytes(Buffer.from(masked))}/${length}`;
});

describe("prefix table", () => {
  it("finds the longest prefix that holds an address, in both families", () => {
    fc.assert(
      fc.property(fc.uniqueArray(prefix, { maxLength: 20 }), address, (prefixes, sought) => {
        const table = new PrefixTable<string>();
        for (const text of prefixes) table.set(text, text);
        const parsed = prefixes.map((text) => [text, parsePrefix(text) as IpPrefix] as const);
        const holding = parsed.filter(([, one]) => prefixContains(one, sought));
        const [longest] = holding.sort(([, a], [, b]) => b.length - a.length);
        return table.get(sought) === longest?.[0];
      }),
      { numRuns: 2000 },
    );
  });

  it("knows nothing of what is no address", () => {
    const table = new PrefixTable<number>();
    table.set("0.0.0.0/0", 1);
    expect([table.get("10.1.1.1"), table.get("host.example"), table.get("::1")]).toEqual([1, undefined, undefined]);
  });
});
