/** Configuration of an edge for hosts that speak RSVP. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { endToEndOf } from "../../src/config/rsvp-e2e.js";
import { ConfigError } from "../../src/model/errors.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-rsvp-e2e-config-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const EDGE = `role: router
name: r1.a.example
kernel:
  interfaces:
    - { name: core, rate: 10 Mbit/s, signalling: 256 kbit/s }
rsvp:
  address: 10.1.0.1
  interfaces:
    - { name: core, room: 4 Mbit/s }
    - { name: access, room: 4 Mbit/s, side: exterior }
`;

function load(text: string) {
  const file = join(directory, "router.yaml");
  writeFileSync(file, text);
  return loadConfig(file, "router").rsvp;
}

function complaint(text: string): string {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("nothing was wrong");
}

describe("rsvp.endToEnd", () => {
  it("takes a side for each interface, and has a code point and a step", () => {
    const rsvp = load(EDGE);
    expect(rsvp?.interfaces.map(({ side }) => side)).toEqual([undefined, "exterior"]);
    expect(endToEndOf(rsvp?.endToEnd)).toEqual({ phb: "EF", step: 100_000 });
    const other = load(`${EDGE}  endToEnd: { phb: AF41 }\n`);
    expect(endToEndOf(other?.endToEnd)).toEqual({ phb: "AF41", step: 100_000 });
  });

  it("says what an edge lacks", () => {
    expect(complaint(EDGE.replace("  address: 10.1.0.1\n", ""))).toContain(
      "aggregates for hosts out there have no end here",
    );
    expect(complaint(`${EDGE}  transport: udp\n`)).toContain("RSVP-E2E-IGNORE does not go by UDP");
    expect(complaint(EDGE.replace("    - { name: core, room: 4 Mbit/s }\n", ""))).toContain(
      "no interface is inside the aggregation region",
    );
    expect(complaint(`${EDGE}  aggregates: [{ remote: 10.3.0.1, rate: 1 Mbit/s }]\n`)).toContain(
      "this code point is that of the aggregates for hosts",
    );
  });
});
