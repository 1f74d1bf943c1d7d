import { describe, expect, it } from "vitest";
import type { Binding } from "../../../src/cops/pr/bindings.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { encodeRow, pridOf } from "../../../src/cops/pr/prc.js";
import type { DesiredState, FlowId, FlowRule } from "../../../src/kernel/port.js";
import { KernelError } from "../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis, octets } from "../../../src/model/units.js";
import { type FlowCounters, ZERO_COUNTER } from "../../../src/model/usage.js";
import { interimCounters } from "../../../src/pdp/liveness/interim-rows.js";
import { InterimReports } from "../../../src/pep/router/interim-reports.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

const counters = (packets: number, out = 0): FlowCounters => ({
  inProfile: { packets, octets: octets(packets * 200) },
  outOfProfile: { packets: out, octets: octets(out * 200) },
});

function world() {
  const clock = new FakeClock();
  const live = new Map<FlowId, FlowCounters>();
  const flows = new Map<FlowId, FlowRule>();
  const sent: (readonly Binding[])[] = [];
  const kernel = {
    desired: { flows } as unknown as DesiredState,
    readings: 0,
    fails: false,
    counters(): Promise<ReadonlyMap<FlowId, FlowCounters>> {
      kernel.readings += 1;
      if (kernel.fails) return Promise.reject(new KernelError("KERNEL_BUSY", "busy", { operation: "counters" }));
      return Promise.resolve(new Map(live));
    },
  };
  const reports = new InterimReports({ kernel, clock, log: SILENT_LOGGER, send: (rows) => sent.push(rows) });
  const count = (id: FlowId, now: FlowCounters): void => {
    flows.set(id, {} as FlowRule);
    live.set(id, now);
  };
  /** What was told, as the policy server reads it; an interval's end as `undefined`. */
  const told = () => sent.splice(0).map((rows) => (rows.length === 0 ? undefined : [...interimCounters(rows)]));
  return { clock, kernel, reports, count, live, flows, sent, told };
}

describe("interim reports", () => {
  it("tell of each interval the flows that changed, and close it", async () => {
    const { clock, reports, count, told } = world();
    count(1, counters(0));
    count(2, counters(5));
    reports.begin(millis(15_000));
    await clock.pass(14_999);
    expect(told()).toEqual([]);
    await clock.pass(1);
    expect(told()).toEqual([[[2, counters(5)]], undefined]);
    count(1, counters(0, 3));
    await clock.pass(15_000);
    expect(told()).toEqual([[[1, counters(0, 3)]], undefined]);
    await clock.pass(15_000);
    expect(told()).toEqual([undefined]);
    reports.end();
    expect(clock.pending).toBe(0);
  });

  it("are not sent to who asked for none, or said nothing", async () => {
    const { clock, kernel, reports, told } = world();
    for (const interval of [undefined, millis(0)]) {
      reports.begin(interval);
      await clock.pass(1_000_000);
    }
    expect([told(), kernel.readings]).toEqual([[], 0]);
  });

  it("tell everything again to a policy server that begins anew, and nothing of a flow that has gone", async () => {
    const { clock, reports, count, flows, told } = world();
    count(1, counters(9));
    count(2, counters(9));
    reports.begin(millis(1000));
    await clock.pass(1000);
    told();
    flows.delete(2);
    reports.begin(millis(1000));
    await clock.pass(1000);
    expect(told()).toEqual([[[1, counters(9)]], undefined]);
    reports.end();
  });

  it("leave an interval open that could not be read, and tell its changes with the next", async () => {
    const { clock, kernel, reports, count, told } = world();
    count(1, counters(1));
    reports.begin(millis(1000));
    kernel.fails = true;
    await clock.pass(1000);
    expect(told()).toEqual([]);
    kernel.fails = false;
    await clock.pass(1000);
    expect(told()).toEqual([[[1, counters(1)]], undefined]);
    reports.end();
  });

  it("read ten thousand flows at one go, tell them in small messages, and stop in the middle when they are to", async () => {
    const { clock, kernel, reports, count, sent } = world();
    for (let id = 1; id <= 10_000; id += 1) count(id, counters(id));
    reports.begin(millis(1000));
    await clock.pass(1000);
    for (let turn = 0; turn < 200 && sent.at(-1)?.length !== 0; turn += 1) await settle();
    expect(kernel.readings).toBe(1);
    expect(sent.flatMap((rows) => [...interimCounters(rows)])).toHaveLength(10_000);
    expect(Math.max(...sent.map((rows) => rows.length))).toBe(128);
    sent.length = 0;
    reports.begin(millis(1000));
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
    reports.end();
    await settle();
    const before = sent.length;
    await clock.pass(5000);
    expect([before < 79, sent.length]).toEqual([true, before]);
    expect(sent.every((rows) => rows.length > 0)).toBe(true);
  });
});

it("interim rows are read as far as a number counts, and no others are", () => {
  const row = encodeRow(pib.sluiceInterim, 4, {
    clfrElement: pridOf(pib.dsClfrElement, 4),
    inProfilePackets: 2n ** 64n - 1n,
    inProfileOctets: 7n,
    outOfProfilePackets: 0n,
    outOfProfileOctets: 0n,
  });
  const final = { ...row, prid: pridOf(pib.sluiceUsage, 5) };
  const broken = { prid: pridOf(pib.sluiceInterim, 6), values: row.values.slice(0, 2) };
  const most = { inProfile: { packets: Number.MAX_SAFE_INTEGER, octets: octets(7) }, outOfProfile: ZERO_COUNTER };
  expect([...interimCounters([row, final, broken])]).toEqual([[4, most]]);
});
