/**
 * From a pool that is to be measured to what a policy server knows of its path: over COPS-PR on loopback, with test packets
 * between two addresses of the loopback interface.
 */
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
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, kilobitsPerSecond, millis, seconds } from "../../../src/model/units.js";
import { PathQualities } from "../../../src/pdp/quality/path-qualities.js";
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import { ProbeSessions } from "../../../src/pep/router/probe-sessions.js";
import { RouterPep } from "../../../src/pep/router/router-pep.js";
import { UsageJournal } from "../../../src/pep/router/usage-journal.js";
import { StampEndpoint } from "../../../src/stamp/endpoint/stamp-endpoint.js";

const PORT = 18_862;
const common = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
const NEAR = "127.0.31.1";
const FAR = "127.0.31.2";

describe("a path", () => {
  let directory: string;
  let closing: (() => unknown)[] = [];
  let paths: PathQualities;
  let errors: string[];
  let far: StampEndpoint;
  let inSync = 0;
  const classes: number[] = [];

  const stamp = (address: string) =>
    StampEndpoint.open({
      addresses: [address],
      port: PORT,
      reflector: { maxSessions: 10, rate: 1000, idle: seconds(60) },
      timeout: millis(600),
      clockKind: "synchronised",
      ...common,
    });

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "sluice-measured-"));
    errors = [];
    inSync = 0;
    far = await stamp(FAR);
    closing = [() => far.close()];
    const pools = [{ id: 3, name: "hq-branch" }];
    paths = new PathQualities({ pools, window: millis(3000), staleAfter: millis(1500), clock: SYSTEM_CLOCK });
  });
  afterEach(async () => {
    for (const close of closing.reverse()) await close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(measures: boolean): Promise<void> {
    const link = new RouterLink({
      router: "r1",
      pools: [{ id: 3, name: "hq-branch", rate: kilobitsPerSecond(200), class: "voice" }],
      classes: [{ name: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } }],
      probes: [{ pool: 3, remote: FAR, port: PORT, dscp: dscp(46), interval: millis(10) }],
      timeout: millis(2000),
      ...common,
      log: { ...SILENT_LOGGER, error: (event) => void errors.push(event) },
      sessions: () => [],
      events: () => ({ flowsFinal: () => undefined, inSync: () => void inSync++ }),
      onPathQuality: (reports) => paths.report(reports),
    });
    const server = new PdpServer(
      { address: "127.0.0.1", port: 0, limits: DEFAULT_COPS_LIMITS, clientTypes: [2], ...common },
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
    const port = await server.listen();
    closing.push(() => server.close());
    await startRouter(port, measures);
    await vi.waitFor(() => expect(inSync).toBe(1), 5000);
  }

  async function startRouter(port: number, measures: boolean): Promise<void> {
    const near = await stamp(NEAR);
    const classOf = (pool: number): number => {
      classes.push(pool);
      return 0;
    };
    const times = { first: millis(700), interval: millis(250) };
    const journal = new UsageJournal(join(directory, "router.db"), SYSTEM_CLOCK);
    const local = { interfaces: [], signalling: [], signallingDscp: dscp(24) };
    const keeper = new Reconciler({ kernel: new FakeKernel(), local, usage: journal, ...common });
    const pep = new RouterPep({
      identity: { name: "r1", maxMessage: 262_144 },
      kernel: keeper,
      journal,
      ...(measures ? { probes: { source: new ProbeSessions({ stamp: near, classOf }), times } } : {}),
      maxInstances: 10_000,
      ...common,
    });
    const servers = [{ address: "127.0.0.1", port }];
    const reconnect = { min: millis(10), max: millis(50) };
    const client = new PepClient(
      {
        servers,
        pepId: "r1",
        clientType: 2,
        limits: DEFAULT_COPS_LIMITS,
        requestTimeout: millis(2000),
        reconnect,
        ...common,
      },
      pep,
    );
    closing.push(
      () => near.close(),
      () => journal.close(),
      () => keeper.close(),
      () => pep.close(),
    );
    await pep.start(client);
  }

  it("is known a moment after the router has its policy, dead when nobody answers, and nothing when no report comes", async () => {
    await start(true);
    await vi.waitFor(() => expect(paths.of("hq-branch", "up")).toBeDefined(), 8000);
    expect(classes).toContain(3);
    for (const direction of ["up", "down"] as const) {
      const quality = paths.of("hq-branch", direction)!;
      expect(quality.loss).toBe(0);
      expect(quality.latency).toBeGreaterThan(0);
      expect(quality.latency).toBeLessThan(100);
      expect(quality.jitter).toBeLessThan(100);
    }
    expect(paths.all().map(({ method }) => method)).toEqual(["oneWay", "oneWay"]);
    far.close();
    await vi.waitFor(() => expect(paths.of("hq-branch", "down")?.latency).toBe(Number.POSITIVE_INFINITY), 8000);
    await closing.pop()?.();
    await vi.waitFor(() => expect(paths.of("hq-branch", "up")).toBeUndefined(), 8000);
  });

  it("is not asked of a router that cannot measure: it gets its policy all the same", async () => {
    await start(false);
    expect(errors).toEqual(["pdp.router-without-stamp"]);
    expect(paths.of("hq-branch", "up")).toBeUndefined();
  });
});
