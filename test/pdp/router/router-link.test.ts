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
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import { RouterPep } from "../../../src/pep/router/router-pep.js";
import { UsageJournal } from "../../../src/pep/router/usage-journal.js";

const session = sessionIdOf("call", "tag");
const flow = (port: number): SessionFlow => ({
  key: { protocol: "udp", source: { address: "10.1.0.10", port }, destination: { address: "10.3.0.10", port } },
  component: "rtp",
  direction: "up",
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

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "sluice-router-link-"));
    kernel = new FakeKernel();
    link = new RouterLink({
      router: "r1",
      pools: [
        { id: 1, name: "common", rate: kilobitsPerSecond(100) },
        { id: 2, name: "hq-branch", rate: kilobitsPerSecond(200), class: "voice" },
      ],
      classes: [{ name: "voice", pool: "common", dscp: dscp(46), outOfProfile: { action: "drop" } }],
      timeout: millis(2000),
      log: SILENT_LOGGER,
      sessions: () => [],
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

  async function startRouter(): Promise<void> {
    const common = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
    const journal = new UsageJournal(join(directory, "router.db"), SYSTEM_CLOCK);
    const local = { interfaces: [], signalling: [], signallingDscp: dscp(24) };
    const keeper = new Reconciler({ kernel, local, usage: journal, ...common });
    const identity = { name: "r1", maxMessage: 262_144 };
    const pep = new RouterPep({ identity, kernel: keeper, journal, maxInstances: 10_000, ...common });
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
    await vi.waitFor(() => expect(synced).toBe(before + 1), 5000);
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
    ]);
    expect(flows.size).toBe(2);
  });

  it("tells a router that comes later the rates of the time", async () => {
    for (const close of closing.splice(0, 3)) await close();
    await vi.waitFor(() => expect(link.connected).toBe(false), 5000);
    await link.resize("common", kilobitsPerSecond(300));
    expect((await kernel.read()).pools.get(1)?.rate).toBe(100_000);
    await startRouter();
    expect((await kernel.read()).pools.get(1)?.rate).toBe(300_000);
  });
});
