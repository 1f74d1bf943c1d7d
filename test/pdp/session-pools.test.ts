import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { SessionFlow } from "../../src/model/flow.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { sessionIdOf } from "../../src/model/session.js";
import { type BitsPerSecond, bitsPerSecond, kilobitsPerSecond, millis, octets } from "../../src/model/units.js";
import { LocalAuthority } from "../../src/pdp/authority-local.js";
import { AdmissionLedger } from "../../src/pdp/ledger.js";
import { PoolKeeper } from "../../src/pdp/pools/pool-keeper.js";
import { PoolMap } from "../../src/pdp/pools/pool-map.js";
import type { ReservationPort } from "../../src/pdp/pools/reservation-port.js";
import { RuleBook } from "../../src/pdp/rules.js";
import type { SessionAttemptFacts } from "../../src/pdp/session-facts.js";
import type { SessionRecord } from "../../src/pdp/session-record.js";
import { SessionService } from "../../src/pdp/session-service.js";
import { SessionStore } from "../../src/pdp/session-store.js";
import { usageReport } from "../../src/pdp/usage.js";
import { FakeClock } from "../support/fake-clock.js";
import { MemoryRouter } from "./memory-router.js";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

const NO_SCHEDULE = { overhead: bitsPerSecond(0), schedule: [] };
/** The pool to the branch follows demand, that to the shop is fixed. */
const POOLS = [
  {
    ...NO_SCHEDULE,
    name: "to-branch",
    from: "hq",
    to: "branch",
    class: "voice",
    direction: "both" as const,
    rate: kilobitsPerSecond(100),
    sizing: {
      floor: kilobitsPerSecond(100),
      ceiling: kilobitsPerSecond(1000),
      step: kilobitsPerSecond(100),
      headRoom: bitsPerSecond(0),
      hold: millis(60_000),
      growTimeout: millis(500),
      retry: millis(5000),
    },
  },
  {
    ...NO_SCHEDULE,
    name: "to-shop",
    from: "shop",
    to: "hq",
    class: "voice",
    direction: "both" as const,
    rate: kilobitsPerSecond(200),
    sizing: "fixed" as const,
  },
];

function world(whenShed: "bestEffort" | "bye" = "bestEffort") {
  const directory = mkdtempSync(join(tmpdir(), "sluice-pools-"));
  directories.push(directory);
  const clock = new FakeClock();
  const router = new MemoryRouter();
  const settled: SessionRecord[] = [];
  const notices: string[] = [];
  const requests: [string, BitsPerSecond][] = [];
  const port: ReservationPort = { request: (pool, rate) => requests.push([pool, rate]) };
  const ledger = new AdmissionLedger([...POOLS, { name: "hq-access", rate: kilobitsPerSecond(300) }]);
  const store = new SessionStore(join(directory, "pdp.db"));
  const keeper: PoolKeeper = new PoolKeeper({
    ledger,
    pools: POOLS,
    timeZone: "UTC",
    port,
    rank: (session) => service.rank(session),
    shed: (session, pool) => void service.shed(session, pool),
    clock,
    log: SILENT_LOGGER,
  });
  const rule = { to: "*", treatment: "assured", class: "voice" } as const;
  const service: SessionService = new SessionService({
    rules: new RuleBook(
      [
        { ...rule, name: "boss", from: "boss@*", priority: 7 },
        { ...rule, name: "all", from: "*" },
      ],
      "refuse",
    ),
    classes: new Map([["voice", { name: "voice", whenShed }]]),
    ledger: keeper,
    map: new PoolMap({
      communities: [
        { name: "hq", prefixes: ["10.1.0.0/16"], domains: ["a.example"], router: "r1" },
        { name: "branch", prefixes: ["10.3.0.0/24"], domains: ["b.example"], router: "r2" },
        { name: "shop", prefixes: ["10.4.0.0/24"], domains: ["c.example"], router: "r3" },
      ],
      links: [{ name: "hq-access", behind: ["hq"] }],
      pools: POOLS,
    }),
    authority: new LocalAuthority(() => store.nextNumber("transaction")),
    enforcement: router,
    store,
    linkOverhead: octets(14),
    clock,
    log: SILENT_LOGGER,
    settle: (record) => settled.push(record),
    onShed: ({ id }, treatment) => notices.push(`${id} ${treatment}`),
    directivesOf: () => ({ addHeaders: [], removeHeaders: [] }),
  });
  router.service = service;
  const grant = (): void => {
    for (let next = requests.shift(); next !== undefined; next = requests.shift()) keeper.confirmed(...next);
  };
  keeper.start();
  return { clock, router, settled, notices, requests, grant, ledger, keeper, store, service };
}

const traffic = { rate: kilobitsPerSecond(80), burst: octets(2000), packetsPerSecond: 50 };
const flow = (direction: "up" | "down", far: string, port: number): SessionFlow => {
  const [local, away] = [
    { address: "10.1.0.10", port },
    { address: far, port },
  ];
  const [source, destination] = direction === "up" ? [local, away] : [away, local];
  return { key: { protocol: "udp", source, destination }, component: "rtp", direction, traffic };
};
const call = (n: number, callee = "bob@b.example", caller = "alice@a.example"): SessionAttemptFacts => ({
  id: sessionIdOf(`call-${n}`, "tag"),
  callId: `call-${n}`,
  peer: "sip1.a.example",
  side: "originating",
  caller,
  callee,
  offer: undefined,
  media: ["audio"],
  flows: [
    { direction: "up", traffic },
    { direction: "down", traffic },
  ],
  token: undefined,
});
const answer = (n: number, far = "10.3.0.10") => ({
  flows: [flow("up", far, 6000 + 2 * n), flow("down", far, 6000 + 2 * n)],
  pending: [],
  final: true,
});
/** Lets everything that is under way come to its end. */
const quiet = () => new Promise((resolve) => setImmediate(resolve));

describe("sessions between communities", () => {
  it("take from the access link and the pool between them, and can be explained", async () => {
    const { service, grant, ledger, router } = world();
    grant();
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    expect(ledger.held(call(1).id)).toEqual([
      { pool: "hq-access", up: 85_600, down: 85_600 },
      { pool: "to-branch", up: 85_600, down: 85_600 },
    ]);
    expect(router.changes[0]?.install.map(({ pool }) => pool)).toEqual(["to-branch", "to-branch"]);
    expect(service.get(call(1).id)?.steps.map(({ detail }) => detail)).toEqual([
      "rule all: assured in pools hq-access, to-branch; transaction 1",
      "2 flows in pools hq-access, to-branch: hq-access 85.6 kbit/s up, 85.6 kbit/s down; to-branch 85.6 kbit/s up, 85.6 kbit/s down",
    ]);
  });

  it("are refused by the link that is full, though their pool could grow", async () => {
    const { service, grant } = world();
    grant();
    for (const n of [1, 2, 3]) {
      await service.authorise(call(n));
      const reserved = service.reserve(call(n).id, answer(n));
      await quiet();
      grant();
      expect(await reserved).toMatchObject({ admitted: true });
    }
    expect(await service.authorise(call(4))).toMatchObject({
      reason: "noRoom",
      pool: "hq-access",
      needed: 85_600,
      free: 43_200,
    });
    expect(service.get(call(4).id)?.refusal?.pool).toBe("hq-access");
  });

  it("are refused where nothing is set aside, and the text says between whom", async () => {
    const { service, grant } = world();
    grant();
    const refused = await service.authorise(call(1, "x@elsewhere.example"));
    expect(refused).toMatchObject({
      reason: "noRoom",
      text: "there is no pool for voice from hq to elsewhere.example",
    });
  });

  it("change pools when the answer's media is in another community", async () => {
    const { service, grant, ledger, router } = world();
    grant();
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    await service.reserve(call(1).id, answer(1, "10.4.0.10"));
    expect(ledger.held(call(1).id).map(({ pool }) => pool)).toEqual(["hq-access", "to-shop"]);
    expect(router.changes[1]).toMatchObject({
      remove: [{ pool: "to-branch" }, {}],
      install: [{ pool: "to-shop" }, {}],
    });
    expect(ledger.used("to-branch")).toEqual({ up: 0, down: 0 });
  });

  it("wait for a larger pool, and are refused when it does not come", async () => {
    const { service, grant, clock, requests, router } = world();
    grant();
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    expect((await service.authorise(call(2))).admitted).toBe(true);
    const waits = service.reserve(call(2).id, answer(2));
    await quiet();
    expect(requests).toEqual([["to-branch", 200_000]]);
    expect(router.changes).toHaveLength(1);
    grant();
    expect((await waits).admitted).toBe(true);
    await service.authorise(call(3));
    const vain = service.reserve(call(3).id, answer(3));
    await clock.pass(500);
    expect(await vain).toMatchObject({ admitted: false, reason: "noRoom", pool: "to-branch" });
    expect(service.get(call(3).id)?.steps.at(-1)).toMatchObject({
      what: "refused",
      detail: expect.stringContaining("the network did not give more in time"),
    });
  });

  it("hold both while they change, so that a failed change finds its room again", async () => {
    const { service, grant, ledger, router } = world();
    grant();
    await service.authorise(call(1));
    await service.reserve(call(1).id, answer(1));
    router.failNext = { admitted: false, reason: "routerFailed", text: "EBUSY" };
    router.meanwhile = () => undefined;
    expect(await service.reserve(call(1).id, answer(1, "10.4.0.10"))).toMatchObject({ reason: "routerFailed" });
    expect(ledger.held(call(1).id).map(({ pool }) => pool)).toEqual(["hq-access", "to-branch"]);
  });
});

describe("sessions whose bandwidth is taken back", () => {
  async function twoCalls(whenShed?: "bye") {
    const parts = world(whenShed);
    parts.grant();
    for (const [n, caller] of [
      [1, "boss@a.example"],
      [2, "alice@a.example"],
    ] as const) {
      await parts.service.authorise(call(n, "bob@b.example", caller));
      const reserved = parts.service.reserve(call(n).id, answer(n));
      await quiet();
      parts.grant();
      await reserved;
    }
    return parts;
  }

  it("go on as best effort, the least important first, and are settled with what they had carried", async () => {
    const { service, keeper, ledger, router, notices, settled } = await twoCalls();
    keeper.takenBack("to-branch", kilobitsPerSecond(100));
    await quiet();
    expect(notices).toEqual([`${call(2).id} bestEffort`]);
    expect(service.get(call(2).id)).toMatchObject({ state: "reserved", treatment: "bestEffort", flows: [], needs: [] });
    expect(service.get(call(2).id)?.steps.at(-1)).toMatchObject({
      what: "shed",
      detail: "pool to-branch was taken back: best effort from here",
    });
    expect(ledger.used("to-branch")).toEqual({ up: 85_600, down: 85_600 });
    expect(router.installed.size).toBe(2);
    expect((await service.reserve(call(2).id, answer(2))).admitted).toBe(true);
    expect(router.installed.size).toBe(2);
    await service.release(call(2).id, "bye");
    expect(settled[0]?.past.map(({ final }) => final?.inProfile.octets)).toEqual([100_000, 100_000]);
  });

  it("are to be ended where their class says so", async () => {
    const { clock, keeper, notices, service, settled } = await twoCalls("bye");
    keeper.takenBack("to-branch", kilobitsPerSecond(0));
    await quiet();
    expect(notices.sort()).toEqual([`${call(1).id} bye`, `${call(2).id} bye`].sort());
    const shedAt = clock.now();
    await clock.pass(4000);
    await service.release(call(2).id, "lost");
    // Whatever the end looks like afterwards, and however long it takes, that is why and when service ended.
    expect(settled[0]).toMatchObject({ cause: "preempted", ended: shedAt, shed: { treatment: "bye", at: shedAt } });
    expect(usageReport(settled[0]!)?.detail).toMatchObject({
      endTime: shedAt,
      terminationCauses: [{ type: "q850", code: 8 }],
      releaseSource: "internal",
    });
  });

  it("let go although the router is away, and are settled when it is back", async () => {
    const { service, keeper, ledger, router, settled } = await twoCalls();
    router.connected = false;
    keeper.takenBack("to-branch", kilobitsPerSecond(100));
    await quiet();
    expect(ledger.used("to-branch").up).toBe(85_600);
    await service.release(call(2).id, "bye");
    expect(settled).toHaveLength(0);
    router.resync();
    expect(settled[0]?.past[0]?.final?.inProfile.octets).toBe(100_000);
    expect(router.installed.size).toBe(2);
  });
});

describe("sessions between communities, over any sequence of calls, resizes and failures", () => {
  it("never live on more than is reserved once those that must have let go, and leave nothing behind", async () => {
    const kind = fc.constantFrom("call", "call", "call", "bye", "grant", "refuse", "takeBack", "pass", "routerFails");
    const event = fc.record({ kind, session: fc.nat(4), part: fc.double({ min: 0, max: 1, noNaN: true }) });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 30, size: "max" }), async (events) => {
        const { service, keeper, ledger, router, requests, grant, clock, store } = world();
        grant();
        const under: Promise<unknown>[] = [];
        for (const { kind: what, session: n, part } of events) {
          const far = n % 2 === 0 ? "10.3.0.10" : "10.4.0.10";
          if (what === "call") {
            under.push(service.authorise(call(n, n % 2 === 0 ? "bob@b.example" : "bob@c.example")));
            under.push(service.reserve(call(n).id, answer(n, far)));
          }
          if (what === "bye") under.push(service.release(call(n).id, "bye"));
          if (what === "grant") grant();
          if (what === "refuse")
            for (const [pool, rate] of requests.splice(0)) keeper.refused(pool, rate, reserved(pool));
          if (what === "takeBack")
            keeper.takenBack("to-branch", bitsPerSecond(Math.floor(reserved("to-branch") * part)));
          if (what === "pass") await clock.pass(part * 1000);
          if (what === "routerFails") router.failNext = { admitted: false, reason: "routerFailed", text: "EBUSY" };
          await quiet();
          // Those that have ended count until the router has said so, but nobody sends in them any more.
          const live = service.live().filter(({ state }) => state !== "releasing");
          for (const { name, rate } of ledger.view()) {
            const held = live.flatMap(({ id }) => ledger.held(id).filter(({ pool }) => pool === name));
            const most = Math.max(
              ...(["up", "down"] as const).map((way) => held.reduce((sum, need) => sum + need[way], 0)),
            );
            expect(most).toBeLessThanOrEqual(name === "hq-access" ? rate : reserved(name));
          }
        }
        function reserved(pool: string): BitsPerSecond {
          return keeper.view().find(({ name }) => name === pool)?.reserved ?? bitsPerSecond(0);
        }
        // Those that queue behind others begin to wait only when those are done.
        let open = under.length;
        for (const each of under) void each.finally(() => open--);
        for (let round = 0; round < under.length && open > 0; round++) {
          await clock.pass(501);
          await quiet();
        }
        expect(open).toBe(0);
        router.failNext = undefined;
        router.resync();
        for (let n = 0; n <= 4; n++) await service.release(call(n).id, "bye");
        store.close();
        expect(service.live()).toEqual([]);
        expect([...router.installed]).toEqual([]);
        expect(ledger.view().every(({ usedUp, usedDown, sessions }) => usedUp + usedDown + sessions === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
