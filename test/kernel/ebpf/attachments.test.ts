import { describe, expect, it } from "vitest";
import { Attachments, type Device } from "../../../src/kernel/ebpf/attachments.js";
import { Owner } from "../../../src/kernel/ebpf/owner.js";

const LO: Device = { index: 1, name: "lo", linkType: 772 };
const WAN: Device = { index: 2, name: "wan0", linkType: 1 };
const GRE: Device = { index: 3, name: "gre0", linkType: 778 };

const attachments = new Attachments({ owner: new Owner("sluice"), devices: async () => [] });
const changesFor = (devices: readonly Device[], names: readonly string[]) =>
  attachments.differences(
    devices.map((device) => ({ ...device, programs: [] })),
    undefined,
    names,
  );

describe("what is to be attached", () => {
  it("is the anchor at lo, and the program at managed interfaces that are there", () => {
    const changes = changesFor([LO, WAN, GRE], ["wan0", "absent0"]);
    expect(changes.map(({ place, attach }) => [place.name, attach])).toEqual([
      ["lo", "anchor"],
      ["wan0", 14],
    ]);
    expect(() => attachments.refuseUnknown(changes)).not.toThrow();
  });

  it("is a difference that nothing mends where packets cannot be looked into", () => {
    const changes = changesFor([LO, WAN, GRE], ["wan0", "gre0"]);
    expect(changes.map(({ place, isUnknown }) => [place.name, isUnknown])).toContainEqual(["gre0", true]);
    expect(() => attachments.refuseUnknown(changes)).toThrow(
      expect.objectContaining({ code: "KERNEL_UNSUPPORTED", message: expect.stringContaining("hardware type 778") }),
    );
  });
});
