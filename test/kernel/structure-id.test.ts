import { describe, expect, it } from "vitest";
import type { ManagedInterface } from "../../src/kernel/port.js";
import { interfaceText, structureId } from "../../src/kernel/structure-id.js";
import { octets } from "../../src/model/units.js";
import { desired, link } from "./fixtures.js";

const idOf = (changes: Partial<ManagedInterface>): string =>
  structureId(desired([], { interfaces: [{ ...link("wan0"), ...changes }] }));

describe("what a structure is made for", () => {
  it("is what it was before links could count otherwise, where they do not", () => {
    expect(interfaceText(link("wan0"))).toBe("wan0 10000000 0 256000");
    expect(idOf({ mpu: octets(0), linkLayer: "ethernet" })).toBe(idOf({}));
  });

  it("differs with the way a link counts", () => {
    const ids = [
      {},
      { mpu: octets(64) },
      { linkLayer: "atm" },
      { linkLayer: "adsl" },
      { overhead: octets(64) },
    ] as const;
    expect(new Set(ids.map(idOf)).size).toBe(ids.length);
  });
});
