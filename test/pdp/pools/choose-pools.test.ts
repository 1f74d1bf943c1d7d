import { describe, expect, it } from "vitest";
import { bitsPerSecond, octets } from "../../../src/model/units.js";
import { choosePools, describeWay, type WayFlow, type WayRequest } from "../../../src/pdp/pools/choose-pools.js";
import { NO_COMMUNITIES, PoolMap } from "../../../src/pdp/pools/pool-map.js";

const community = (name: string, prefix: string, v6: string) => ({
  name,
  prefixes: [prefix, v6],
  domains: [`${name}.example`],
  router: `r.${name}.example`,
});

/** Two sites behind one regional link, and a head office. */
const map = new PoolMap({
  communities: [
    community("hq", "10.1.0.0/24", "fd01::/64"),
    community("east", "10.2.0.0/24", "fd02::/64"),
    community("west", "10.3.0.0/24", "fd03::/64"),
  ],
  links: [
    { name: "hq-access", behind: ["hq"] },
    { name: "east-access", behind: ["east"] },
    { name: "west-access", behind: ["west"] },
    { name: "region", behind: ["east", "west"] },
  ],
  pools: [
    { name: "hq-east", from: "hq", to: "east", class: "voice", direction: "both" },
    { name: "hq-west-there", from: "hq", to: "west", class: "voice", direction: "forward" },
    { name: "hq-west-back", from: "west", to: "hq", class: "voice", direction: "forward" },
    { name: "east-west", from: "east", to: "west", class: "voice", direction: "both", links: ["west-access"] },
    { name: "common" },
  ],
});

const traffic = { rate: bitsPerSecond(80_000), burst: octets(2000), packetsPerSecond: 50 };
const flow = (direction: "up" | "down", local?: string, far?: string): WayFlow => {
  if (local === undefined || far === undefined) return { direction, traffic };
  const [source, destination] = direction === "up" ? [local, far] : [far, local];
  return {
    direction,
    traffic,
    key: {
      protocol: "udp",
      source: { address: source, port: 6000 },
      destination: { address: destination, port: 7000 },
    },
  };
};
const ask = (change: Partial<WayRequest>): WayRequest => ({
  class: { name: "voice" },
  local: { domain: "hq.example" },
  far: { domain: "east.example" },
  flows: [flow("up"), flow("down")],
  ...change,
});
const takes = (request: WayRequest): unknown => {
  const choice = choosePools(map, request);
  if (!choice.admitted) return choice.text;
  return choice.ways.map(({ pool, takes: list }) => [
    pool,
    list.map((take) => `${take.pool} ${take.direction}`).join(", "),
  ]);
};

describe("the pools on a session's way", () => {
  it("are the access link, the pool, and the links at the far end, each in its own direction", () => {
    expect(takes(ask({}))).toEqual([
      ["hq-east", "hq-access up, hq-east up, east-access down, region down"],
      ["hq-east", "east-access up, region up, hq-east down, hq-access down"],
    ]);
  });

  it("are the same seen from the other site", () => {
    const there = takes(ask({ flows: [flow("up"), flow("down")] }));
    const here = takes(
      ask({ local: { domain: "east.example" }, far: { domain: "hq.example" }, flows: [flow("down"), flow("up")] }),
    );
    expect(here).toEqual(there);
  });

  it("are those of the one direction, where each has a pool of its own", () => {
    expect(takes(ask({ far: { domain: "west.example" } }))).toEqual([
      ["hq-west-there", "hq-access up, hq-west-there up, west-access down, region down"],
      ["hq-west-back", "west-access up, region up, hq-west-back up, hq-access down"],
    ]);
  });

  it("leave out links that both ends are behind, and take those that the pool names", () => {
    const request = ask({ local: { domain: "east.example" }, far: { domain: "west.example" }, flows: [flow("up")] });
    expect(takes(request)).toEqual([["east-west", "east-west up, west-access down"]]);
  });

  it("go by the media's addresses rather than by domains, in both families", () => {
    const roaming = ask({ far: { domain: "east.example" }, flows: [flow("up", "10.1.0.9", "10.3.0.9")] });
    expect(takes(roaming)).toMatchObject([["hq-west-there", expect.anything()]]);
    const six = ask({ far: { domain: "nowhere.example" }, flows: [flow("down", "fd01::9", "fd02::9")] });
    expect(takes(six)).toMatchObject([["hq-east", expect.anything()]]);
    const offered = ask({ far: { domain: "nowhere.example", address: "fd02::9" }, flows: [flow("up")] });
    expect(takes(offered)).toMatchObject([["hq-east", expect.anything()]]);
  });

  it("send a flow whose key is open where the others go, and each other flow on its own way", () => {
    const flows = [flow("up", "10.1.0.9", "10.3.0.9"), flow("up"), flow("up", "10.1.0.9", "10.2.0.9")];
    expect(takes(ask({ flows }))).toMatchObject([
      ["hq-west-there", {}],
      ["hq-west-there", {}],
      ["hq-east", {}],
    ]);
  });

  it("fall back on the class's own pool, and still take from the access link", () => {
    const own = { name: "voice", pool: "common" };
    expect(takes(ask({ class: own, far: { domain: "nowhere.example" } }))).toEqual([
      ["common", "hq-access up, common up"],
      ["common", "common down, hq-access down"],
    ]);
    expect(takes(ask({ class: { ...own, name: "video" } }))).toMatchObject([
      ["common", "hq-access up, common up, east-access down, region down"],
      {},
    ]);
  });

  it("refuse where nothing is set aside, and say between whom", () => {
    expect(takes(ask({ class: { name: "video" } }))).toBe("there is no pool for video from hq to east");
    expect(takes(ask({ flows: [flow("up", "10.1.0.9", "192.0.2.1")] }))).toBe(
      "there is no pool for voice from hq to 192.0.2.1",
    );
    expect(choosePools(map, ask({ class: { name: "video" } }))).toMatchObject({ admitted: false, reason: "noRoom" });
  });

  it("are the class's pool alone without communities", () => {
    const choice = choosePools(NO_COMMUNITIES, ask({ class: { name: "voice", pool: "voice" } }));
    expect(choice).toEqual({
      admitted: true,
      ways: [
        { pool: "voice", takes: [{ pool: "voice", direction: "up" }] },
        { pool: "voice", takes: [{ pool: "voice", direction: "down" }] },
      ],
    });
    expect(choice.admitted && describeWay(choice.ways)).toBe("pool voice");
  });

  it("are named in a row", () => {
    const choice = choosePools(map, ask({}));
    expect(choice.admitted && describeWay(choice.ways)).toBe("pools hq-access, hq-east, east-access, region");
  });

  it("says what a tunnel adds on the way, in both directions, and only where the pool has one", () => {
    const pools = [
      { name: "hq-east", from: "hq", to: "east", class: "voice", direction: "both", tunnelOverhead: octets(50) },
      { name: "hq-west", from: "hq", to: "west", class: "voice", direction: "both" },
    ] as const;
    const communities = [
      community("hq", "10.1.0.0/24", "fd01::/64"),
      community("east", "10.2.0.0/24", "fd02::/64"),
      community("west", "10.3.0.0/24", "fd03::/64"),
    ];
    const tunnelled = new PoolMap({ communities, links: [], pools });
    const added = (domain: string) => {
      const choice = choosePools(tunnelled, ask({ far: { domain } }));
      return choice.admitted ? choice.ways.map(({ tunnelOverhead }) => tunnelOverhead) : choice.text;
    };
    expect(added("east.example")).toEqual([50, 50]);
    expect(added("west.example")).toEqual([undefined, undefined]);
  });
});
