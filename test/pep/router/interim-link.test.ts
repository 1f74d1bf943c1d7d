/** Interim usage between a router and its policy server over loopback TCP, with a kernel in memory. */
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
import { sessionIdOf } from "../../../src/model/session.js";
import { dscp, kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import type { SessionRecord } from "../../../src/pdp/session-record.js";
import { RouterPep } from "../../../src/pep/router/router-pep.js";
import { UsageJournal } from "../../../src/pep/router/usage-journal.js";

const parts = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
const record = {
  id: sessionIdOf("call", "tag"),
  class: "voice",
  state: "reserved",
  flows: [1, 2].map((instance) => ({
    instance,
    flow: {
      key: {
        protocol: "udp",
        source: { address: "10.1.0.10", port: 6000 + instance },
        destination: { address: "10.3.0.10", port: 6000 + instance },
      },
      component: "rtp",
      direction: "up",
      traffic: { rate: kilobitsPerSecond(80), burst: octets(1000), packetsPerSecond: 50 },
    },
  })),
} as unknown as SessionRecord;

let directory: string;
let closing: (() => unknown)[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-interim-"));
  closing = [];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  rmSync(directory, { recursive: true, force: true });
});

/** @param accounting - seconds, as the Client-Accept says */
async function world(accounting?: number) {
  /** Packets by flow of each report; `end` for one that closes an interval. */
  const told: unknown[] = [];
  let inSync = 0;
  let port = 0;
  const link = new RouterLink({
    router: "r1",
    pools: [{ id: 1, name: "voice", rate: kilobitsPerSecond(170) }],
    classes: [{ name: "voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } }],
    timeout: millis(2000),
    log: SILENT_LOGGER,
    sessions: () => [record],
    events: () => ({
      flowsFinal: () => undefined,
      inSync: () => {
        inSync += 1;
      },
    }),
    onInterim: (counters, complete) => {
      told.push(
        complete ? "end" : Object.fromEntries([...counters].map(([id, { inProfile }]) => [id, inProfile.packets])),
      );
    },
  });
  const listen = async (): Promise<PdpServer> => {
    const options = { address: "127.0.0.1", port, ...parts, limits: DEFAULT_COPS_LIMITS, clientTypes: [2] };
    const server = new PdpServer(options, {
      open: () => ({ accept: true, keepAlive: 30, ...(accounting === undefined ? {} : { accounting }) }),
      opened: () => undefined,
      request: (peer, req) => Promise.resolve(link.request(peer, req)),
      answered: (peer) => link.answered(peer),
      report: (peer, rpt) => link.report(peer, rpt),
      deleted: () => undefined,
      synchronized: () => undefined,
      closed: (peer, reason) => link.closed(peer, reason),
    });
    port = await server.listen();
    closing.push(() => server.close());
    return server;
  };
  const server = await listen();
  const kernel = new FakeKernel();
  const journal = new UsageJournal(join(directory, "router.db"), SYSTEM_CLOCK);
  const local = { interfaces: [], signalling: [], signallingDscp: dscp(24) };
  const keeper = new Reconciler({ kernel, local, usage: journal, ...parts });
  const identity = { name: "r1", maxMessage: 262_144 };
  const pep = new RouterPep({ identity, kernel: keeper, journal, ...parts, maxInstances: 10_000 });
  const client = new PepClient(
    {
      servers: [{ address: "127.0.0.1", port }],
      pepId: "r1",
      clientType: 2,
      ...parts,
      limits: DEFAULT_COPS_LIMITS,
      requestTimeout: millis(2000),
      reconnect: { min: millis(10), max: millis(50) },
    },
    pep,
  );
  closing.push(
    () => journal.close(),
    () => keeper.close(),
    () => pep.close(),
  );
  await pep.start(client);
  const synchronised = (times: number) => vi.waitFor(() => expect(inSync).toBe(times), 5000);
  await synchronised(1);
  const packets = (id: number, count: number) =>
    kernel.count(id, { inProfile: { packets: count, octets: octets(count * 200) } });
  return { kernel, told, server, listen, synchronised, packets };
}

const PATIENCE = { timeout: 8000, interval: 20 };

describe("a router whose policy server asked for accounting", () => {
  it("tells what moved, and everything again to one that came back", async () => {
    const { told, server, listen, synchronised, packets } = await world(1);
    packets(1, 7);
    await vi.waitFor(() => expect(told).toContainEqual({ 1: 7 }), PATIENCE);
    await vi.waitFor(() => expect(told.at(-1)).toBe("end"), PATIENCE);
    told.length = 0;
    await vi.waitFor(() => expect(told).toEqual(["end"]), PATIENCE);
    await server.close();
    packets(2, 3);
    await listen();
    await synchronised(2);
    told.length = 0;
    await vi.waitFor(() => expect(told.slice(0, 2)).toEqual([{ 1: 7, 2: 3 }, "end"]), PATIENCE);
  });
});

describe("a router whose policy server asked for none", () => {
  it.each([undefined, 0])("tells nothing, AcctTimer %s (RFC 2748 §2.2.15)", async (accounting) => {
    const { kernel, told, packets } = await world(accounting);
    packets(1, 7);
    const asked = vi.spyOn(kernel, "counters");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect([told, asked.mock.calls.length]).toEqual([[], 0]);
  });
});
