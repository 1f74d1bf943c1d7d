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
import type { SessionId } from "../../../src/model/session.js";
import { bitsPerSecond, dscp, kilobitsPerSecond, millis, octets, timestamp } from "../../../src/model/units.js";
import { AdmissionLedger, type LedgerAnswer } from "../../../src/pdp/ledger.js";
import { PoolKeeper } from "../../../src/pdp/pools/pool-keeper.js";
import { InstantReservations } from "../../../src/pdp/pools/reservation-port.js";
import { RsvpReservations } from "../../../src/pdp/pools/rsvp-reservations.js";
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import type { Aggregates } from "../../../src/pep/router/aggregates.js";
import { RouterPep } from "../../../src/pep/router/router-pep.js";
import { UsageJournal } from "../../../src/pep/router/usage-journal.js";
import { FakeAggregates } from "../../support/fake-aggregates.js";

const common = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
const kbit = kilobitsPerSecond;
const id = (n: number) => n.toString(16).padStart(16, "0") as SessionId;

const POOLS = [
  { id: 1, name: "common", rate: kbit(100) },
  { id: 2, name: "hq-branch", rate: kbit(200), class: "voice" },
];
const KEPT = {
  name: "hq-branch",
  rate: kbit(200),
  overhead: bitsPerSecond(0),
  sizing: {
    floor: kbit(200),
    ceiling: kbit(1000),
    step: kbit(100),
    headRoom: bitsPerSecond(0),
    hold: millis(60_000),
    growTimeout: millis(1500),
    retry: millis(200),
  },
  schedule: [],
};

/** A policy server of reserved pools: keeper, reservations and its end of COPS-PR. */
class PolicyServer {
  readonly ledger = new AdmissionLedger([{ name: "hq-branch", rate: kbit(200) }]);
  readonly sheds: SessionId[] = [];
  readonly link: RouterLink;
  readonly keeper: PoolKeeper;
  readonly #reservations: RsvpReservations;
  readonly #server: PdpServer;
  inSync = 0;
  /** Runs when a complete policy is made and not sent yet. */
  between: () => void = () => undefined;

  constructor(port: number) {
    this.#reservations = new RsvpReservations({
      pools: [
        {
          name: "hq-branch",
          id: 2,
          remote: "10.3.0.1",
          dscp: dscp(46),
          direction: "both",
          patience: millis(100),
          packetSize: octets(200),
          linkOverhead: octets(14),
        },
      ],
      others: new InstantReservations(() => this.keeper),
      reserve: (aggregate) => this.link.reserve(aggregate),
      events: () => this.keeper,
      ...common,
    });
    this.link = new RouterLink({
      router: "r1",
      pools: POOLS,
      classes: [{ name: "voice", pool: "common", dscp: dscp(46), outOfProfile: { action: "drop" } }],
      timeout: millis(2000),
      log: SILENT_LOGGER,
      sessions: () => [],
      events: () => ({ flowsFinal: () => undefined, inSync: () => void this.inSync++ }),
      onAggregate: (report) => this.#reservations.report(report),
    });
    this.keeper = new PoolKeeper({
      ledger: this.ledger,
      pools: [KEPT],
      timeZone: "UTC",
      port: this.#reservations,
      rank: (session) => ({ priority: 0, since: timestamp(Number.parseInt(session, 16)) }),
      shed: (session) => {
        this.sheds.push(session);
        this.keeper.release(session);
      },
      onRoom: (pool, room) => void this.link.resize(pool, room),
      ...common,
    });
    this.#server = new PdpServer(
      { address: "127.0.0.1", port, limits: DEFAULT_COPS_LIMITS, clientTypes: [2], ...common },
      {
        open: () => ({ accept: true, keepAlive: 30 }),
        opened: () => undefined,
        request: (peer, req) => {
          const body = this.link.request(peer, req);
          this.between();
          return Promise.resolve(body);
        },
        answered: (peer) => this.link.answered(peer),
        report: (peer, rpt) => this.link.report(peer, rpt),
        deleted: () => undefined,
        synchronized: () => undefined,
        closed: (peer, reason) => this.link.closed(peer, reason),
      },
    );
  }

  async start(): Promise<number> {
    this.keeper.start();
    return this.#server.listen();
  }

  async close(): Promise<void> {
    this.keeper.close();
    this.#reservations.close();
    await this.#server.close();
  }

  reserve(n: number, kilobits: number): LedgerAnswer | Promise<LedgerAnswer> {
    return this.keeper.reserve(id(n), [{ pool: "hq-branch", up: kbit(kilobits), down: kbit(kilobits) }]);
  }

  get reserved(): number {
    return this.keeper.view()[0]?.reserved ?? -1;
  }
}

/** The edge router's end of COPS-PR, with a kernel in memory. */
class Router {
  readonly #directory = mkdtempSync(join(tmpdir(), "sluice-reservations-"));
  readonly #journal = new UsageJournal(join(this.#directory, "router.db"), SYSTEM_CLOCK);
  readonly #keeper: Reconciler;
  readonly pep: RouterPep;
  readonly #client: PepClient;

  constructor(kernel: FakeKernel, port: number, aggregates: Aggregates | undefined) {
    const local = { interfaces: [], signalling: [], signallingDscp: dscp(24) };
    this.#keeper = new Reconciler({ kernel, local, usage: this.#journal, ...common });
    this.pep = new RouterPep({
      identity: { name: "r1", maxMessage: 262_144 },
      kernel: this.#keeper,
      journal: this.#journal,
      maxInstances: 10_000,
      aggregates,
      ...common,
    });
    this.#client = new PepClient(
      {
        servers: [{ address: "127.0.0.1", port }],
        pepId: "r1",
        clientType: 2,
        limits: DEFAULT_COPS_LIMITS,
        requestTimeout: millis(2000),
        reconnect: { min: millis(10), max: millis(50) },
        ...common,
      },
      this.pep,
    );
  }

  start = (): Promise<void> => this.pep.start(this.#client);

  async close(): Promise<void> {
    await this.pep.close();
    await this.#keeper.close();
    this.#journal.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

describe("pools reserved through the edge router", () => {
  let kernel: FakeKernel;
  let network: FakeAggregates;
  let pdp: PolicyServer;
  let router: Router;
  let port: number;
  const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 5000, interval: 5 });
  /** The request for this rate (layer 3) has come to the router. */
  const wanted = (kilobits: number): Promise<void> =>
    eventually(() => expect(network.wanted.get(2)?.rate).toBe(kilobits * 1000));

  beforeEach(async () => {
    kernel = new FakeKernel();
    network = new FakeAggregates();
    pdp = new PolicyServer(0);
    port = await pdp.start();
    router = new Router(kernel, port, network);
    await router.start();
    await wanted(187);
    network.grant(2, 187_000);
    await eventually(() => expect(pdp.reserved).toBe(200_000));
  });

  afterEach(async () => {
    await router.close();
    await pdp.close();
  });

  it("are asked for in the complete policy, and their queue follows what was granted", async () => {
    expect(network.sets[0]).toEqual([
      {
        pool: 2,
        remote: "10.3.0.1",
        dscp: 46,
        rate: 187_000,
        burst: 2338,
        packetSize: 200,
        ceiling: 187_000,
        request: 1,
      },
    ]);
    await eventually(() => expect(router.pep.desired.pools.get(2)?.rate).toBe(200_000));
  });

  it("grow while a session waits", async () => {
    const answer = pdp.reserve(1, 450);
    await wanted(468);
    expect(pdp.reserved).toBe(200_000);
    network.grant(2, 468_000);
    expect(await answer).toEqual({ admitted: true });
    expect(pdp.reserved).toBe(500_000);
    await eventually(() => expect(router.pep.desired.pools.get(2)?.rate).toBe(500_000));
  });

  it("are as large as the smaller direction, when the other edge has had its time", async () => {
    const answer = pdp.reserve(1, 450);
    await wanted(468);
    network.grant(2, 468_000, 300_000);
    expect(await answer).toMatchObject({ admitted: false, reason: "noRoom" });
    expect(pdp.reserved).toBe(321_000);
    expect(pdp.reserve(2, 300)).toEqual({ admitted: true });
    network.grant(2, 468_000, 468_000);
    await eventually(() => expect(pdp.reserved).toBe(500_000));
  });

  it("keep what they had when the network refuses more", async () => {
    expect(pdp.reserve(1, 180)).toEqual({ admitted: true });
    const answer = pdp.reserve(2, 450);
    await eventually(() => expect(network.wanted.get(2)?.rate).toBeGreaterThan(187_000));
    network.refuse(2);
    expect(await answer).toMatchObject({ admitted: false, reason: "noRoom" });
    expect(pdp.reserved).toBe(200_000);
    expect(pdp.sheds).toEqual([]);
  });

  it("shed sessions when the network takes back", async () => {
    expect(pdp.reserve(1, 90)).toEqual({ admitted: true });
    expect(pdp.reserve(2, 90)).toEqual({ admitted: true });
    network.grant(2, 100_000);
    await eventually(() => expect(pdp.sheds).toHaveLength(1));
    expect(pdp.reserved).toBe(107_000);
    network.grant(2, 0, 187_000);
    await eventually(() => expect(pdp.sheds).toHaveLength(2));
    expect(pdp.ledger.used("hq-branch")).toEqual({ up: 0, down: 0 });
  });

  it("stay over a restart of the router, which is told the rate of the time and asks the network anew", async () => {
    expect(pdp.reserve(1, 180)).toEqual({ admitted: true });
    await router.close();
    await eventually(() => expect(pdp.link.connected).toBe(false));
    const grown = pdp.reserve(2, 250);
    network = new FakeAggregates();
    router = new Router(kernel.reopen(), port, network);
    await router.start();
    await wanted(468);
    expect(pdp.reserved).toBe(200_000);
    network.grant(2, 468_000, 0);
    network.grant(2, 468_000);
    expect(await grown).toEqual({ admitted: true });
    expect(pdp.sheds).toEqual([]);
  });

  it("asked for while a complete policy is on its way are told after it", async () => {
    let answer: LedgerAnswer | Promise<LedgerAnswer> | undefined;
    pdp.between = () => {
      answer = pdp.reserve(1, 450);
      void pdp.link.resize("common", kbit(300));
    };
    pdp.link.peer?.close({ code: 11, subCode: 0 }, "test");
    await wanted(468);
    await eventually(() => expect(router.pep.desired.pools.get(1)?.rate).toBe(300_000));
    expect(network.sets.slice(-2).map((all) => all[0]?.rate)).toEqual([187_000, 468_000]);
    network.grant(2, 468_000);
    expect(await answer).toEqual({ admitted: true });
  });

  it("that the network takes back while nobody listens are taken back at the reconnection", async () => {
    expect(pdp.reserve(1, 90)).toEqual({ admitted: true });
    expect(pdp.reserve(2, 90)).toEqual({ admitted: true });
    pdp.link.peer?.close({ code: 11, subCode: 0 }, "test");
    network.grant(2, 100_000);
    await eventually(() => expect(pdp.inSync).toBe(2));
    await eventually(() => expect(pdp.sheds).toHaveLength(1));
    expect(pdp.reserved).toBe(107_000);
  });

  it("stay over a restart of the policy server: what its sessions hold is there when the router has said so", async () => {
    await pdp.close();
    expect(network.wanted.get(2)?.rate).toBe(187_000);
    pdp = new PolicyServer(port);
    pdp.keeper.restore(id(1), [{ pool: "hq-branch", up: kbit(180), down: kbit(180) }]);
    await pdp.start();
    expect(pdp.reserved).toBe(0);
    await eventually(() => expect(pdp.reserved).toBe(200_000));
    expect(pdp.sheds).toEqual([]);
    expect(network.sets.flat().every(({ rate }) => rate === 187_000)).toBe(true);
  });

  it("are nothing with a router that reserves nothing: it takes the rest of its policy", async () => {
    await router.close();
    await pdp.close();
    pdp = new PolicyServer(port);
    await pdp.start();
    router = new Router(kernel.reopen(), port, undefined);
    await router.start();
    await eventually(() => expect(pdp.inSync).toBe(1));
    expect(await pdp.reserve(1, 50)).toMatchObject({ admitted: false, reason: "noRoom" });
    expect([...router.pep.desired.pools.keys()]).toEqual([1, 2]);
  });
});
