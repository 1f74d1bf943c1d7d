import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { policyTunnels, poolMap } from "../../src/daemon/pdp-tunnels.js";
import type { SessionFlow } from "../../src/model/flow.js";
import { bitsPerSecond, octets } from "../../src/model/units.js";
import { sessionWay } from "../../src/pdp/session-way.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-pdp-tunnels-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const SITES = (router: string) => `role: pdp
name: pol1.a.example
cops: { listen: "10.1.0.6:3288" }
domain: ${router === "r1.a.example" ? "a" : "b"}.example
access: { router: ${router}, prefixes: [${router === "r1.a.example" ? "10.1.0.0/24" : "10.3.0.0/24"}] }
communities:
  - { name: hq, prefixes: [10.1.0.0/16], domains: [a.example], router: r1.a.example, edge: 10.1.0.1 }
  - { name: branch, prefixes: [10.3.0.0/24], domains: [b.example], router: r2.b.example, edge: 10.3.0.1 }
  - { name: depot, prefixes: [10.5.0.0/24], domains: [c.example], router: r3.c.example, edge: 10.5.0.1 }
links:
  - { name: hq-access, rate: 1 Mbit/s, behind: [hq] }
pools:
  - { name: voice, id: 1, from: hq, to: branch, class: voice, rate: 500 kbit/s, carry: tunnelled }
  - { name: plain, id: 2, from: hq, to: depot, class: voice, rate: 500 kbit/s }
classes:
  - { name: voice, phb: EF, packetSize: 200 }
rules: []
`;
const load = (router = "r1.a.example") => {
  const file = join(directory, "pdp.yaml");
  writeFileSync(file, SITES(router));
  return loadConfig(file, "pdp");
};

const flow = (direction: "up" | "down", far: string): SessionFlow => ({
  key: {
    protocol: "udp",
    source: { address: direction === "up" ? "10.1.0.10" : far, port: 6000 },
    destination: { address: direction === "up" ? far : "10.1.0.10", port: 6000 },
  },
  component: "rtp",
  direction,
  traffic: { rate: bitsPerSecond(80_000), burst: octets(1000), packetsPerSecond: 50 },
});
const needs = (far: string) => {
  const way = sessionWay(
    { map: poolMap(load()), linkOverhead: octets(14) },
    {
      ...{ side: "originating", caller: "alice@a.example", callee: "bob@b.example", class: { name: "voice" } },
      flows: [flow("up", far), flow("down", far)],
    },
  );
  return way.admitted ? way.needs : way.text;
};

describe("a pool in a tunnel", () => {
  it("begins at the edge of the server's own router, whichever end of the pool that is", () => {
    const ends = (router: string) => policyTunnels(load(router)).map(({ id, local, remote }) => [id, local, remote]);
    expect(ends("r1.a.example")).toEqual([[1, "10.1.0.1", "10.3.0.1"]]);
    expect(ends("r2.b.example")).toEqual([[1, "10.3.0.1", "10.1.0.1"]]);
  });

  it("costs a call of G.711 50 octets more in each of 50 packets/s, also on the link before it", () => {
    const both = (pool: string, rate: number) => ({ pool, up: rate, down: rate });
    expect(needs("10.3.0.10")).toEqual([both("hq-access", 105_600), both("voice", 105_600)]);
    expect(needs("10.5.0.10")).toEqual([both("hq-access", 85_600), both("plain", 85_600)]);
  });
});
