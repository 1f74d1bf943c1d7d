import { describe, expect, it } from "vitest";
import { formatAmount } from "../../src/model/amount.js";
import type { FlowDirection } from "../../src/model/flow.js";
import type { GrantResult, MediaGrant } from "../../src/model/quality.js";
import { kilobitsPerSecond, octets, type Timestamp, timestamp } from "../../src/model/units.js";
import { storedTariff, type Tariff } from "../../src/osp/tariff.js";
import type { InstalledFlow } from "../../src/pdp/session-record.js";
import { grantedRate, resultOf, serviceClassOf, usageReport } from "../../src/pdp/usage.js";
import { recordView } from "../../src/pdp/usage-record-view.js";
import {
  type PricedSession,
  priceOfRecord,
  USAGE_RECORD_MIGRATION,
  UsageRecords,
  userRecord,
} from "../../src/pdp/usage-records.js";
import { openDatabase } from "../../src/store/database.js";
import { sessionRecord } from "./session-record.js";

const TARIFF: Tariff = {
  currency: "EUR",
  setup: 50_000n,
  perMinute: 10_000n,
  perMegabyte: 20_000n,
  perMegabyteOutOfProfile: 1_000_000n,
  perMbitMinute: 500_000n,
  shares: { originating: 450_000, terminating: 450_000, clearinghouse: 100_000 },
};

const flow = (instance: number, direction: FlowDirection, rate: number, carried = 0, excess = 0): InstalledFlow => ({
  instance,
  flow: {
    key: {
      protocol: "udp",
      source: { address: "10.1.0.10", port: 6000 },
      destination: { address: "10.3.0.10", port: 6000 + (instance % 10) },
    },
    component: "rtp",
    direction,
    traffic: { rate: kilobitsPerSecond(rate), burst: octets(1000), packetsPerSecond: 50 },
  },
  final: {
    inProfile: { packets: 1, octets: octets(carried) },
    outOfProfile: { packets: 1, octets: octets(excess) },
  },
});
const session = (n: number, change: Partial<PricedSession> = {}): PricedSession => ({
  ...sessionRecord(n, {
    state: "closed",
    flows: [flow(1, "up", 80, 600_000, 1000), flow(2, "down", 64, 400_000)],
    answered: timestamp(1000),
    ended: timestamp(61_000 + n),
    cause: "bye",
  }),
  ...change,
});
const grants = (...results: GrantResult[]): readonly MediaGrant[] =>
  results.map((result, index) => ({
    index,
    phb: "EF",
    result,
    toCaller: kilobitsPerSecond(1),
    toCallee: kilobitsPerSecond(1),
  }));

describe("what is settled of a session", () => {
  it("tells class, granted rate and result as extensions of the report", () => {
    expect(usageReport(session(1, { grants: grants("granted", "reduced") }))?.extensions).toEqual({
      session: session(1).id,
      serviceClass: "voice",
      bandwidth: 80_000,
      result: "reduced",
    });
  });

  it("ended with the status that its refusal was said by", () => {
    const causes = (refusal: PricedSession["refusal"]) =>
      usageReport(session(1, { cause: "refused", refusal }))?.detail.terminationCauses;
    const text = "pool voice is full";
    expect(causes({ admitted: false, reason: "rateUnavailable", text })).toMatchObject([{ type: "sip", code: 580 }]);
    expect(causes({ admitted: false, reason: "noRoom", text })).toMatchObject([{ type: "sip", code: 503 }]);
  });

  it("has the rate of the flows that it held last, each once, also when they were taken away", () => {
    expect(grantedRate(session(1))).toBe(80_000);
    // The same medium at another rate before: instance 11 has the key of 1.
    expect(grantedRate({ flows: [], past: [flow(1, "up", 80), flow(11, "up", 40), flow(3, "up", 5)] })).toBe(45_000);
    expect(grantedRate({ flows: [], past: [] })).toBe(0);
  });

  it("has the worst result of its media, and the class of its flows where that is one", () => {
    const result = (change: Partial<PricedSession>) => resultOf(session(1, change));
    expect(result({})).toBe("granted");
    expect(result({ grants: grants("granted", "granted") })).toBe("granted");
    expect(result({ grants: grants("bestEffort") })).toBe("bestEffort");
    expect(result({ grants: grants("granted", "bestEffort") })).toBe("reduced");
    expect(result({ treatment: "bestEffort" })).toBe("bestEffort");
    expect(result({ treatment: "bestEffort", shed: { treatment: "bye", at: timestamp(5), cause: "idle" } })).toBe(
      "granted",
    );
    const game = { ...flow(1, "up", 80), class: "game" };
    expect(serviceClassOf(session(1, { flows: [game] }))).toBe("game");
    expect(serviceClassOf(session(1, { flows: [game, flow(2, "down", 1)] }))).toBe("voice");
  });
});

describe("billing records", () => {
  it("are of the local user, with directions as that one sees them, and a price by the tariff that was told", () => {
    const record = userRecord(session(1, { tariff: storedTariff(TARIFF) }))!;
    expect(record).toMatchObject({
      user: "alice@a.example",
      peer: "bob@b.example",
      class: "voice",
      result: "granted",
      rate: 80_000,
      seconds: 60.001,
      octetsOut: 601_000,
      octetsIn: 400_000,
      outOfProfile: 1000,
      providers: { originating: "a.example", terminating: "b.example" },
    });
    const price = priceOfRecord(record)!;
    // 0.05 + 0.010000167 + 1.0 * 0.02 + 0.001 * 1 + 0.08 * 0.5 * 1.0000167
    expect(formatAmount(price.amount)).toBe("0.121001");
    expect(price.originating + price.terminating + price.clearinghouse).toBe(price.amount);
    expect(priceOfRecord(userRecord(session(1))!)).toBeUndefined();
    const view = recordView(record);
    expect(view).toMatchObject({
      price: { amount: "0.121001", currency: "EUR" },
      basis: "own",
      user: "alice@a.example",
    });
    expect(view.shares?.map(({ provider, amount }) => `${provider} ${amount}`)).toEqual([
      "a.example 0.05445",
      "b.example 0.05445",
      "clearinghouse 0.012101",
    ]);
    // What goes into JSON must be able to.
    expect(JSON.parse(JSON.stringify(view))).toEqual(view);
    expect(recordView(userRecord(session(1))!)).not.toHaveProperty("price");
    const callee = userRecord(session(1, { side: "terminating" }))!;
    expect([callee.user, callee.peer]).toEqual(["bob@b.example", "alice@a.example"]);
  });

  it("are none for a session that was never answered", () => {
    expect(userRecord(session(1, { answered: undefined }))).toBeUndefined();
  });

  it("are kept once, and found by user, newest first, page by page", () => {
    const database = openDatabase(":memory:", [USAGE_RECORD_MIGRATION]);
    const records = new UsageRecords(database);
    for (let n = 1; n <= 25; n += 1) {
      records.settle(session(n, n % 5 === 0 ? { caller: "Carol@a.example" } : {}));
      records.settle(session(n));
    }
    records.settle(session(99, { answered: undefined }));
    const alice = records.list({ user: "ALICE@a.example", limit: 15 });
    expect(alice).toHaveLength(15);
    const next = records.list({ user: "alice@a.example", before: alice.at(-1)!.at });
    expect(next).toHaveLength(5);
    const ends = [...alice, ...next].map(({ at }) => at as number);
    expect(ends).toEqual(ends.toSorted((one, other) => other - one));
    expect(records.list({ user: "carol@a.example" })).toHaveLength(5);
    expect(records.list({ user: "nobody@a.example" })).toEqual([]);
    expect(records.list({ limit: 1_000_000 })).toHaveLength(25);
    expect(records.list({ limit: -3 })).toHaveLength(1);
    const [newest] = records.list({ limit: 1 });
    const { at: before, session: last } = newest!;
    // Of those that ended at the same time, what follows it.
    expect(records.list({ before, session: last, limit: 1 })[0]?.at).toBeLessThan(before);
    expect(records.list({ before, session: "z", limit: 1 })).toEqual([newest]);
    records.prune(61_020);
    expect(records.list().map(({ at }) => at)).toEqual([25, 24, 23, 22, 21, 20].map((n) => (61_000 + n) as Timestamp));
    database.close();
  });
});
