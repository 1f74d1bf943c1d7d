import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { reservedPools } from "../../src/daemon/pdp-reservations.js";
import { ConfigError } from "../../src/model/errors.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-reservations-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const SITES = `role: pdp
name: pol1.a.example
cops: { listen: "10.1.0.6:3288" }
domain: a.example
access: { router: r1.a.example, prefixes: [10.1.0.0/24] }
communities:
  - { name: hq, prefixes: [10.1.0.0/16], domains: [a.example], router: r1.a.example, edge: 10.1.0.1 }
  - { name: branch, prefixes: [10.3.0.0/24], domains: [b.example], router: r2.b.example, edge: 10.3.0.1 }
  - { name: depot, prefixes: [10.5.0.0/24], router: r3.c.example, edge: 10.5.0.1 }
pools:
  - { name: voice, id: 1, from: hq, to: branch, class: voice, rate: 500 kbit/s, reserve: rsvp }
  - { name: video, id: 2, from: branch, to: hq, class: video, rate: 500 kbit/s, reserve: rsvp, direction: forward }
  - { name: film, id: 3, from: hq, to: branch, class: video, rate: 500 kbit/s, reserve: rsvp, direction: forward }
  - { name: calls, id: 4, from: depot, to: hq, class: voice, rate: 500 kbit/s, reserve: rsvp }
  - { name: other, id: 5, from: depot, to: branch, class: voice, rate: 500 kbit/s, reserve: rsvp }
  - { name: lan, id: 6, from: hq, to: depot, class: video, rate: 500 kbit/s }
  - { name: own, id: 7, rate: 500 kbit/s }
classes:
  - { name: voice, phb: EF, packetSize: 200 }
  - { name: video, phb: AF41 }
rules: []
`;

function write(text: string): string {
  const file = join(directory, "pdp.yaml");
  writeFileSync(file, text);
  return file;
}

/** Each problem as `line:token: message; remedy`, where the token is what stands at its place. */
function complaints(text: string): string[] {
  try {
    loadConfig(write(text), "pdp");
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = text.split("\n");
    return error.problems.map(({ place, message, remedy }) => {
      const token = /^["\w./:-]*/.exec((lines[place.line - 1] ?? "").slice(place.column - 1))?.[0];
      return `${place.line}:${token}: ${message}; ${remedy}`;
    });
  }
  throw new Error("nothing was wrong");
}

describe("pools that the network reserves", () => {
  it("are those that our router sends into, each towards its other edge", () => {
    const common = { linkOverhead: 14, patience: 300, ceiling: 500_000 };
    expect(reservedPools(loadConfig(write(SITES), "pdp"))).toEqual([
      { ...common, name: "voice", id: 1, remote: "10.3.0.1", dscp: 46, direction: "both", packetSize: 200 },
      { ...common, name: "film", id: 3, remote: "10.3.0.1", dscp: 34, direction: "forward", packetSize: 1500 },
      { ...common, name: "calls", id: 4, remote: "10.5.0.1", dscp: 46, direction: "both", packetSize: 200 },
    ]);
  });

  it("tell a part within the time that sessions wait", () => {
    const sizing = "sizing: { floor: 200 kbit/s, ceiling: 1 Mbit/s, step: 100 kbit/s, growTimeout: 1 s }";
    const text = SITES.replace("class: voice, rate: 500 kbit/s", `class: voice, ${sizing}`);
    expect(reservedPools(loadConfig(write(text), "pdp"))[0]?.patience).toBe(750);
  });

  it("may follow the other edge up to the ceiling of their sizing", () => {
    const sizing = "sizing: { floor: 200 kbit/s, ceiling: 1 Mbit/s, step: 100 kbit/s }";
    const text = SITES.replace("class: voice, rate: 500 kbit/s", `class: voice, ${sizing}`);
    expect(reservedPools(loadConfig(write(text), "pdp"))[0]?.ceiling).toBe(1_000_000);
  });

  it("may be several of one code point between the same edges", () => {
    const pools = reservedPools(loadConfig(write(SITES.replace("phb: AF41", "phb: EF")), "pdp"));
    expect(pools.filter(({ remote, dscp }) => remote === "10.3.0.1" && dscp === 46).map(({ id }) => id)).toEqual([
      1, 3,
    ]);
  });

  it("of a tunnel are reserved for its outer packets", () => {
    const text = SITES.replace(
      "rate: 500 kbit/s, reserve: rsvp }",
      "rate: 500 kbit/s, reserve: rsvp, carry: tunnelled }",
    );
    // VXLAN over IPv4 adds 50 octets.
    expect(reservedPools(loadConfig(write(text), "pdp"))[0]).toMatchObject({ tunnel: 1, packetSize: 250 });
  });

  it("may have edges of IPv6", () => {
    const text = SITES.replace("10.1.0.1 }", '"fd01::1" }')
      .replace("10.3.0.1 }", '"FD03:0::1" }')
      .replace("10.5.0.1 }", '"fd05::1" }');
    expect(reservedPools(loadConfig(write(text), "pdp"))[0]?.remote).toBe("fd03::1");
  });

  it.each<readonly [string, (text: string) => string, readonly string[]]>([
    [
      "a pool that is not between communities",
      (text) => text.replace("id: 7, rate: 500 kbit/s", "id: 7, rate: 500 kbit/s, reserve: rsvp"),
      [
        '17:rsvp: pools[6].reserve: pool "own" is not between communities, so there is nobody to reserve towards; add from, to and class, or take reserve away',
      ],
    ],
    [
      "a community without an edge, once for all its pools",
      (text) => text.replace(", edge: 10.3.0.1", ""),
      [
        '8:branch: communities[1].name: community "branch" has no edge, and pool "voice" is reserved up to it; add "edge: 10.1.0.1", the address of its edge router',
      ],
    ],
    [
      "two communities at one edge",
      (text) => text.replace("router: r3.c.example, edge: 10.5.0.1", "router: r1.a.example, edge: 10.1.0.9"),
      [
        '14:rsvp: pools[3].reserve: both ends of pool "calls" are at one edge; take reserve away: nothing lies between them',
      ],
    ],
    [
      "edges of two IP versions",
      (text) => text.replace("10.5.0.1 }", '"fd05::1" }'),
      [
        '14:rsvp: pools[3].reserve: the edges of pool "calls" are fd05::1 and 10.1.0.1: of two IP versions; give both communities an edge of the same',
        '15:rsvp: pools[4].reserve: the edges of pool "other" are fd05::1 and 10.3.0.1: of two IP versions; give both communities an edge of the same',
      ],
    ],
    [
      "an edge that is no address",
      (text) => text.replace("edge: 10.5.0.1", "edge: r3"),
      [expect.stringMatching(/^9:r3: .*communities\[2\]\.edge.*IP address/) as string],
    ],
    [
      "a method that there is none of",
      (text) => text.replace("reserve: rsvp }", "reserve: mpls }"),
      [expect.stringMatching(/^11:mpls: .*pools\[0\]\.reserve/) as string],
    ],
  ])("tell where and why: %s", (_, spoil, wanted) => {
    expect(complaints(spoil(SITES))).toEqual(wanted);
  });
});
