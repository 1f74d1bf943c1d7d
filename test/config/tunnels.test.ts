import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { tunnelOfPool } from "../../src/config/pool-tunnels.js";
import { policyTunnels } from "../../src/daemon/pdp-tunnels.js";
import { ConfigError } from "../../src/model/errors.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-tunnels-"));
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
  - { name: voice, id: 1, from: hq, to: branch, class: voice, rate: 500 kbit/s, carry: tunnelled }
  - { name: video, id: 300, from: branch, to: hq, class: video, rate: 500 kbit/s, carry: { tunnel: 2, kind: gue } }
  - { name: plain, id: 3, from: hq, to: depot, class: voice, rate: 500 kbit/s, carry: marked }
  - { name: other, id: 4, from: depot, to: branch, class: voice, rate: 500 kbit/s, carry: { kind: ipip } }
  - { name: own, id: 7, rate: 500 kbit/s }
classes:
  - { name: voice, phb: EF, packetSize: 200 }
  - { name: video, phb: AF41, packetSize: 1200 }
rules: []
`;

function write(text: string): string {
  const file = join(directory, "pdp.yaml");
  writeFileSync(file, text);
  return file;
}

const load = (text: string) => loadConfig(write(text), "pdp");

/** Each problem as `line:token: message; remedy`, where the token is what stands at its place. */
function complaints(text: string): string[] {
  try {
    load(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = text.split("\n");
    return error.problems.map(({ place, message, remedy }) => {
      const token = /^["\w./:{-]*/.exec((lines[place.line - 1] ?? "").slice(place.column - 1))?.[0];
      return `${place.line}:${token}: ${message}; ${remedy}`;
    });
  }
  throw new Error("nothing was wrong");
}

const voice = (carry: string) => (text: string) => text.replace("carry: tunnelled", `carry: ${carry}`);
const video = (carry: string) => (text: string) => text.replace("{ tunnel: 2, kind: gue }", carry);

describe("pools in tunnels", () => {
  it("become tunnels of our router alone, seen from it, with what was left out made up", () => {
    const common = { local: "10.1.0.1", remote: "10.3.0.1" };
    expect(policyTunnels(load(SITES))).toEqual([
      {
        ...common,
        ...{ id: 1, name: "voice", pool: "voice", kind: "vxlan" },
        ...{ sourcePort: 49_153, destinationPort: 4789, mtu: 1450 },
      },
      {
        ...common,
        ...{ id: 2, name: "video", pool: "video", kind: "gue" },
        ...{ sourcePort: 49_154, destinationPort: 20_002, mtu: 1468 },
      },
    ]);
  });

  it("are carried as they are written", () => {
    const config = load(voice("{ tunnel: 255, sourcePort: 5000, destinationPort: 6000, mtu: 1400 }")(SITES));
    expect(tunnelOfPool(config.pools[0]!, config)).toEqual({
      ...{ number: 255, kind: "vxlan", from: "10.1.0.1", to: "10.3.0.1" },
      ...{ sourcePort: 5000, destinationPort: 6000, mtu: 1400, overhead: 50 },
    });
    expect(tunnelOfPool(config.pools[3]!, config)).toMatchObject({ sourcePort: 0, destinationPort: 0, mtu: 1480 });
    expect(config.pools.map((pool) => tunnelOfPool(pool, config)?.number)).toEqual([255, 2, undefined, 4, undefined]);
  });

  it("add 20 octets more over IPv6", () => {
    const config = load(SITES.replace(/edge: 10\.(\d)\.0\.1 /g, 'edge: "fd0$1::1" '));
    expect(config.pools.map((pool) => tunnelOfPool(pool, config)?.overhead)).toEqual([
      70,
      52,
      undefined,
      40,
      undefined,
    ]);
    expect(tunnelOfPool(config.pools[0]!, config)).toMatchObject({ from: "fd01::1", to: "fd03::1", mtu: 1430 });
  });

  it.each<readonly [string, (text: string) => string, readonly string[]]>([
    [
      "a pool that is not between communities",
      (text) => text.replace("id: 7, rate: 500 kbit/s", "id: 7, rate: 500 kbit/s, carry: tunnelled"),
      [
        '15:tunnelled: pools[4].carry: pool "own" is not between communities, so its tunnel leads nowhere; add from, to and class, or take carry away',
      ],
    ],
    [
      "a community without an edge, once for all its pools",
      (text) => text.replace(", edge: 10.3.0.1", ""),
      [
        '8:branch: communities[1].name: community "branch" has no edge, and the tunnel of pool "voice" ends there; add "edge: 10.1.0.1", the address of its edge router',
      ],
    ],
    [
      "two communities at one edge",
      (text) => text.replace("router: r3.c.example, edge: 10.5.0.1", "router: r2.b.example, edge: 10.3.0.9"),
      ['14:{: pools[3].carry: both ends of pool "other" are at one edge; take carry away: nothing lies between them'],
    ],
    [
      "edges of two IP versions",
      (text) => text.replace("edge: 10.5.0.1", 'edge: "fd05::1"'),
      [
        '14:{: pools[3].carry: the edges of pool "other" are fd05::1 and 10.3.0.1: of two IP versions; give both communities an edge of the same',
      ],
    ],
    [
      "a number that no tunnel has",
      video("{ kind: gue }"),
      [
        '12:{: pools[1].carry: the number of pool "video" is 300: a tunnel has one of 1 to 255; add "tunnel:" with a number that both edges have free',
      ],
    ],
    [
      "a number that the router at either end has given away",
      (text) => text.replace("carry: { kind: ipip }", "carry: { tunnel: 2, kind: vxlan }"),
      [
        '14:{: pools[3].carry: tunnel 2 of pool "other" is that of pool "video" at router "r2.b.example" already; give one of them another number by "tunnel:"',
      ],
    ],
    [
      "outer flows that look alike",
      (text) => video("{ tunnel: 2, kind: gre }")(voice("{ kind: gre }")(text)),
      [
        '12:{: pools[1].carry: the tunnel of pool "video" looks from outside like that of pool "voice"; choose vxlan, fou or gue: they have ports',
      ],
    ],
    [
      "outer flows that look alike by their ports",
      (text) => video("{ tunnel: 2, sourcePort: 49153 }")(text),
      [
        '12:{: pools[1].carry: the tunnel of pool "video" looks from outside like that of pool "voice"; give one of them another sourcePort',
      ],
    ],
    [
      "two of IP in IP between the same edges",
      voice("{ kind: fou }"),
      [
        '12:{: pools[1].carry: between the edges of pool "video" is the fou tunnel of pool "voice" already, beside which the kernel has no second one of gue; choose vxlan or gre for one of them',
      ],
    ],
    [
      "one port for two tunnels of IP in UDP",
      (text) => text.replace("carry: { kind: ipip }", "carry: { kind: fou, destinationPort: 20002 }"),
      [
        '14:{: pools[3].carry: port 20002 of pool "other" takes gue of pool "video"; choose another "destinationPort:" for one of them',
      ],
    ],
    [
      "one port for two kinds",
      video("{ tunnel: 2, kind: gue, destinationPort: 4789 }"),
      [
        '12:{: pools[1].carry: port 4789 of pool "video" takes vxlan of pool "voice"; choose another "destinationPort:" for one of them',
      ],
    ],
    [
      "ports of a kind that has none",
      voice("{ kind: gre, sourcePort: 5 }"),
      ["11:5: pools[0].carry.sourcePort: packets of kind gre have no ports; take it away, or choose vxlan, fou or gue"],
    ],
    [
      "packets that do not fit",
      (text) => text.replace("phb: EF, packetSize: 200", "phb: EF"),
      [
        '11:tunnelled: pools[0].carry: packets of class "voice" come to 1500 octets, into the tunnel of pool "voice" fit 1450; lower the class\'s packetSize to what its media has, or raise "mtu:" where the path carries 50 octets more',
        expect.stringMatching(/^14:\{: pools\[3\]\.carry: .* of pool "other" fit 1480; /) as string,
      ],
    ],
    [
      "an MTU below what IPv6 needs",
      voice("{ mtu: 1279 }"),
      [expect.stringMatching(/^11:1279: pools\[0\]\.carry\.mtu must be at least 1280; /) as string],
    ],
    [
      "a tunnel 0",
      voice("{ tunnel: 0 }"),
      [expect.stringMatching(/^11:0: pools\[0\]\.carry\.tunnel must be/) as string],
    ],
    [
      "a kind that there is none of",
      voice("{ kind: mpls }"),
      [expect.stringMatching(/^11:mpls: pools\[0\]\.carry\.kind must be one of ipip, gre, fou, gue, vxlan/) as string],
    ],
    [
      "another word",
      voice("tunneled"),
      [expect.stringMatching(/^11:tunneled: pools\[0\]\.carry must be marked, tunnelled or a group of keys/) as string],
    ],
    [
      "an unknown key",
      voice("{ number: 1 }"),
      [expect.stringMatching(/^11:number:: unknown key "number" in pools\[0\]\.carry/) as string],
    ],
  ])("are refused with place and reason: %s", (_, spoil, wanted) => {
    expect(complaints(spoil(SITES))).toEqual(wanted);
  });

  it("may be reserved, two between the same edges and of one class: each has an outer flow of its own", () => {
    const text = SITES.replace("carry: tunnelled", "carry: tunnelled, reserve: rsvp").replace(
      "class: video, rate: 500 kbit/s, carry: { tunnel: 2, kind: gue }",
      "class: video, rate: 500 kbit/s, reserve: rsvp, carry: { tunnel: 2, kind: gue }",
    );
    expect(load(text.replace("phb: AF41", "phb: EF")).pools.filter(({ reserve }) => reserve === "rsvp")).toHaveLength(
      2,
    );
  });

  it("do not lift that two communities may not claim the same addresses, and the refusal says why", () => {
    const text = SITES.replace("prefixes: [10.5.0.0/24]", "prefixes: [10.3.0.0/25]").replace(
      "rate: 500 kbit/s, carry: marked",
      "rate: 500 kbit/s, carry: tunnelled",
    );
    expect(complaints(text)).toEqual([
      '9:10.3.0.0/25: communities[2].prefixes[0]: 10.3.0.0/25 overlaps 10.3.0.0/24 of community "branch": routes cannot tell their packets apart, out of separate tunnels neither; give each community addresses of its own, or translate those of one before its edge',
    ]);
  });
});
