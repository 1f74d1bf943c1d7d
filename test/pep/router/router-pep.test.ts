import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DEFAULT_COPS_LIMITS } from "../../../src/cops/endpoint/limits.js";
import type { PdpHandlers } from "../../../src/cops/endpoint/pdp-handlers.js";
import { PdpServer } from "../../../src/cops/endpoint/pdp-server.js";
import { PepClient } from "../../../src/cops/endpoint/pep-client.js";
import { FakeKernel } from "../../../src/kernel/fake.js";
import { Reconciler } from "../../../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import type { SessionFlow } from "../../../src/model/flow.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { type SessionId, sessionIdOf } from "../../../src/model/session.js";
import { dscp, kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import type { InstalledFlow, SessionRecord } from "../../../src/pdp/session-record.js";
import { RouterPep } from "../../../src/pep/router/router-pep.js";
import { UsageJournal } from "../../../src/pep/router/usage-journal.js";

/** Both ends of COPS-PR over loopback TCP, with a kernel in memory: what a router and its policy server make of each other. */
class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), "sluice-router-"));
  kernel = new FakeKernel();
  readonly sessions: SessionRecord[] = [];
  readonly finals = new Map<number, FlowCounters>();
  inSync = 0;
  /** So many requests for policy are answered with an error first. */
  errors = 0;
  server: PdpServer | undefined;
  port = 0;
  pep: RouterPep | undefined;
  keeper: Reconciler | undefined;
  journal: UsageJournal | undefined;
  readonly link = new RouterLink({
    router: "r1",
    pools: [{ id: 1, name: "voice", rate: kilobitsPerSecond(170) }],
    classes: [{ name: "voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } }],
    timeout: millis(2000),
    log: SILENT_LOGGER,
    sessions: () => this.sessions,
    events: () => ({
      flowsFinal: (finals) => {
        for (const [id, counters] of finals) this.finals.set(id, counters);
      },
      inSync: () => {
        this.inSync += 1;
      },
    }),
  });

  async startServer(): Promise<void> {
    const handlers: PdpHandlers = {
      open: () => ({ accept: true, keepAlive: 30 }),
      opened: () => undefined,
      request: (peer, req) => {
        if (this.errors-- > 0) return Promise.resolve({ decisions: [], error: { code: 4, subCode: 0 } });
        return Promise.resolve(this.link.request(peer, req));
      },
      answered: (peer) => this.link.answered(peer),
      report: (peer, rpt) => this.link.report(peer, rpt),
      deleted: () => undefined,
      synchronized: () => undefined,
      closed: (peer, reason) => this.link.closed(peer, reason),
    };
    const options = { address: "127.0.0.1", port: this.port, clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
    this.server = new PdpServer({ ...options, limits: DEFAULT_COPS_LIMITS, clientTypes: [2] }, handlers);
    this.port = await this.server.listen();
  }

  async startRouter(): Promise<void> {
    this.journal = new UsageJournal(join(this.directory, "router.db"), SYSTEM_CLOCK);
    this.keeper = new Reconciler({
      kernel: this.kernel,
      local: { interfaces: [], signalling: [], signallingDscp: dscp(24) },
      usage: this.journal,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
    });
    this.pep = new RouterPep({
      identity: { name: "r1", maxMessage: 262_144 },
      kernel: this.keeper,
      journal: this.journal,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      maxInstances: 10_000,
    });
    const client = new PepClient(
      {
        servers: [{ address: "127.0.0.1", port: this.port }],
        pepId: "r1",
        clientType: 2,
        clock: SYSTEM_CLOCK,
        log: SILENT_LOGGER,
        limits: { ...DEFAULT_COPS_LIMITS, maxMessage: 64 * 1024 * 1024 },
        requestTimeout: millis(2000),
        reconnect: { min: millis(10), max: millis(50) },
      },
      this.pep,
    );
    const before = this.inSync;
    await this.pep.start(client);
    await vi.waitFor(() => expect(this.inSync).toBe(before + 1), 5000);
  }

  async stopRouter(): Promise<void> {
    await this.pep?.close();
    await this.keeper?.close();
    this.journal?.close();
  }

  async flows(): Promise<readonly number[]> {
    return [...(await this.kernel.read()).flows.keys()].sort((a, b) => a - b);
  }

  async close(): Promise<void> {
    await this.stopRouter();
    await this.server?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const session = sessionIdOf("call", "tag");
const installed = (instance: number): InstalledFlow => {
  const flow: SessionFlow = {
    key: {
      protocol: "udp",
      source: { address: "10.1.0.10", port: 6000 + instance },
      destination: { address: "10.3.0.10", port: 6000 + instance },
    },
    component: "rtp",
    direction: "up",
    traffic: { rate: kilobitsPerSecond(80), burst: octets(1000), packetsPerSecond: 50 },
  };
  return { instance, flow };
};
const record = (flows: readonly InstalledFlow[], id: SessionId = session) =>
  ({ id, class: "voice", state: "reserved", flows }) as unknown as SessionRecord;
const counted = { inProfile: { packets: 500, octets: octets(100_000) } };

let bench: Bench;
beforeEach(async () => {
  bench = new Bench();
  await bench.startServer();
  await bench.startRouter();
});
afterEach(() => bench.close());

describe("router and policy server", () => {
  it("installs a session in one transaction, and reports it after the kernel has it", async () => {
    const install = [installed(1), installed(2)];
    expect(await bench.link.change({ session, class: "voice", remove: [], install })).toEqual({ admitted: true });
    const { flows, pools } = await bench.kernel.read();
    expect([...flows.values()].map(({ rule }) => [rule.id, rule.session, rule.dscp, rule.pool, rule.rate])).toEqual([
      [1, session, 46, 1, 80_000],
      [2, session, 46, 1, 80_000],
    ]);
    expect([...pools.values()]).toEqual([{ id: 1, name: "voice", rate: 170_000 }]);
    expect(bench.kernel.applied.at(-1)?.map(({ kind }) => kind)).toEqual(["flow.add", "flow.add"]);
  });

  it("says that the kernel refused, holds nothing of it, and goes on", async () => {
    bench.kernel.refuseFlow(2);
    const install = [installed(1), installed(2)];
    const refused = await bench.link.change({ session, class: "voice", remove: [], install });
    expect(refused).toMatchObject({ admitted: false, reason: "routerFailed" });
    expect(await bench.flows()).toEqual([]);
    bench.kernel.refuseFlow(undefined);
    expect((await bench.link.change({ session, class: "voice", remove: [], install })).admitted).toBe(true);
    expect(await bench.flows()).toEqual([1, 2]);
  });

  it("tries once more before it says that the kernel refused", async () => {
    bench.kernel.failAt(1);
    const install = [installed(1), installed(2)];
    expect(await bench.link.change({ session, class: "voice", remove: [], install })).toEqual({ admitted: true });
    expect(await bench.flows()).toEqual([1, 2]);
  });

  it("finds out what became of a decision when the connection to the kernel was lost in it", async () => {
    for (const applied of [true, false]) {
      bench.kernel.loseAgent({ applied });
      const install = [installed(1), installed(2)];
      expect(await bench.link.change({ session, class: "voice", remove: [], install })).toEqual({ admitted: true });
      expect(await bench.flows()).toEqual([1, 2]);
      bench.kernel.count(1, counted);
      bench.kernel.loseAgent({ applied });
      await bench.link.change({ session, class: "voice", remove: install, install: [] });
      expect(await bench.flows()).toEqual([]);
      expect(bench.finals.get(1)?.inProfile).toEqual(counted.inProfile);
      bench.finals.clear();
    }
  });

  it("tells what a session had carried when somebody else took it away before it ended", async () => {
    await bench.link.change({ session, class: "voice", remove: [], install: [installed(1)] });
    bench.kernel.count(1, counted);
    await bench.keeper?.counters();
    bench.kernel.loseEverything();
    await bench.link.change({ session, class: "voice", remove: [installed(1)], install: [] });
    expect(bench.finals.get(1)?.inProfile).toEqual(counted.inProfile);
  });

  it("tells final counters before the removal is reported", async () => {
    await bench.link.change({ session, class: "voice", remove: [], install: [installed(1)] });
    bench.kernel.count(1, counted);
    await bench.link.change({ session, class: "voice", remove: [installed(1)], install: [] });
    expect(bench.finals.get(1)?.inProfile).toEqual(counted.inProfile);
    expect(await bench.flows()).toEqual([]);
  });

  it("exchanges flows in one transaction", async () => {
    await bench.link.change({ session, class: "voice", remove: [], install: [installed(1)] });
    const applied = bench.kernel.applied.length;
    await bench.link.change({ session, class: "voice", remove: [installed(1)], install: [installed(2)] });
    expect(bench.kernel.applied.length).toBe(applied + 1);
    expect(await bench.flows()).toEqual([2]);
  });

  it("keeps sessions and their counters over a restart of the router", async () => {
    await bench.link.change({ session, class: "voice", remove: [], install: [installed(1)] });
    bench.sessions.push(record([installed(1)]));
    bench.kernel.count(1, counted);
    await bench.stopRouter();
    bench.kernel = bench.kernel.reopen();
    await bench.startRouter();
    expect((await bench.kernel.read()).flows.get(1)?.counters.inProfile).toEqual(counted.inProfile);
    expect(bench.finals.size).toBe(0);
  });

  it("sweeps what a restarted policy server does not want, and tells what it carried", async () => {
    await bench.link.change({ session, class: "voice", remove: [], install: [installed(1), installed(2)] });
    bench.sessions.push(record([installed(2)]));
    bench.kernel.count(1, counted);
    await bench.server?.close();
    expect(await bench.flows()).toEqual([1, 2]);
    await bench.startServer();
    await vi.waitFor(() => expect(bench.inSync).toBe(2));
    expect(await bench.flows()).toEqual([2]);
    expect(bench.finals.get(1)?.inProfile).toEqual(counted.inProfile);
  });

  it("tells final counters again to a policy server that was away, but not of flows that stayed", async () => {
    await bench.link.change({ session, class: "voice", remove: [], install: [installed(1), installed(2)] });
    bench.sessions.push(record([installed(2)]));
    bench.kernel.count(1, counted);
    await bench.link.change({ session, class: "voice", remove: [installed(1)], install: [] });
    bench.finals.clear();
    await bench.stopRouter();
    bench.kernel = bench.kernel.reopen();
    await bench.startRouter();
    expect([...bench.finals.keys()]).toEqual([1]);
  });

  it("takes an error for no policy: nothing is swept, and it asks again", async () => {
    await bench.link.change({ session, class: "voice", remove: [], install: [installed(1)] });
    bench.sessions.push(record([installed(1)]));
    await bench.stopRouter();
    bench.kernel = bench.kernel.reopen();
    bench.errors = 1;
    const applied = bench.kernel.applied.length;
    await bench.startRouter();
    expect(bench.errors).toBeLessThan(0);
    expect(bench.kernel.applied.slice(applied).flat()).toEqual([]);
    expect(await bench.flows()).toEqual([1]);
  });

  it("takes the complete policy of a large site in one decision", async () => {
    const flows = Array.from({ length: 1200 }, (_, index) => installed(index + 1));
    bench.sessions.push(record(flows));
    await bench.stopRouter();
    await bench.startRouter();
    expect(await bench.flows()).toHaveLength(1200);
  });

  it("refuses while no router is there", async () => {
    await bench.stopRouter();
    await vi.waitFor(() => expect(bench.link.connected).toBe(false));
    const refused = await bench.link.change({ session, class: "voice", remove: [], install: [installed(1)] });
    expect(refused).toMatchObject({ admitted: false, reason: "routerUnavailable" });
  });
});
