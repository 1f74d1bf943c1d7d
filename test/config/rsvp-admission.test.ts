import { describe, expect, it } from "vitest";
import { checkPdpRsvp, pdpRsvpKeys } from "../../src/config/pdp-rsvp.js";
import { admissionKeys, admissionOf, checkAdmission } from "../../src/config/rsvp-admission.js";

const read = (written: unknown) => admissionKeys().parse(written);

describe("who admits reservations at a router", () => {
  it("is the room alone, unless the file says otherwise", () => {
    expect([admissionOf(read(undefined)), admissionOf(read("local"))]).toEqual([undefined, undefined]);
    expect(checkAdmission(read(undefined), false)).toEqual([]);
  });

  it("is a policy server, by a word or with all that may be said of it", () => {
    const standard = { onLoss: "keep", hold: 158_000, timeout: 2000, maxReservations: 20_000 };
    expect(admissionOf(read("policyServer"))).toEqual(standard);
    // What the keys say by themselves is the same.
    expect(admissionOf(read({}))).toEqual(standard);
    const own = { servers: ["10.1.0.6:3288"], onLoss: "accept", hold: "10 s", timeout: "500 ms", maxReservations: 5 };
    expect(admissionOf(read(own))).toEqual({
      servers: [{ address: "10.1.0.6", port: 3288 }],
      onLoss: "accept",
      hold: 10_000,
      timeout: 500,
      maxReservations: 5,
    });
  });

  it.each(["nobody", { onLoss: "panic" }, { servers: [] }, { maxReservations: 0 }, { unknown: 1 }])(
    "is refused: %j",
    (written) => {
      expect(admissionKeys().safeParse(written).success).toBe(false);
    },
  );

  it("needs a policy server, and a time-out that receivers live with", () => {
    expect(checkAdmission(read("policyServer"), true)).toEqual([]);
    expect(checkAdmission(read("policyServer"), false)).toMatchObject([{ path: ["rsvp", "admission"] }]);
    expect(checkAdmission(read({ servers: ["10.1.0.6:3288"], timeout: "31 s" }), false)).toMatchObject([
      { path: ["rsvp", "admission", "timeout"] },
    ]);
  });
});

describe("what a policy server lets routers reserve", () => {
  const rsvp = pdpRsvpKeys().parse({
    routers: ["r1", "t"],
    allow: [
      { name: "voice", from: "10.1.0.0/24", to: "10.3.0.0/24", phb: "EF", rate: "2 Mbit/s" },
      { name: "rest", rate: "100 kbit/s" },
    ],
  });

  it("is read, with code points by the names of behaviours", () => {
    expect(rsvp).toEqual({
      routers: ["r1", "t"],
      maxReservations: 100_000,
      allow: [
        { name: "voice", from: "10.1.0.0/24", to: "10.3.0.0/24", dscp: 46, rate: 2_000_000 },
        { name: "rest", rate: 100_000 },
      ],
    });
    expect(checkPdpRsvp(rsvp)).toEqual([]);
  });

  it("names each router and each rule once", () => {
    const twice = { ...rsvp, routers: ["t", "t"], allow: [...rsvp.allow, ...rsvp.allow.slice(0, 1)] };
    expect(checkPdpRsvp(twice)).toMatchObject([
      { path: ["rsvp", "routers", 1] },
      { path: ["rsvp", "allow", 2, "name"] },
    ]);
  });
});
