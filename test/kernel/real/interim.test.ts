/** Interim usage on the real kernel: packets, counters, COPS-PR over TCP, and the policy server's judgement of the session. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DEFAULT_COPS_LIMITS } from "../../../src/cops/endpoint/limits.js";
import { PdpServer } from "../../../src/cops/endpoint/pdp-server.js";
import { PepClient } from "../../../src/cops/endpoint/pep-client.js";
import { openLinuxKernel } from "../../../src/kernel/linux.js";
import { Reconciler } from "../../../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import type { FlowDirection } from "../../../src/model/flow.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { type SessionId, sessionIdOf } from "../../../src/model/session.js";
import { dscp, kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import { Liveness } from "../../../src/pdp/liveness/liveness.js";
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import type { InstalledFlow, SessionRecord } from "../../../src/pdp/session-record.js";
import { RouterPep } from "../../../src/pep/router/router-pep.js";
import { UsageJournal } from "../../../src/pep/router/usage-journal.js";
import { link } from "../fixtures.js";
import { inOwnNamespace } from "./namespace.js";
import { A, B, buildPath, send } from "./path.js";

const INTERVAL = 1;
const IDLE = 3000;
const SIZE = 200;
const PATIENCE = { timeout: 15_000, interval: 20 };

const installed = (instance: number, direction: FlowDirection, port: number): InstalledFlow => ({
  instance,
  flow: {
    key: {
      protocol: "udp",
      source: { address: direction === "up" ? A.v4 : B.v4, port },
      destination: { address: direction === "up" ? B.v4 : A.v4, port },
    },
    component: "rtp",
    direction,
    traffic: { rate: kilobitsPerSecond(800), burst: octets(50_000), packetsPerSecond: 50 },
  },
});
const call = (name: string, first: number): SessionRecord =>
  ({
    id: sessionIdOf(name, "tag"),
    class: "voice",
    treatment: "assured",
    state: "reserved",
    answered: SYSTEM_CLOCK.now(),
    directives: { addHeaders: [], removeHeaders: [] },
    flows: [installed(first, "up", 6000 + first), installed(first + 1, "down", 6000 + first)],
    past: [],
  }) as unknown as SessionRecord;

inOwnNamespace(import.meta.url, () => {
  describe("what a session carries, and when it is found idle", () => {
    const directory = mkdtempSync(join(tmpdir(), "sluice-interim-"));
    const closing: (() => unknown)[] = [];
    const sessions = new Map([call("lively", 1), call("silent", 11)].map((record) => [record.id, record] as const));
    const [lively, silent] = [...sessions.keys()] as [SessionId, SessionId];
    const ended: { id: SessionId; cause: string; at: number }[] = [];
    let intervals = 0;
    let link1: RouterLink;
    const liveness = new Liveness({
      rules: { idleTimeout: millis(IDLE) },
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      sessions: () => sessions.values(),
      end: async (id, cause) => {
        ended.push({ id, cause, at: SYSTEM_CLOCK.now() });
        sessions.delete(id);
      },
    });

    beforeAll(async () => {
      await buildPath();
      link1 = new RouterLink({
        router: "r1",
        pools: [{ id: 1, name: "voice", rate: kilobitsPerSecond(4000) }],
        classes: [{ name: "voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } }],
        timeout: millis(5000),
        log: SILENT_LOGGER,
        sessions: () => [...sessions.values()],
        events: () => ({ flowsFinal: () => undefined, inSync: () => undefined }),
        onInterim: (counters, complete) => {
          liveness.counted(counters);
          if (!complete) return;
          intervals += 1;
          liveness.complete();
        },
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
          open: () => ({ accept: true, keepAlive: 30, accounting: INTERVAL }),
          opened: () => undefined,
          request: (peer, req) => Promise.resolve(link1.request(peer, req)),
          answered: (peer) => link1.answered(peer),
          report: (peer, rpt) => link1.report(peer, rpt),
          deleted: () => undefined,
          synchronized: () => undefined,
          closed: (peer, reason) => link1.closed(peer, reason),
        },
      );
      const port = await server.listen();
      const kernel = await openLinuxKernel({ table: "sluice_test", log: SILENT_LOGGER });
      const journal = new UsageJournal(join(directory, "router.db"), SYSTEM_CLOCK);
      const parts = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
      const local = { interfaces: [link("to-a"), link("to-b")], signalling: [], signallingDscp: dscp(24) };
      const keeper = new Reconciler({ kernel, local, usage: journal, ...parts });
      const pep = new RouterPep({
        identity: { name: "r1", maxMessage: 262_144 },
        kernel: keeper,
        journal,
        ...parts,
        maxInstances: 10_000,
      });
      const client = new PepClient(
        {
          servers: [{ address: "127.0.0.1", port }],
          pepId: "r1",
          clientType: 2,
          ...parts,
          limits: DEFAULT_COPS_LIMITS,
          requestTimeout: millis(5000),
          reconnect: { min: millis(10), max: millis(50) },
        },
        pep,
      );
      liveness.start();
      await pep.start(client);
      await vi.waitFor(() => expect(keeper.desired.flows.size).toBe(4), PATIENCE);
      closing.push(
        () => liveness.close(),
        () => pep.close(),
        () => server.close(),
        () => keeper.close(),
        () => journal.close(),
        () => kernel.cleanup(),
        () => kernel.close(),
      );
    });
    afterAll(async () => {
      for (const close of closing) await close();
      rmSync(directory, { recursive: true, force: true });
    });

    const packets = (id: SessionId, count: number, port: number): Promise<void> => {
      expect(sessions.has(id)).toBe(true);
      return send("a", [{ from: { address: A.v4, port }, to: { address: B.v4, port }, packets: count, size: SIZE }]);
    };

    it("is told to the last packet, within an interval or so", async () => {
      await packets(lively, 37, 6001);
      await vi.waitFor(() => expect(liveness.usageOf(lively)?.up.inProfile.packets).toBe(37), PATIENCE);
      expect(liveness.usageOf(lively)).toMatchObject({
        up: { inProfile: { octets: 37 * SIZE }, outOfProfile: { packets: 0 } },
        down: { inProfile: { packets: 0 } },
        moved: expect.any(Number),
      });
      expect(liveness.usageOf(silent)?.moved).toBeUndefined();
    });

    it("ends the silent session and not the one whose packets come now and then", async () => {
      let total = 37;
      while (ended.length === 0) {
        await packets(lively, 1, 6001);
        total += 1;
        await new Promise((resolve) => setTimeout(resolve, IDLE / 3));
        expect(total).toBeLessThan(60);
      }
      expect(ended).toMatchObject([{ id: silent, cause: "idle" }]);
      await vi.waitFor(() => expect(liveness.usageOf(lively)?.up.inProfile.packets).toBe(total), PATIENCE);
      const stopped = SYSTEM_CLOCK.now();
      await vi.waitFor(() => expect(ended).toHaveLength(2), PATIENCE);
      expect(ended[1]).toMatchObject({ id: lively, cause: "idle" });
      // A loaded machine may be late by itself.
      expect(ended[1]!.at - stopped).toBeLessThan(IDLE + 2 * INTERVAL * 1000 + 2000);
      expect(ended[1]!.at - stopped).toBeGreaterThan(IDLE - INTERVAL * 1000 - 200);
      expect(intervals).toBeGreaterThan(4);
    });
  });
});
