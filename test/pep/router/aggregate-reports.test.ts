import { beforeEach, describe, expect, it } from "vitest";
import type { Binding } from "../../../src/cops/pr/bindings.js";
import { splitPrid, ZERO_OID } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { decodeRow, pridOf, type RowOf } from "../../../src/cops/pr/prc.js";
import { bitsPerSecond, dscp, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { AggregateReports } from "../../../src/pep/router/aggregate-reports.js";
import type { ProvisionedAggregate } from "../../../src/pep/router/aggregate-view.js";
import { FakeAggregates } from "../../support/fake-aggregates.js";

type StateRow = RowOf<typeof pib.sluiceAggregateState>;

const aggregate = (pool: number, kilobits: number, request = 1, remote = "10.3.0.1"): ProvisionedAggregate => ({
  instance: pool,
  row: {
    pool: pridOf(pib.sluicePool, pool),
    addrType: "ipv4",
    remoteAddr: Buffer.alloc(4),
    dscp: 46,
    rate: kilobits,
    burstSize: 1000,
    packetSize: 200,
    request,
    ceiling: 0,
    tunnel: ZERO_OID,
  },
  wanted: {
    pool,
    remote,
    dscp: dscp(46),
    rate: kilobitsPerSecond(kilobits),
    burst: octets(1000),
    packetSize: octets(200),
    request,
  },
});

let network: FakeAggregates;
let sent: [pool: number, row: StateRow][];
let reports: AggregateReports;

const read = ({ prid, values }: Binding): [number, StateRow] => {
  const place = splitPrid(prid);
  const decoded = decodeRow(pib.sluiceAggregateState, place!.instance, values);
  if (!decoded.ok) throw new Error("unreadable");
  return [place!.instance, decoded.row];
};
const ask = (...all: readonly ProvisionedAggregate[]): void => {
  reports.set(all);
  reports.tell();
};
/** What was sent since the last look: pool, state, outgoing, incoming. */
const news = () =>
  sent.splice(0).map(([pool, { state, outgoing, incoming }]) => [pool, state, outgoing, incoming] as const);

beforeEach(() => {
  network = new FakeAggregates();
  sent = [];
  reports = new AggregateReports(network, (rows) => sent.push(...rows.map(read)));
});

describe("reports of aggregates", () => {
  it("know nothing before the network has said something, and then what it granted", () => {
    ask(aggregate(1, 500), aggregate(2, 300));
    expect(news()).toEqual([
      [1, "pending", null, null],
      [2, "pending", null, null],
    ]);
    network.grant(1, 500_000, 0);
    expect(news()).toEqual([[1, "confirmed", 500, null]]);
    network.grant(1, 500_000, 420_900);
    expect(news()).toEqual([[1, "confirmed", 500, 420]]);
  });

  it("name the rate and the request that they answer", () => {
    ask(aggregate(1, 500, 7));
    network.refuse(1);
    expect(sent.at(-1)).toEqual([
      1,
      {
        pool: pridOf(pib.sluicePool, 1),
        state: "refused",
        outgoing: 0,
        incoming: null,
        answers: 500,
        request: 7,
        reason: "admission control: no room",
      },
    ]);
  });

  it("tell a refusal that keeps what was from a loss", () => {
    ask(aggregate(1, 300));
    network.grant(1, 300_000);
    ask(aggregate(1, 500, 2));
    network.refuse(1);
    network.grant(1, 500_000);
    network.grant(1, 200_000, 0);
    network.grant(1, 500_000);
    expect(news()).toEqual([
      [1, "pending", null, null],
      [1, "confirmed", 300, 300],
      [1, "pending", 300, 300],
      [1, "refused", 300, 300],
      [1, "confirmed", 500, 500],
      [1, "lost", 200, 0],
      [1, "confirmed", 500, 500],
    ]);
  });

  it("do not take the failure of an earlier request for an answer to this one", () => {
    ask(aggregate(1, 500));
    network.refuse(1);
    ask(aggregate(1, 400, 2));
    expect(sent.at(-1)?.[1]).toMatchObject({ state: "pending", request: 2, reason: "" });
    network.refuse(1);
    expect(sent.at(-1)?.[1]).toMatchObject({ state: "refused", request: 2 });
  });

  it("answer the same wish again with what is known, and a repeated question when the network has", () => {
    ask(aggregate(1, 500));
    network.refuse(1);
    ask(aggregate(1, 500), aggregate(2, 100));
    expect(sent.at(-2)?.[1]).toMatchObject({ state: "refused", request: 1 });
    ask(aggregate(1, 500, 2));
    expect(sent.at(-1)?.[1]).toMatchObject({ state: "pending", request: 2 });
    network.refuse(1);
    expect(sent.at(-1)?.[1]).toMatchObject({ state: "refused", request: 2 });
    network.grant(1, 500_000);
    ask(aggregate(1, 500, 3));
    expect(sent.at(-1)?.[1]).toMatchObject({ state: "confirmed", request: 3 });
  });

  it("wait with what the network says at once until the decision is reported", () => {
    network.room = kilobitsPerSecond(400);
    reports.set([aggregate(1, 400), aggregate(2, 500)]);
    expect(news()).toEqual([]);
    reports.tell();
    expect(news()).toEqual([
      [1, "confirmed", 400, 400],
      [2, "refused", 0, null],
    ]);
  });

  it("are silent on what is not wanted any more, and begin anew towards another edge", () => {
    network.room = kilobitsPerSecond(1000);
    ask(aggregate(1, 400));
    network.room = undefined;
    ask();
    news();
    network.grant(1, 100_000);
    expect(news()).toEqual([]);
    ask(aggregate(2, 400));
    network.grant(2, 400_000);
    ask(aggregate(2, 400, 2, "10.4.0.1"));
    expect(news().at(0)).toEqual([2, "pending", null, null]);
    expect(network.wanted.get(2)?.remote).toBe("10.4.0.1");
  });

  it("take more than was wanted for the whole", () => {
    network.room = kilobitsPerSecond(1000);
    ask(aggregate(1, 400));
    network.grant(1, 600_000);
    expect(news()).toEqual([
      [1, "confirmed", 400, 400],
      [1, "confirmed", 600, 600],
    ]);
  });

  it("begin anew for a tunnel, and only for another one", () => {
    const tunnelled = (request: number) => {
      const marked = aggregate(1, 400, request);
      const tunnel = { protocol: 17, local: "10.1.0.1", sourcePort: 49_157, destinationPort: 4789 };
      return { ...marked, wanted: { ...marked.wanted, tunnel } };
    };
    ask(aggregate(1, 400));
    network.refuse(1);
    ask(tunnelled(2));
    network.refuse(1);
    ask(tunnelled(2), aggregate(2, 100));
    expect(news().map(([, state]) => state)).toEqual([
      "pending",
      "refused",
      "pending",
      "refused",
      "refused",
      "pending",
    ]);
  });

  it("take a rate that went through single precision for the whole, and round others down", () => {
    ask(aggregate(1, 4_000_001));
    const whole = Math.fround(4_000_001_000 / 8) * 8;
    expect(whole).not.toBe(4_000_001_000);
    network.grant(1, whole, 999);
    network.grant(1, 4_000_000_000, bitsPerSecond(1999));
    expect(news().slice(1)).toEqual([
      [1, "confirmed", 4_000_001, 0],
      [1, "lost", 4_000_000, 1],
    ]);
  });

  it("carry what the network said without what would spoil a screen", () => {
    ask(aggregate(1, 500));
    network.refuse(1, `\x1b[2J${"ä".repeat(300)}`);
    expect(sent.at(-1)?.[1].reason).toMatch(/^ \[2J {251}$/);
  });
});
