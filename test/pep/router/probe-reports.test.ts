import { beforeEach, describe, expect, it } from "vitest";
import { splitPrid } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { decodeRow, pridOf } from "../../../src/cops/pr/prc.js";
import { dscp, millis } from "../../../src/model/units.js";
import { ProbeReports } from "../../../src/pep/router/probe-reports.js";
import type { ProvisionedProbe } from "../../../src/pep/router/probe-view.js";
import type { ProbeFinding } from "../../../src/pep/router/probes.js";
import { FakeClock } from "../../support/fake-clock.js";
import { FakeProbes } from "../../support/fake-probes.js";

const provisioned = (pool: number, instance = pool): ProvisionedProbe => ({
  instance,
  row: {
    pool: pridOf(pib.sluicePool, pool),
    addrType: "ipv4",
    remoteAddr: Buffer.alloc(4),
    remotePort: 862,
    dscp: 46,
    interval: 100,
  },
  wanted: { pool, remote: "10.3.0.1", port: 862, dscp: dscp(46), interval: millis(100) },
});
const finding = (pool: number, change: Partial<ProbeFinding> = {}): ProbeFinding => ({
  pool,
  sent: 50,
  out: { lost: 2, latency: 12_345.6, jitter: 100 },
  in: { lost: 1, latency: 20_000, jitter: 200.4 },
  clocks: "synchronised",
  ...change,
});

let clock: FakeClock;
let probes: FakeProbes;
let sent: [at: number, instance: number, row: object][];
let reports: ProbeReports;

beforeEach(() => {
  clock = new FakeClock(0);
  probes = new FakeProbes();
  sent = [];
  reports = new ProbeReports({
    probes,
    times: { first: millis(1200), interval: millis(5000) },
    clock,
    send: (rows) => {
      for (const { prid, values } of rows) {
        const { instance } = splitPrid(prid)!;
        const decoded = decodeRow(pib.sluicePathQuality, instance, values);
        if (!decoded.ok) throw new Error("unreadable");
        sent.push([clock.time, instance, decoded.row]);
      }
    },
  });
});

describe("reports of measurements", () => {
  it("wait for the first packets of which it is known what became of them", () => {
    reports.set([provisioned(2)]);
    probes.findings.push(finding(2, { sent: 0, out: { lost: 0, latency: 10 }, in: { lost: 0, latency: 10 } }));
    clock.advance(1200);
    expect(sent).toEqual([]);
    probes.findings.push(finding(2));
    clock.advance(1200);
    expect(sent.map(([at]) => at)).toEqual([2400]);
    expect(clock.armed).toEqual([5000]);
  });

  it("come soon after the policy server has asked, and not later each time that it asks", () => {
    reports.set([provisioned(2)]);
    probes.findings.push(finding(2));
    clock.advance(1200);
    expect(clock.armed).toEqual([5000]);
    reports.set([provisioned(2)]);
    expect(clock.armed).toEqual([1200]);
    clock.advance(1000);
    reports.set([provisioned(2)]);
    expect(clock.armed).toEqual([200]);
  });

  it("come soon after one begins, and then at their interval", () => {
    reports.set([provisioned(2)]);
    for (let count = 0; count < 3; count++) {
      probes.findings.push(finding(2));
      clock.advance(5000);
    }
    expect(sent.map(([at]) => at)).toEqual([1200, 6200, 11_200]);
  });

  it("say what was found, in whole microseconds, and nothing of times that there were none of", () => {
    reports.set([provisioned(2, 20), provisioned(3)]);
    probes.findings.push(finding(2), finding(3, { out: { lost: 50 }, in: { lost: 0 }, clocks: "unknown" }));
    clock.advance(1200);
    expect(sent.map(([, instance, row]) => [instance, row])).toEqual([
      [
        20,
        {
          pool: pridOf(pib.sluicePool, 2),
          sent: 50,
          lostOut: 2,
          lostIn: 1,
          latencyOut: 12_346,
          latencyIn: 20_000,
          jitterOut: 100,
          jitterIn: 200,
          clocks: "synchronised",
        },
      ],
      [
        3,
        {
          pool: pridOf(pib.sluicePool, 3),
          sent: 50,
          lostOut: 50,
          lostIn: 0,
          latencyOut: null,
          latencyIn: null,
          jitterOut: null,
          jitterIn: null,
          clocks: "unknown",
        },
      ],
    ]);
  });

  it("fit their row whatever the other edge makes of its times", () => {
    reports.set([provisioned(2)]);
    probes.findings.push(finding(2, { out: { lost: 0, latency: 1e18, jitter: -3 } }));
    clock.advance(1200);
    expect(sent[0]?.[2]).toMatchObject({ latencyOut: 0xffffffff, jitterOut: 0 });
  });

  it("are of what is wanted now, and end with the last measurement", () => {
    reports.set([provisioned(2)]);
    clock.advance(1200);
    reports.set([provisioned(2), provisioned(3)]);
    expect(probes.sets.map((wanted) => wanted.map(({ pool }) => pool))).toEqual([[2], [2, 3]]);
    probes.findings.push(finding(2), finding(3), finding(9));
    clock.advance(1200);
    expect(sent.map(([at, instance]) => [at, instance])).toEqual([
      [2400, 2],
      [2400, 3],
    ]);
    clock.advance(1000);
    reports.set([]);
    expect(clock.pending).toBe(0);
  });
});
