import { describe, expect, it } from "vitest";
import { dscp } from "../../../../src/model/units.js";
import { codePointsOf, nameOf, sharedNameOf, shareOf } from "../../../../src/pep/router/rsvp/transit-share.js";
import { phbIdOf } from "../../../../src/rsvp/codec/keys.js";
import type { FilterSpec } from "../../../../src/rsvp/codec/objects.js";
import { aggregateSession } from "../../../../src/rsvp/machine/aggregate.js";
import { EF } from "./three-nodes.js";

describe("names of classes", () => {
  it("are such that the kernel can hold them, also of two long addresses", () => {
    const long = "fd01:2345:6789:abcd:ef01:2345:6789:abcd";
    const ref = { session: aggregateSession(long, EF), interface: "a-long-name-0", flow: long };
    expect(nameOf({ session: aggregateSession("10.3.0.1", EF), interface: "r2", flow: "10.1.0.1" })).toBe(
      "rsvp-r2-aggregate-10.3.0.1-46-10.1.0.1",
    );
    expect(encodeURIComponent(nameOf(ref)).length).toBeLessThanOrEqual(80);
    expect(nameOf(ref)).not.toBe(nameOf({ ...ref, interface: "a-long-name-1" }));
  });

  it("are the same for all of an AF class, and for nothing else", () => {
    const names = Array.from({ length: 64 }, (_, code) => sharedNameOf("r2", dscp(code)));
    const shared = names.flatMap((name, code) => (name === `rsvp-r2-dscp-${code}` ? [] : [code]));
    expect(shared).toEqual([12, 14, 20, 22, 28, 30, 36, 38]);
    expect([names[12], names[14], names[36], names[38]]).toEqual([names[10], names[10], names[34], names[34]]);
  });
});

describe("the code points of a PHB-ID (RFC 3140)", () => {
  it("are the one that is in it, or those of the AF class that it is the lowest of", () => {
    expect(codePointsOf(phbIdOf(EF))).toEqual([46]);
    expect(codePointsOf(phbIdOf(dscp(0)))).toEqual([0]);
    expect(codePointsOf(phbIdOf(dscp(34)) | 2)).toEqual([34, 36, 38]);
  });

  it("are not known of numbers that IANA gives, of sets that are none, and of reserved bits", () => {
    for (const phbId of [0x1231, phbIdOf(EF) | 2, phbIdOf(dscp(12)) | 2, phbIdOf(EF) | 4]) {
      expect(codePointsOf(phbId), phbId.toString(16)).toBeUndefined();
    }
  });
});

describe("what a single session carries", () => {
  const carried = (protocol: number, port: number, ...filters: readonly FilterSpec[]) =>
    shareOf(
      {
        session: { kind: "ip", destination: "10.3.0.1", protocol, port, ePolice: false },
        interface: "r2",
        flow: "*",
      },
      filters,
    )?.carries;
  const destination = { address: "10.3.0.1" };

  it("is one match for each sender; port 0 is none", () => {
    expect(carried(17, 4789, { address: "10.1.0.1", port: 5 }, { address: "10.1.0.2", port: 0 })).toEqual([
      {
        by: "flow",
        protocol: 17,
        source: { address: "10.1.0.1", port: 5 },
        destination: { ...destination, port: 4789 },
      },
      { by: "flow", protocol: 17, source: { address: "10.1.0.2" }, destination: { ...destination, port: 4789 } },
    ]);
    expect(carried(50, 0, { address: "10.1.0.1", port: 0 })).toEqual([
      { by: "flow", protocol: 50, source: { address: "10.1.0.1" }, destination },
    ]);
  });

  it("is nothing where more than the session would match", () => {
    expect(carried(132, 7, { address: "10.1.0.1", port: 5 })).toEqual([]);
    expect(carried(17, 0, { address: "10.1.0.1", port: 5 })).toEqual([]);
    expect(carried(17, 4789)).toEqual([]);
  });
});
