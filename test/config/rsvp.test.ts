import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { ConfigError } from "../../src/model/errors.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-rsvp-config-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
writeFileSync(join(directory, "core.key"), "0123456789abcdef\n");

const TRANSIT = `role: router
name: t.core.example
kernel:
  interfaces:
    - { name: r1, rate: 10 Mbit/s, signalling: 256 kbit/s }
rsvp:
  interfaces:
    - { name: r1, room: 4 Mbit/s }
    - { name: r2, room: 3 Mbit/s, nextHop: "fd02::1" }
`;

const EDGE = `role: router
name: r1.a.example
pdp: { servers: ["10.1.0.6:3288"] }
kernel:
  interfaces:
    - { name: core, rate: 10 Mbit/s, signalling: 256 kbit/s }
rsvp:
  transport: raw
  refresh: 1 s
  address: 10.1.0.1
  ceiling: 2 Mbit/s
  interfaces:
    - { name: core, room: 4 Mbit/s }
  keys:
    - { id: 281474976710655, secretFile: core.key, interface: core, from: "2026-01-31T12:00:00Z", until: "2026-02-01T00:00:00+01:00" }
  aggregates:
    - { remote: 10.3.0.1, phb: AF41, rate: 400 kbit/s, burst: 8 KiB, packetSize: 1000 }
    - { remote: 10.3.0.1, rate: 170 kbit/s }
`;

function write(text: string): string {
  const file = join(directory, "router.yaml");
  writeFileSync(file, text);
  return file;
}

/** The problems' text with the file's name taken away. */
function complaints(text: string): string[] {
  const file = write(text);
  try {
    loadConfig(file, "router");
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n").map((line) => line.replace(`${file}:`, ""));
    throw error;
  }
  throw new Error("nothing was wrong");
}

describe("RSVP in a router's configuration", () => {
  it("is enough for a router without a policy server, with standards for the rest", () => {
    const { pdp, rsvp } = loadConfig(write(TRANSIT), "router");
    expect(pdp).toBeUndefined();
    expect(rsvp).toEqual({
      transport: "auto",
      refresh: 30_000,
      interfaces: [
        { name: "r1", room: 4e6 },
        { name: "r2", room: 3e6, nextHop: "fd02::1" },
      ],
      keys: [],
      ceiling: 10e9,
      aggregates: [],
    });
  });

  it("is read with keys and standing aggregates", () => {
    expect(loadConfig(write(EDGE), "router").rsvp).toMatchObject({
      transport: "raw",
      refresh: 1000,
      address: "10.1.0.1",
      ceiling: 2e6,
      keys: [
        {
          id: 281_474_976_710_655,
          secretFile: join(directory, "core.key"),
          interface: "core",
          from: Date.UTC(2026, 0, 31, 12),
          until: Date.UTC(2026, 0, 31, 23),
        },
      ],
      aggregates: [
        { remote: "10.3.0.1", phb: "AF41", rate: 400_000, burst: 8192, packetSize: 1000 },
        { remote: "10.3.0.1", phb: "EF", rate: 170_000, burst: 16_384, packetSize: 200 },
      ],
    });
  });

  it("is needed where there is no policy server", () => {
    const [head = ""] = TRANSIT.split("rsvp:");
    expect(complaints(head)).toEqual([
      '1:7: role: nobody decides for this router; add "pdp:" with the policy server, or "rsvp:" for a router on the way of aggregates',
    ]);
  });

  it.each([
    [
      "no address at an edge",
      EDGE.replace("  address: 10.1.0.1\n", ""),
      ["the address under which aggregates end here is missing", 'add "address:"'],
    ],
    ["an aggregate to itself", EDGE.replace("remote: 10.3.0.1, phb", "remote: 10.1.0.1, phb"), ["cannot end where"]],
    ["an aggregate twice", EDGE.replace("AF41", "EF"), ['aggregate "10.3.0.1 EF" is already taken']],
    ["a refresh period that nobody believes", EDGE.replace("1 s", "100 ms"), ["choose one from 500 ms to 5 min"]],
    ["a key for nowhere", EDGE.replace(" interface: core, from", " from"), ["says nowhere where it is used"]],
    ["a key for another interface", EDGE.replace("interface: core,", "interface: eth9,"), ['not spoken on "eth9"']],
    ["a key that ends first", EDGE.replace("2026-02-01T00:00:00+01:00", "2026-01-01T00:00:00Z"), ["ends before"]],
    ["a time without an offset", EDGE.replace("12:00:00Z", "12:00:00"), ["not a date and time with its offset"]],
    ["a day that there is not", EDGE.replace("2026-01-31T", "2026-13-31T"), ["not a date and time"]],
    ["a secret that is missing", EDGE.replace("core.key", "none.key"), ["rsvp.keys[0].secretFile", "there is no file"]],
    ["an interface twice", TRANSIT.replace("name: r2", "name: r1"), ['interface "r1" is already taken']],
    ["an interface without room", TRANSIT.replace(", room: 4 Mbit/s", ""), ["room"]],
  ])("refuses %s, at its place", (_what, text, parts) => {
    const found = complaints(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^\d+:\d+: rsvp/);
    for (const part of parts) expect(found[0]).toContain(part);
  });
});
