import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DEFAULT_COPS_LIMITS } from "../../../src/cops/endpoint/limits.js";
import { PdpServer } from "../../../src/cops/endpoint/pdp-server.js";
import { PepClient } from "../../../src/cops/endpoint/pep-client.js";
import { FakeKernel } from "../../../src/kernel/fake.js";
import { Reconciler } from "../../../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import type { SessionFlow } from "../../../src/model/flow.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { sessionIdOf } from "../../../src/model/session.js";
import { dscp, kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import type { PolicyAggregate } from "../../../src/pdp/router/aggregate-rows.js";
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import type { PolicyTunnel } from "../../../src/pdp/router/tunnel-rows.js";
import type { SessionRecord } from "../../../src/pdp/session-record.js";
import type { WantedAggregate } from "../../../src/pep/router/aggregates.js";
import { RouterPep } from "../../../src/pep/router/router-pep.js";
import { UsageJournal } from "../../../src/pep/router/usage-journal.js";

const session = sessionIdOf("call", "tag");
const TUNNEL: PolicyTunnel = {
  ...{ id: 9, name: "to branch", pool: "hq-branch", kind: "vxlan" },
  ...{ local: "10.2.0.1", remote: "10.2.0.2", sourcePort: 50_000, destinationPort: 4789, mtu: octets(1400) },
};
const LOCAL = "10.1.0.10";
const FAR = "10.3.0.10";
const flow = (port: number, direction: "up" | "down" = "up"): SessionFlow => ({
  key: {
    protocol: "udp",
    source: { address: direction === "up" ? LOCAL : FAR, port },
    destination: { address: direction === "up" ? FAR : LOCAL, port },
  },
  component: "rtp",
  direction,
  traffic: { rate: kilobitsPerSecond(80), burst: octets(1000), packetsPerSecond: 50 },
});

/** Pools between communities, from the policy server to the router's kernel, over COPS-PR on loopback. */
describe("router of a policy server with several pools for a class", () => {
  let directory: string;
  let kernel: FakeKernel;
  let port: number;
  let closing: (() => unknown)[] = [];
  let synced = 0;
  let link: RouterLink;
  /** In force at the router. */
  let sessions: SessionRecord[] = [];
  let errors: string[] = [];
  /** What the router has been asked to reserve. */
  let wanted: readonly WantedAggregate[] = [];
  const onChange = (): void => undefined;

  beforeEach(async () => {
    sessions = [];
    wanted = [];
    errors = [];
    directory = mkdtempSync(join(tmpdir(), "sluice-router-link-"));
    kernel = new FakeKernel();
    link = new RouterLink({
      router: "r1",
      pools: [
        { id: 1, name: "common", rate: kilobitsPerSecond(100) },
        { id: 2, name: "hq-branch", rate: kilobitsPerSecond(200), class: "voice" },
        { id: 3, name: "hq-depot", rate: kilobitsPerSecond(200), class: "voice" },
      ],
      tunnels: [TUNNEL],
      classes: [{ name: "voice", pool: "common", dscp: dscp(46), outOfProfile: { action: "drop" } }],
      timeout: millis(2000),
      log: { ...SILENT_LOGGER, error: (event) => void errors.push(event) },
      sessions: () => sessions,
      events: () => ({ flowsFinal: () => undefined, inSync: () => void synced++ }),
    });
    const server = new PdpServer(
      {
        address: "127.0.0.1",
        port: 0,
        clock: SYSTEM_CLOCK,
        log: SILENT_LOGGER,
        limits: DEFAULT_COPS_LIMITS,
        clientTypes: [2],
      },
      {
        open: () => ({ accept: true, keepAlive: 30 }),
        opened: () => undefined,
        request: (peer, req) => Promise.resolve(link.request(peer, req)),
        answered: (peer) => link.answered(peer),
        report: (peer, rpt) => link.report(peer, rpt),
        deleted: () => undefined,
        synchronized: () => undefined,
        closed: (peer, reason) => link.closed(peer, reason),
      },
    );
    port = await server.listen();
    closing = [() => server.close()];
    await startRouter();
  });

  async function startRouter({ tunnels = true, inSync = true, reserves = false } = {}): Promise<void> {
    const common = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
    const journal = new UsageJournal(join(directory, "router.db"), SYSTEM_CLOCK);
    const local = { interfaces: [], signalling: [], signallingDscp: dscp(24) };
    const keeper = new Reconciler({ kernel, local, usage: journal, ...common });
    const identity = { name: "r1", maxMessage: 262_144 };
    const aggregates = reserves
      ? { set: (all: typeof wanted) => (wanted = all), states: () => [], onChange }
      : undefined;
    const options = { identity, kernel: keeper, journal, tunnels, aggregates, maxInstances: 10_000 };
    const pep = new RouterPep({ ...options, ...common });
    const client = new PepClient(
      {
        servers: [{ address: "127.0.0.1", port }],
        pepId: "r1",
        clientType: 2,
        limits: DEFAULT_COPS_LIMITS,
        requestTimeout: millis(2000),
        reconnect: { min: millis(10), max: millis(50) },
        ...common,
      },
      pep,
    );
    closing.unshift(
      () => pep.close(),
      () => keeper.close(),
      () => journal.close(),
    );
    const before = synced;
    await pep.start(client);
    if (inSync) await vi.waitFor(() => expect(synced).toBe(before + 1), 5000);
  }

  async function stopRouter(): Promise<void> {
    for (const close of closing.splice(0, 3)) await close();
    await vi.waitFor(() => expect(link.connected).toBe(false), 5000);
  }

  afterEach(async () => {
    for (const close of closing) await close();
    rmSync(directory, { recursive: true, force: true });
  });

  it("puts each flow into its own pool, and changes a pool's rate while flows are in it", async () => {
    const install = [
      { instance: 1, flow: flow(6000) },
      { instance: 2, flow: flow(6002), pool: "hq-branch" },
    ];
    expect(await link.change({ session, class: "voice", remove: [], install })).toEqual({ admitted: true });
    const rules = [...(await kernel.read()).flows.values()].map(({ rule }) => [rule.id, rule.pool, rule.dscp]);
    expect(rules).toEqual([
      [1, 1, 46],
      [2, 2, 46],
    ]);
    await link.resize("hq-branch", kilobitsPerSecond(500));
    await link.resize("nowhere", kilobitsPerSecond(500));
    const { pools, flows } = await kernel.read();
    expect([...pools.values()].map(({ name, rate }) => [name, rate])).toEqual([
      ["common", 100_000],
      ["hq-branch", 500_000],
      ["hq-depot", 200_000],
    ]);
    expect(flows.size).toBe(2);
  });

  it("tells a router that comes later the rates of the time", async () => {
    await stopRouter();
    await link.resize("common", kilobitsPerSecond(300));
    expect((await kernel.read()).pools.get(1)?.rate).toBe(100_000);
    await startRouter();
    expect((await kernel.read()).pools.get(1)?.rate).toBe(300_000);
  });

  describe("with one of its pools in a tunnel", () => {
    const install = [
      { instance: 1, flow: flow(6000), pool: "hq-branch" },
      { instance: 2, flow: flow(6000, "down"), pool: "hq-branch" },
      { instance: 3, flow: flow(6002), pool: "hq-depot" },
      { instance: 4, flow: flow(6004) },
    ];
    const tunnels = async () =>
      [...(await kernel.read()).flows.values()].map(({ rule }) => [rule.id, rule.tunnel] as const);
    const inTunnel = [
      [1, 9],
      [2, undefined],
      [3, undefined],
      [4, undefined],
    ];

    it("steers what leaves over that pool, and nothing else", async () => {
      const { pool: _, ...tunnel } = TUNNEL;
      expect([...(await kernel.read()).tunnels.values()]).toEqual([tunnel]);
      expect(await link.change({ session, class: "voice", remove: [], install })).toEqual({ admitted: true });
      expect(await tunnels()).toEqual(inTunnel);
      await link.change({ session, class: "voice", remove: install, install: [] });
      expect((await kernel.read()).tunnels.size, "tunnels without a flow").toBe(1);
    });

    it("has it so again after a restart of the router", async () => {
      await link.change({ session, class: "voice", remove: [], install });
      sessions = [{ id: session, class: "voice", state: "reserved", flows: install } as unknown as SessionRecord];
      await stopRouter();
      const before = kernel.applied.length;
      await startRouter();
      expect(await tunnels()).toEqual(inTunnel);
      expect(kernel.applied.slice(before).flat()).toEqual([]);
    });

    it("refuses sessions of that pool at a router that has no tunnels, and serves the others", async () => {
      await stopRouter();
      kernel = new FakeKernel();
      sessions = [{ id: session, class: "voice", state: "reserved", flows: install } as unknown as SessionRecord];
      await startRouter({ tunnels: false });
      expect(errors).toContain("pdp.router-without-tunnels");
      expect((await kernel.read()).tunnels.size).toBe(0);
      expect(await tunnels(), "sessions of before keep their mark").toEqual(inTunnel.map(([id]) => [id, undefined]));
      const other = sessionIdOf("other", "tag");
      const tryOne = (pool: string) =>
        link.change({
          session: other,
          class: "voice",
          remove: [],
          install: [{ instance: 20, flow: flow(7000), pool }],
        });
      expect(await tryOne("hq-branch")).toEqual({
        admitted: false,
        reason: "routerFailed",
        text: "router r1 has no tunnels, and pool hq-branch is carried in one",
      });
      expect(await tryOne("hq-depot")).toEqual({ admitted: true });
    });

    const aggregate: PolicyAggregate = {
      ...{ pool: 2, remote: "10.2.0.2", dscp: dscp(46), rate: kilobitsPerSecond(100), tunnel: TUNNEL.id },
      ...{ burst: octets(1500), packetSize: octets(250), request: 1 },
    };

    it("has its outer flow reserved, also by a router that comes later", async () => {
      await stopRouter();
      expect(await link.reserve(aggregate)).toEqual({ admitted: true });
      await startRouter({ reserves: true });
      const { local, sourcePort, destinationPort } = TUNNEL;
      const outer = { protocol: 17, local, sourcePort, destinationPort };
      expect(wanted).toMatchObject([{ pool: 2, remote: "10.2.0.2", tunnel: outer }]);
      expect(await link.reserve({ ...aggregate, rate: kilobitsPerSecond(200), request: 2 })).toEqual({
        admitted: true,
      });
      expect(wanted).toMatchObject([{ rate: 200_000, tunnel: outer }]);
    });

    it("is not reserved by a router that reserves, but has no tunnels", async () => {
      await stopRouter();
      kernel = new FakeKernel();
      await link.reserve(aggregate);
      await startRouter({ reserves: true, tunnels: false });
      expect(await link.reserve(aggregate)).toMatchObject({ admitted: false, reason: "routerFailed" });
      const { tunnel: _, ...marked } = aggregate;
      expect(await link.reserve({ ...marked, pool: 3 })).toEqual({ admitted: true });
      expect(wanted.map(({ pool }) => pool)).toEqual([3]);
    });

    it("hears of a kernel that cannot make it", async () => {
      await stopRouter();
      kernel = new FakeKernel();
      kernel.failAt(1, undefined, 100);
      await startRouter({ inSync: false });
      await vi.waitFor(() => expect(errors).toContain("pdp.router-refused-policy"), 5000);
      expect((await kernel.read()).tunnels.size).toBe(0);
    });
  });
});
