import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { settledView } from "../../src/clearinghouse/record-view.js";
import { settle } from "../../src/clearinghouse/settlement.js";
import { CLEARINGHOUSE_MIGRATIONS } from "../../src/clearinghouse/sqlite-schema.js";
import { openClearinghouseStore } from "../../src/clearinghouse/sqlite-store.js";
import type { UsageRecord } from "../../src/clearinghouse/store.js";
import { formatAmount, parseAmount } from "../../src/model/amount.js";
import { bitsPerSecond, octets } from "../../src/model/units.js";
import type { FlowCounters } from "../../src/model/usage.js";
import type { AuthorisationResponse, UsageIndication } from "../../src/osp/codec/messages.js";
import type { Tariff } from "../../src/osp/tariff.js";
import { loadSigner, type TokenSigner } from "../../src/osp/token/signer.js";
import { openDatabase } from "../../src/store/database.js";
import { type KeyFiles, makeKey, NOW, SESSION } from "../osp/support.js";
import { authorise, RULES, type Running, report, start, statuses } from "./support.js";

const TARIFF: Tariff = {
  currency: "EUR",
  setup: 50_000n,
  perMinute: 10_000n,
  perMegabyte: 20_000n,
  perMegabyteOutOfProfile: 0n,
  perMbitMinute: 500_000n,
  shares: { originating: 450_000, terminating: 450_000, clearinghouse: 100_000 },
};
const counters = (inProfile: number, outOfProfile = 0): FlowCounters => ({
  inProfile: { packets: 1, octets: octets(inProfile) },
  outOfProfile: { packets: 1, octets: octets(outOfProfile) },
});
const usage = (role: "source" | "destination", change: Partial<UsageRecord> = {}): UsageRecord => ({
  role,
  transactionId: "1" as UsageRecord["transactionId"],
  callId: "c",
  session: SESSION,
  peer: "pol1",
  source: "alice@a.example",
  destination: "bob@b.example",
  start: NOW,
  end: NOW,
  seconds: 60,
  traffic: { up: counters(1_000_000), down: counters(1_000_000) },
  terminationCause: undefined,
  releaseSource: undefined,
  rate: bitsPerSecond(80_000),
  receivedAt: NOW,
  ...change,
});

describe("settling", () => {
  it("takes the smaller of what both sides say, in each direction", () => {
    const source = usage("source", { traffic: { up: counters(3_000_000, 500), down: counters(900_000, 70) } });
    const destination = usage("destination", {
      seconds: 58.5,
      rate: bitsPerSecond(64_000),
      traffic: { up: counters(1_000_000, 40), down: counters(2_500_000, 900) },
    });
    const settlement = settle(TARIFF, [source, destination]);
    expect(settlement).toMatchObject({
      basis: "both",
      usage: { milliseconds: 58_500, rate: 64_000, octetsInProfile: 3_400_000, octetsOutOfProfile: 540 },
      octetsForward: 2_500_500,
      octetsBackward: 900_040,
    });
    // 0.05 + 0.975 * 0.01 + 3.4 * 0.02 + 0.975 * 0.064 * 0.5
    expect(formatAmount(settlement!.price.amount)).toBe("0.15895");
  });

  it("takes one side's word where there is no other, and says so", () => {
    expect(settle(TARIFF, [usage("destination")])).toMatchObject({ basis: "destination", usage: { rate: 80_000 } });
    expect(settle(TARIFF, [])).toBeUndefined();
  });

  it("is not contradicted by a side that counts nothing, as others' servers", () => {
    const plain = usage("destination", { traffic: undefined, rate: undefined });
    expect(settle(TARIFF, [usage("source"), plain])?.usage).toEqual({
      milliseconds: 60_000,
      rate: 80_000,
      octetsInProfile: 2_000_000,
      octetsOutOfProfile: 0,
    });
  });
});

describe("a clearinghouse with prices", () => {
  let files: KeyFiles;
  let signer: TokenSigner;
  let running: Running;
  const rules = {
    ...RULES,
    prices: [
      { class: "game", from: "a.example", to: "*", tariff: { ...TARIFF, currency: "USD" } },
      { class: "voice", from: "*", to: "b.example", tariff: TARIFF },
    ],
  };
  beforeAll(async () => {
    files = await makeKey();
    signer = loadSigner(files);
  });
  afterAll(() => files.remove());
  beforeEach(async () => {
    running = await start(signer, { rules });
  });
  afterEach(() => running.stop());

  const voice = { extensions: { session: SESSION, serviceClass: "voice" } };
  const about = (response: AuthorisationResponse, change: Partial<UsageIndication> = {}): UsageIndication => {
    const detail = { seconds: 60, startTime: NOW, endTime: NOW, traffic: { up: counters(1e6), down: counters(1e6) } };
    const extensions = {
      session: SESSION,
      serviceClass: "voice",
      bandwidth: bitsPerSecond(80_000),
      result: "reduced",
    } as const;
    return report({ transactionId: response.transactionId!, detail, extensions, ...change });
  };
  const destination = { role: "destination", deviceId: "pol2" } as const;

  it("tells the tariff to both sides, by class and domains, and none where nothing fits", async () => {
    const response = await authorise(running.port, voice);
    expect(response.tariff).toEqual(TARIFF);
    const token = response.destinations[0]!.token;
    expect((await authorise(running.port, { ...voice, deviceId: "pol2", token })).tariff).toEqual(TARIFF);
    const game = { extensions: { session: SESSION, serviceClass: "game" } };
    expect((await authorise(running.port, game)).tariff?.currency).toBe("USD");
    expect((await authorise(running.port)).tariff).toBeUndefined();
  });

  it("prices a session once, when both have reported, whoever is first and however often", async () => {
    const response = await authorise(running.port, voice);
    const source = about(response);
    const other = about(response, { ...destination, detail: { ...source.detail, seconds: 59 } });
    expect(await statuses(running.port, other)).toEqual([200]);
    expect(running.server.settled()).toEqual([]);
    expect(await statuses(running.port, source)).toEqual([200]);
    for (const again of [source, other]) {
      expect(await statuses(running.port, { ...again, componentId: "9" })).toEqual([200]);
    }
    const settled = running.server.settled();
    expect(settled).toMatchObject([
      {
        transactionId: response.transactionId,
        session: SESSION,
        basis: "both",
        source: "alice@a.example",
        destination: "bob@b.example",
        originatingPeer: "pol1",
        terminatingPeer: "pol2",
        serviceClass: "voice",
        result: "reduced",
        usage: { milliseconds: 59_000, rate: 80_000, octetsInProfile: 2_000_000 },
      },
    ]);
    const { amount, originating, terminating, clearinghouse } = settled[0]!.price;
    expect(originating + terminating + clearinghouse).toBe(amount);
    expect(running.server.settled({ session: SESSION })).toHaveLength(1);
    const view = settledView(settled[0]!);
    expect(view).toMatchObject({
      user: "alice@a.example",
      peer: "bob@b.example",
      seconds: 59,
      octetsIn: 1_000_000,
      octetsOut: 1_000_000,
      price: { amount: formatAmount(amount), currency: "EUR" },
      shares: [{ provider: "a.example" }, { provider: "b.example" }, { provider: "clearinghouse" }],
      basis: "both",
    });
    expect(view.shares!.reduce((sum, share) => sum + parseAmount(share.amount)!, 0n)).toBe(amount);
    expect(running.server.usage()).toMatchObject([{ result: "reduced", rate: 80_000, serviceClass: "voice" }, {}]);
  });

  it("prices what one side alone reported after a while, and lets that stand", async () => {
    const response = await authorise(running.port, voice);
    await statuses(running.port, about(response));
    await running.clock.pass(3_500_000);
    expect(running.server.settled()).toEqual([]);
    await running.clock.pass(200_000);
    const [settled] = running.server.settled();
    expect(settled).toMatchObject({ basis: "source", usage: { milliseconds: 60_000 } });
    await statuses(running.port, about(response, { ...destination, detail: { seconds: 1 } }));
    expect(running.server.settled()).toEqual([settled]);
    expect(running.server.usage()).toHaveLength(2);
  });

  it("keeps nothing of sessions that cost nothing", async () => {
    const response = await authorise(running.port);
    expect(await statuses(running.port, about(response))).toEqual([200]);
    expect(await statuses(running.port, about(response, destination))).toEqual([200]);
    await running.clock.pass(8_000_000);
    expect(running.server.settled()).toEqual([]);
  });
});

describe("a database of before there were prices", () => {
  it("is brought up to date, with its reports", async () => {
    const directory = await mkdtemp(join(tmpdir(), "sluice-ch-old-"));
    const path = join(directory, "ch.db");
    openDatabase(path, CLEARINGHOUSE_MIGRATIONS.slice(0, 1)).close();
    const old = new Sqlite(path);
    old.exec(`INSERT INTO usage (peer, transaction_id, call_id, role, destination_address, setup_attempt, state, source,
      destination, seconds, received_at) VALUES ('pol1', '7', 'c', 'source', '', 0, '', 'a', 'b', 3, 1)`);
    old.close();
    const store = openClearinghouseStore(path);
    expect(store.usage()).toMatchObject([{ transactionId: "7", seconds: 3, rate: undefined, result: undefined }]);
    expect(store.settleOverdue(NOW, NOW)).toBe(0);
    store.close();
    await rm(directory, { recursive: true });
  });
});
