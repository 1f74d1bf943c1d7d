import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import type { Refusal } from "../../src/model/decision.js";
import type { SessionFlow } from "../../src/model/flow.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { sessionIdOf } from "../../src/model/session.js";
import { bitsPerSecond, kilobitsPerSecond, octets } from "../../src/model/units.js";
import { LocalAuthority } from "../../src/pdp/authority-local.js";
import { AdmissionLedger } from "../../src/pdp/ledger.js";
import { RuleBook } from "../../src/pdp/rules.js";
import type { SessionAttemptFacts } from "../../src/pdp/session-facts.js";
import type { SessionRecord } from "../../src/pdp/session-record.js";
import { SessionService } from "../../src/pdp/session-service.js";
import { SessionStore } from "../../src/pdp/session-store.js";
import { MemoryRouter } from "./memory-router.js";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function world(poolRate = kilobitsPerSecond(200)) {
  const directory = mkdtempSync(join(tmpdir(), "sluice-pdp-"));
  directories.push(directory);
  const router = new MemoryRouter();
  const settled: SessionRecord[] = [];
  const ledger = new AdmissionLedger([{ name: "voice", rate: poolRate }]);
  const start = (pools = ledger) => {
    const store = new SessionStore(join(directory, "pdp.db"));
    const service = new SessionService({
      rules: new RuleBook(
        [{ name: "calls", from: "*", to: "bob@*", treatment: "assured", class: "voice" }],
        "bestEffort",
      ),
      classes: new Map([["voice", { name: "voice", pool: "voice" }]]),
      ledger: pools,
      authority: new LocalAuthority(() => store.nextNumber("transaction")),
      enforcement: router,
      store,
      linkOverhead: octets(14),
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      settle: (record) => settled.push(record),
      directivesOf: () => ({ addHeaders: [], removeHeaders: [] }),
    });
    router.service = service;
    return { store, service };
  };
  return { router, settled, ledger, start, ...start() };
}

const traffic = { rate: kilobitsPerSecond(80), burst: octets(2000), packetsPerSecond: 50 };
const flow = (direction: "up" | "down", port: number, rate = traffic.rate): SessionFlow => ({
  key: {
    protocol: "udp",
    source: { address: direction === "up" ? "10.1.0.10" : "10.3.0.10", port },
    destination: { address: direction === "up" ? "10.3.0.10" : "10.1.0.10", port },
  },
  component: "rtp",
  direction,
  traffic: { ...traffic, rate },
});
const call = (n: number, callee = "bob@b.example"): SessionAttemptFacts => ({
  id: sessionIdOf(`call-${n}`, "tag"),
  callId: `call-${n}`,
  peer: "sip1.a.example",
  side: "originating",
  caller: "alice@a.example",
  callee,
  offer: undefined,
  media: ["audio"],
  flows: [flow("up", 6000), flow("down", 6000)],
  token: undefined,
});
const answer = (n: number, rate = traffic.rate) => ({
  flows: [flow("up", 6000 + n * 2, rate), flow("down", 6000 + n * 2, rate)],
  pending: [],
  final: true,
});

describe("session service", () => {
  it("authorises, reserves once, and settles what the router counted", async () => {
    const { service, router, settled, ledger } = world();
    expect((await service.authorise(call(1))).admitted).toBe(true);
    expect(ledger.view()[0]?.sessions).toBe(0);
    expect((await service.reserve(call(1).id, answer(1))).admitted).toBe(true);
    expect((await service.reserve(call(1).id, answer(1))).admitted).toBe(true);
    expect(router.changes).toHaveLength(1);
    expect(ledger.view()[0]).toMatchObject({ usedUp: 85_600, usedDown: 85_600, sessions: 1 });
    await service.release(call(1).id, "bye");
    await service.release(call(1).id, "bye");
    expect(settled).toHaveLength(1);
    expect(settled[0]?.flows.map((installed) => installed.final?.inProfile.octets)).toEqual([100_000, 100_000]);
    expect(ledger.view()[0]).toMatchObject({ usedUp: 0, sessions: 0 });
    expect(router.installed.size).toBe(0);
  });

  it("refuses at AAA when the pool is full, and the numbers can be explained afterwards", async () => {
    const { service } = world(kilobitsPerSecond(100));
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    const refused = await service.authorise(call(2));
    expect(refused).toMatchObject({ admitted: false, reason: "noRoom", pool: "voice", needed: 85_600, free: 14_400 });
    expect(service.get(call(2).id)?.refusal).toEqual(refused);
  });

  it("does not forget what a session used for a refused attempt under the same id", async () => {
    const { service } = world(kilobitsPerSecond(100));
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    await service.release(call(1).id, "bye");
    await service.authorise(call(2));
    await service.reserve(call(2).id, answer(2));
    expect(await service.authorise(call(1))).toMatchObject({ reason: "noRoom" });
    expect(service.get(call(1).id)).toMatchObject({ state: "closed", refusal: { reason: "noRoom" }, flows: [{}, {}] });
    expect(service.get(call(1).id)?.steps.at(-1)?.what).toBe("refused");
  });

  it("gives the pool back when the router fails, and the session can still be released", async () => {
    const { service, router, ledger, settled } = world();
    await service.authorise(call(1));
    router.failNext = { admitted: false, reason: "routerFailed", text: "ENOSPC" };
    expect(await service.reserve(call(1).id, answer(1))).toMatchObject({ reason: "routerFailed" });
    expect(ledger.view()[0]?.sessions).toBe(0);
    await service.release(call(1).id, "failure");
    expect(settled).toHaveLength(1);
  });

  it("exchanges flows in one transaction when the answer changes, and keeps the old ones' counts", async () => {
    const { service, router, settled } = world();
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    await service.reserve(call(1).id, answer(1, kilobitsPerSecond(64)));
    expect(router.changes[1]).toMatchObject({ remove: [{}, {}], install: [{}, {}] });
    await service.release(call(1).id, "bye");
    expect(settled[0]?.past).toHaveLength(2);
    expect([...(settled[0]?.past ?? []), ...(settled[0]?.flows ?? [])].every(({ final }) => final !== undefined)).toBe(
      true,
    );
  });

  it("waits with the usage until an absent router is back in sync", async () => {
    const { service, router, settled } = world();
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    router.connected = false;
    await service.release(call(1).id, "bye");
    expect(settled).toHaveLength(0);
    router.resync();
    expect(settled).toHaveLength(1);
    expect(router.installed.size).toBe(0);
    expect(settled[0]?.flows[0]?.final?.inProfile.packets).toBe(500);
  });

  it("does not take a router that comes in sync during a removal for the removal's report", async () => {
    const { service, router, settled } = world();
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    router.meanwhile = () => service.inSync(new Set([call(1).id]));
    await service.release(call(1).id, "bye");
    expect(settled).toHaveLength(1);
    expect(settled[0]?.flows[0]?.final?.inProfile.packets).toBe(500);
  });

  it("keeps waiting while the router's complete state still has the session", async () => {
    const { service, router, settled } = world();
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    router.connected = false;
    await service.release(call(1).id, "bye");
    service.inSync(new Set([call(1).id]));
    expect(settled).toHaveLength(0);
    router.resync();
    expect(settled).toHaveLength(1);
  });

  it("explains a refusal of media that nobody could read, and leaves a live session of that name alone", async () => {
    const { service } = world();
    const refusal: Refusal = { admitted: false, reason: "mediaUnacceptable", text: "media address 10.9.9.9" };
    await service.refuseUnread(call(1), refusal);
    expect(service.get(call(1).id)).toMatchObject({ state: "refused", refusal });
    await service.authorise(call(2));
    await service.refuseUnread(call(2), refusal);
    expect(service.get(call(2).id)?.state).toBe("authorised");
  });

  it("takes up its sessions after a restart", async () => {
    const first = world();
    await first.service.authorise(call(1));
    await first.service.reserve(call(1).id, answer(1));
    first.store.close();
    first.ledger.release(call(1).id);
    const { service } = first.start();
    expect(first.ledger.view()[0]?.sessions).toBe(1);
    expect((await service.authorise(call(1))).admitted).toBe(true);
    await service.reserve(call(1).id, answer(1));
    expect(first.router.changes).toHaveLength(1);
    await service.release(call(1).id, "bye");
    expect(first.settled).toHaveLength(1);
  });

  it("starts although a pool that a session holds is no longer configured", async () => {
    const first = world();
    await first.service.authorise(call(1));
    await first.service.reserve(call(1).id, answer(1));
    first.store.close();
    const { store, service } = first.start(new AdmissionLedger([{ name: "other", rate: kilobitsPerSecond(1) }]));
    expect(service.live().map(({ id }) => id)).toEqual([call(1).id]);
    await service.release(call(1).id, "bye");
    expect(first.settled).toHaveLength(1);
    store.close();
  });

  it("forgets old sessions that hold nothing", async () => {
    const { service, store } = world();
    for (const n of [1, 2]) await service.authorise(call(n));
    await service.release(call(1).id, "failure");
    store.prune(Date.now() + 1000);
    expect([service.get(call(1).id), service.get(call(2).id)?.state]).toEqual([undefined, "authorised"]);
  });

  it("leaks no pool, no flow and no usage over any sequence of events", async () => {
    const event = fc.record({
      session: fc.integer({ min: 0, max: 3 }),
      kind: fc.constantFrom("authorise", "reserve", "change", "release", "routerGone", "routerBack", "routerFails"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
        const { service, router, settled, ledger, store } = world();
        for (const { session: n, kind } of events) {
          if (kind === "authorise") await service.authorise(call(n));
          if (kind === "reserve") await service.reserve(call(n).id, answer(n));
          if (kind === "change") await service.reserve(call(n).id, answer(n, bitsPerSecond(50_000)));
          if (kind === "release") await service.release(call(n).id, "bye");
          if (kind === "routerGone") router.connected = false;
          if (kind === "routerBack") router.resync();
          if (kind === "routerFails") router.failNext = { admitted: false, reason: "routerFailed", text: "EBUSY" };
        }
        router.failNext = undefined;
        router.resync();
        for (let n = 0; n <= 3; n++) await service.release(call(n).id, "bye");
        store.close();
        expect([...router.installed]).toEqual([]);
        expect(service.live()).toEqual([]);
        expect(ledger.view()[0]).toMatchObject({ usedUp: 0, usedDown: 0, sessions: 0 });
        const transactions = settled.map(({ transactionId }) => transactionId);
        expect(new Set(transactions).size).toBe(transactions.length);
      }),
      { numRuns: 60 },
    );
  });
});
