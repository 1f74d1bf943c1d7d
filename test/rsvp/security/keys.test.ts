import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyTable } from "../../../src/rsvp/security/key-table.js";
import { rsvpKey, type SecurityAssociation, signingKey, verifyingKey } from "../../../src/rsvp/security/keys.js";

const SECRET = Buffer.from("a secret of the test");
const HOUR = 3_600_000;

const association = (more: Partial<SecurityAssociation>): SecurityAssociation => ({
  keys: [rsvpKey(1, SECRET)],
  handshake: "off",
  window: 1,
  ...more,
});

describe("keys", () => {
  it("are never printed", () => {
    const key = rsvpKey(1, SECRET);
    const texts = [JSON.stringify(key), inspect(key, { depth: 9, showHidden: true })];
    for (const text of texts) {
      expect(text).not.toContain("secret of the test");
      expect(text).not.toContain(SECRET.toString("hex"));
      expect(text).not.toContain(SECRET.toString("base64"));
    }
  });

  it("have identifiers of 48 bits", () => {
    expect(rsvpKey(2 ** 48 - 1, SECRET).id).toBe(2 ** 48 - 1);
    expect(() => rsvpKey(2 ** 48, SECRET)).toThrow(/48 bits/);
    expect(() => rsvpKey(-1, SECRET)).toThrow(/48 bits/);
  });

  it("RFC 2747 §5.1: the sender switches in the middle of the overlap", () => {
    const keys = [rsvpKey(1, SECRET, { until: 10 * HOUR }), rsvpKey(2, SECRET, { from: 8 * HOUR })];
    expect(signingKey(keys, 9 * HOUR - 1)?.key.id).toBe(1);
    expect(signingKey(keys, 9 * HOUR)?.key.id).toBe(2);
    expect(signingKey(keys, 11 * HOUR)?.key.id).toBe(2);
  });

  it("switch a minute after the new one begins where the old one has no end", () => {
    const keys = [rsvpKey(1, SECRET), rsvpKey(2, SECRET, { from: HOUR })];
    expect(signingKey(keys, HOUR + 59_999)?.key.id).toBe(1);
    expect(signingKey(keys, HOUR + 60_000)?.key.id).toBe(2);
  });

  it("property: a roll-over leaves no gap between clocks that differ by less than half of the overlap", () => {
    const times = fc.record({
      overlap: fc.integer({ min: 2, max: 10 * HOUR }),
      skew: fc.double({ min: -0.49, max: 0.49, noNaN: true }),
      at: fc.integer({ min: 10 * HOUR, max: 60 * HOUR }),
    });
    fc.assert(
      fc.property(times, ({ overlap, skew, at }) => {
        const [start, end] = [20 * HOUR, 20 * HOUR + overlap];
        const keys = [
          rsvpKey(1, SECRET, { until: end }),
          rsvpKey(2, SECRET, { from: start, until: 50 * HOUR }),
          rsvpKey(3, SECRET, { from: 50 * HOUR - overlap }),
        ];
        const signed = signingKey(keys, at);
        // With an endless successor the sender waits for half of the overlap at most.
        expect(verifyingKey(keys, signed?.key.id ?? -1, at + skew * overlap)?.key).toBe(signed?.key);
      }),
    );
  });

  it("RFC 2747 §5.3: the last key is used past its end, and says so; others are not", () => {
    const keys = [rsvpKey(1, SECRET, { until: HOUR }), rsvpKey(2, SECRET, { until: 2 * HOUR })];
    expect(signingKey(keys, 3 * HOUR)).toMatchObject({ key: { id: 2 }, expired: true });
    expect(verifyingKey(keys, 2, 3 * HOUR)).toMatchObject({ expired: true });
    expect(verifyingKey(keys, 1, 3 * HOUR)).toBeUndefined();
    expect(verifyingKey(keys, 1, HOUR)).toBeUndefined();
    expect(signingKey([rsvpKey(1, SECRET, { from: HOUR })], 0)).toBeUndefined();
  });

  it("may be for one direction only", () => {
    const keys = [rsvpKey(1, SECRET, { use: "send" }), rsvpKey(2, SECRET, { use: "receive" })];
    expect(signingKey(keys, 0)?.key.id).toBe(1);
    expect(verifyingKey(keys, 1, 0)).toBeUndefined();
    expect(verifyingKey(keys, 2, 0)?.key.id).toBe(2);
  });
});

describe("the key table", () => {
  const both = association({ interface: "eth0", neighbour: "192.0.2.1" });
  const neighbour = association({ neighbour: "192.0.2.1" });
  const wide = association({ interface: "eth0" });

  it("takes the narrowest association", () => {
    const table = new KeyTable([wide, neighbour, both]);
    expect(table.of("eth0", "192.0.2.1")).toBe(both);
    expect(table.of("eth1", "192.0.2.1")).toBe(neighbour);
    expect(table.of("eth0", "192.0.2.9")).toBe(wide);
    expect(table.of("eth1", "192.0.2.9")).toBeUndefined();
    expect(table.of(undefined, "192.0.2.1")).toBe(neighbour);
  });

  it("finds the key for a next node without a name: the interface's, or the only one there", () => {
    expect(new KeyTable([wide, both]).ofNextNode("eth0")).toBe(wide);
    expect(new KeyTable([both]).ofNextNode("eth0")).toBe(both);
    const other = association({ interface: "eth0", neighbour: "192.0.2.2" });
    expect(new KeyTable([both, other]).ofNextNode("eth0")).toBeUndefined();
    expect(new KeyTable([both, other]).isSecured("eth0")).toBe(true);
    expect(new KeyTable([neighbour]).isSecured("eth0")).toBe(false);
  });

  it("refuses what would be ambiguous", () => {
    expect(() => new KeyTable([association({})])).toThrow(/names none/);
    expect(() => new KeyTable([wide, association({ interface: "eth0" })])).toThrow(/two lists/);
    const twice = association({ interface: "eth0", keys: [rsvpKey(1, SECRET), rsvpKey(1, SECRET)] });
    expect(() => new KeyTable([twice])).toThrow(/used twice/);
  });
});
