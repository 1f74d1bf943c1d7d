import fc from "fast-check";
import { expect, it } from "vitest";
import { prefixOverlaps } from "../../src/config/prefix-overlap.js";
import { addressFromBytes, addressToBytes, parsePrefix, prefixContains } from "../../src/model/ip.js";

/** Few addresses and all lengths, so that many prefixes meet. */
const prefix = fc
  .tuple(fc.constantFrom("10.1.2.3", "10.1.250.3", "192.0.2.9", "fd01::1", "fd01:8000::1", "2001:db8::1"), fc.nat(128))
  .map(([address, bits]) => {
    const octets = addressToBytes(address);
    const length = Math.min(bits, octets.length * 8);
    const masked = octets.map((octet, index) => octet & (0xff << (8 - Math.min(8, Math.max(0, length - index * 8)))));
    return `${addressFromBytes(Buffer.from(masked))}/${length}`;
  });

const holds = (outer: string, inner: string): boolean => {
  const [wide, narrow] = [parsePrefix(outer), parsePrefix(inner)];
  if (wide === undefined || narrow === undefined) throw new Error("no prefix");
  return wide.length <= narrow.length && prefixContains(wide, narrow.address);
};

it("finds exactly the prefixes that meet one of another owner", () => {
  const item = fc.record({ prefix, owner: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 12 }), (items) => {
      const numbered = items.map((one, id) => ({ ...one, id }));
      const overlaps = prefixOverlaps(numbered);
      for (const { inner, outer } of overlaps) {
        expect(holds(outer.prefix, inner.prefix)).toBe(true);
        expect(inner.owner).not.toBe(outer.owner);
      }
      const meets = (a: (typeof numbered)[number], b: (typeof numbered)[number]): boolean =>
        a.owner !== b.owner && holds(a.prefix, b.prefix);
      // Of two equal ones, one is told.
      const strictlyInside = numbered.filter((inner) =>
        numbered.some((outer) => meets(outer, inner) && outer.prefix !== inner.prefix),
      );
      const told = new Set(overlaps.map(({ inner }) => inner.id));
      expect(strictlyInside.every(({ id }) => told.has(id))).toBe(true);
      expect(overlaps.length > 0).toBe(numbered.some((a) => numbered.some((b) => meets(a, b))));
    }),
    { numRuns: 1000 },
  );
});
