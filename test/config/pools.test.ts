import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { ConfigError } from "../../src/model/errors.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-pools-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const SITES = `role: pdp
name: pol1.a.example
cops: { listen: "10.1.0.6:3288" }
domain: a.example
access: { router: r1.a.example, prefixes: [10.1.0.0/24, "fd01::/64"] }
communities:
  - { name: hq, prefixes: [10.1.0.0/16, "fd01::/48"], domains: [a.example], router: r1.a.example }
  - { name: branch, prefixes: [10.3.0.0/24], domains: [b.example], router: r2.b.example }
links:
  - { name: hq-access, rate: 10 Mbit/s, behind: [hq] }
  - { name: branch-access, rate: 2 Mbit/s, behind: [branch] }
pools:
  - { name: voice, id: 1, from: hq, to: branch, class: voice, rate: 500 kbit/s, links: [hq-access] }
  - name: video
    id: 2
    from: hq
    to: branch
    class: video
    direction: forward
    overhead: 10 kbit/s
    sizing: { floor: 200 kbit/s, ceiling: 1 Mbit/s, step: 100 kbit/s, hold: 1 min }
    schedule:
      - { days: [mon, fri], from: "08:00", to: "18:30", rate: 600 kbit/s }
timeZone: Europe/Vienna
classes:
  - { name: voice, phb: EF }
  - { name: video, phb: AF41, whenShed: bye }
rules:
  - { name: calls, from: "*@*", to: "*@*", class: voice, maxRate: 100 kbit/s, priority: 5, treatment: assured }
`;

function write(text: string): string {
  const file = join(directory, "pdp.yaml");
  writeFileSync(file, text);
  return file;
}

/** Each problem as `line:token: message`, where the token is what stands at its place. */
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

describe("communities, links and pools", () => {
  it("are read, and what is left out is filled in", () => {
    const { communities, links, pools, timeZone, classes, rules } = loadConfig(write(SITES), "pdp");
    expect(communities[1]).toEqual({
      name: "branch",
      prefixes: ["10.3.0.0/24"],
      domains: ["b.example"],
      router: "r2.b.example",
    });
    expect(links[1]).toEqual({ name: "branch-access", rate: 2_000_000, behind: ["branch"] });
    expect(pools[0]).toEqual({
      name: "voice",
      id: 1,
      from: "hq",
      to: "branch",
      class: "voice",
      rate: 500_000,
      direction: "both",
      links: ["hq-access"],
      overhead: 0,
      sizing: "fixed",
      schedule: [],
      reserve: "none",
      carry: "marked",
      measure: false,
      warn: [80, 95],
    });
    expect(pools[1]).toMatchObject({
      rate: 200_000,
      direction: "forward",
      overhead: 10_000,
      sizing: {
        floor: 200_000,
        ceiling: 1e6,
        step: 100_000,
        headRoom: 0,
        hold: 60_000,
        growTimeout: 400,
        retry: 10_000,
      },
      schedule: [{ days: ["mon", "fri"], from: 480, to: 1110, rate: 600_000 }],
    });
    expect([timeZone, classes[1]?.whenShed, rules[0]?.priority]).toEqual(["Europe/Vienna", "bye", 5]);
  });

  it("are not needed: a file without them is what it was", () => {
    const start = SITES.slice(0, SITES.indexOf("communities:"));
    const text = `${start}pools: [{ name: voice, id: 1, rate: 170 kbit/s }]
classes: [{ name: voice, pool: voice, phb: EF }]
rules: []
`;
    const { communities, links, pools } = loadConfig(write(text), "pdp");
    expect([communities, links]).toEqual([[], []]);
    expect(pools).toEqual([
      {
        name: "voice",
        id: 1,
        rate: 170_000,
        direction: "both",
        overhead: 0,
        sizing: "fixed",
        schedule: [],
        reserve: "none",
        carry: "marked",
        measure: false,
        warn: [80, 95],
      },
    ]);
  });

  it("may be as many as there are sites", () => {
    const many = Array.from({ length: 2000 }, (_, n) => n);
    const prefix = (n: number): string => `172.${16 + (n >> 8)}.${n & 255}.0/24`;
    const insert = (text: string, after: string, lines: readonly string[]): string =>
      text.replace(after, `${after}\n${lines.join("\n")}`);
    let text = insert(
      SITES,
      "communities:",
      many.map((n) => `  - { name: s${n}, prefixes: [${prefix(n)}], router: r${n}.example }`),
    );
    text = insert(
      text,
      "links:",
      many.map((n) => `  - { name: l${n}, rate: 2 Mbit/s, behind: [s${n}] }`),
    );
    text = insert(
      text,
      "pools:",
      many.map((n) => `  - { name: p${n}, id: ${n + 10}, from: hq, to: s${n}, class: voice, rate: 1 Mbit/s }`),
    );
    expect(loadConfig(write(text), "pdp").pools).toHaveLength(2002);
  });

  it.each<readonly [string, (text: string) => string, readonly string[]]>([
    [
      "addresses that two communities claim",
      (text) => text.replace("[10.3.0.0/24]", "[10.1.3.0/24]"),
      [
        '8:10.1.3.0/24: communities[1].prefixes[0]: 10.1.3.0/24 overlaps 10.1.0.0/16 of community "hq": routes cannot tell their packets apart, out of separate tunnels neither; give each community addresses of its own, or translate those of one before its edge',
      ],
    ],
    [
      "equal prefixes of IPv6",
      (text) => text.replace("[10.3.0.0/24]", '[10.3.0.0/24, "fd01::/48"]'),
      [
        expect.stringContaining(
          '8:"fd01::/48": communities[1].prefixes[1]: fd01::/48 overlaps fd01::/48 of community "hq"',
        ),
      ],
    ],
    [
      "a domain of two communities",
      (text) => text.replace("[b.example]", "[b.example, a.example]"),
      ['8:a.example: communities[1].domains[1]: domain "a.example" is already taken; choose another'],
    ],
    [
      "an access network in no community",
      (text) => text.replace("[10.1.0.0/24,", "[10.2.0.0/24,"),
      [
        '5:10.2.0.0/24: access.prefixes[0]: 10.2.0.0/24 is in no community of router "r1.a.example"; add it to the prefixes of one',
      ],
    ],
    [
      "a router of no community",
      (text) => text.replace("{ router: r1.a", "{ router: r9.a"),
      ['5:r9.a.example: access.router: no community has router "r9.a.example"; make it the router of a community'],
    ],
    [
      "a domain of nobody",
      (text) => text.replace("domain: a.example", "domain: c.example"),
      [
        '4:c.example: domain: domain "c.example" is in no community of router "r1.a.example"; add it to the domains of one',
      ],
    ],
    [
      "a community that is not there",
      (text) => text.replace("id: 1, from: hq", "id: 1, from: hk").replace("behind: [branch]", "behind: [branhc]"),
      [
        '11:branhc: links[1].behind[0]: there is no community "branhc"; did you mean "branch"?',
        '13:hk: pools[0].from: there is no community "hk"; did you mean "hq"?',
        '13:hq-access: pools[0].links[0]: link "hq-access" is not between hk and branch; a link on the way has one of the two behind it, and not the other',
      ],
    ],
    [
      "half of a pool's ends",
      (text) => text.replace("from: hq, to: branch, class: voice,", "from: hq,").replace(", links: [hq-access]", ""),
      [
        expect.stringContaining('26:voice: classes[0].name: class "voice" has no pool'),
        '13:hq: pools[0].from: pool "voice" has from without the others; a pool between communities needs from, to and class',
      ],
    ],
    [
      "a pool from a place to itself",
      (text) => text.replace("to: branch, class: voice,", "to: hq, class: voice,").replace(", links: [hq-access]", ""),
      ['13:hq: pools[0].to: both ends of pool "voice" are hq; name two communities'],
    ],
    [
      "two pools for the same",
      (text) =>
        text.replace(
          "pools:\n",
          "pools:\n  - { name: back, id: 3, from: branch, to: hq, class: voice, rate: 1 kbit/s }\n",
        ),
      [
        '14:voice: pools[1].name: pool "voice" is for voice from hq to branch, as pool "back" is already; make one pool of them, or give each one direction',
      ],
    ],
    [
      "a pool larger than its link",
      (text) => text.replace("ceiling: 1 Mbit/s", "ceiling: 3 Mbit/s"),
      [
        '14:video: pools[1].name: pool "video" may come to 3 Mbit/s, link "branch-access" has 2 Mbit/s; lower the pool, or raise the link',
      ],
    ],
    [
      "a link with a pool's name",
      (text) => text.replaceAll("hq-access", "voice"),
      ['10:voice: links[0].name: name "voice" is already taken; choose another'],
    ],
    [
      "neither rate nor sizing",
      (text) => text.replace(" rate: 500 kbit/s,", ""),
      [expect.stringMatching(/^13:.*: pools\[0\]\.rate is missing; add "rate: 170 kbit\/s"/)],
    ],
    [
      "a rate beside a sizing",
      (text) => text.replace("    direction: forward", "    direction: forward\n    rate: 1 Mbit/s"),
      ['20:1: pools[1].rate: pool "video" has a rate and a sizing; leave one of them out'],
    ],
    [
      "a ceiling below the floor, and a schedule above it",
      (text) => text.replace("ceiling: 1 Mbit/s", "ceiling: 100 kbit/s"),
      [
        "21:100: pools[1].sizing.ceiling: the ceiling is below the floor; raise it",
        "23:600: pools[1].schedule[0].rate: the floor of this time is above the ceiling; lower it",
      ],
    ],
    [
      "an overhead that leaves nothing",
      (text) => text.replace("overhead: 10 kbit/s", "overhead: 1 Mbit/s"),
      [
        '20:1: pools[1].overhead: the overhead leaves nothing of pool "video" for sessions; lower it, or raise the pool',
      ],
    ],
    [
      "times that are none",
      (text) => text.replace('"08:00"', "25:00").replace('"18:30"', '"8 pm"').replace("Europe/Vienna", "Wien"),
      [
        '23:25:00: pools[1].schedule[0].from: "25:00" is out of range; write hours and minutes such as "08:00"; quote them',
        '23:"8: pools[1].schedule[0].to: "8 pm" is not a time of day; write hours and minutes such as "08:00"; quote them',
        '24:Wien: timeZone: "Wien" is not a time zone known here; write one such as "Europe/Vienna" or "UTC"',
      ],
    ],
    [
      "times that are no text",
      (text) => text.replace('"08:00"', "[8]").replace("timeZone: Europe/Vienna", "timeZone: { name: UTC }"),
      [
        '23:: pools[1].schedule[0].from: a list does not fit here; write a time of day, such as "08:00"',
        '24:: timeZone: a group of keys does not fit here; write a time zone, such as "Europe/Vienna"',
      ],
    ],
    [
      "a class that names a pool between communities",
      (text) => text.replace("{ name: voice, phb", "{ name: voice, pool: video, phb"),
      [
        '26:video: classes[0].pool: pool "video" is between two communities, and found without being named here; name a pool without communities, or none',
      ],
    ],
    [
      "a rule that asks more than every pool has",
      (text) => text.replace("maxRate: 100 kbit/s", "maxRate: 600 kbit/s"),
      ['29:600: rules[0].maxRate: maxRate is more than pool "voice" has; lower it, or give the pool a higher rate'],
    ],
  ])("tells where and why: %s", (_what, change, expected) => {
    expect(complaints(change(SITES))).toEqual(expected);
  });
});
