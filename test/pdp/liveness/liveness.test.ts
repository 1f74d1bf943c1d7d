import { describe, expect, it } from "vitest";
import type { FlowDirection, SessionFlow } from "../../../src/model/flow.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { type SessionId, sessionIdOf } from "../../../src/model/session.js";
import { kilobitsPerSecond, millis, octets, seconds, type Timestamp, timestamp } from "../../../src/model/units.js";
import { type FlowCounters, ZERO_COUNTER } from "../../../src/model/usage.js";
import { lifeFacts } from "../../../src/pdp/liveness/life-facts.js";
import { liveView } from "../../../src/pdp/liveness/live-view.js";
import { Liveness } from "../../../src/pdp/liveness/liveness.js";
import type { InstalledFlow, SessionRecord } from "../../../src/pdp/session-record.js";
import { FakeClock, settle } from "../../support/fake-clock.js";
import { sessionRecord } from "../session-record.js";

const id = (n: number): SessionId => sessionIdOf(`call-${n}`, "tag");
const counters = (packets: number): FlowCounters => ({
  inProfile: { packets, octets: octets(packets * 200) },
  outOfProfile: ZERO_COUNTER,
});
const installed = (
  instance: number,
  direction: FlowDirection,
  more: Partial<InstalledFlow & Pick<SessionFlow, "component">> = {},
): InstalledFlow => {
  const { component = "rtp", ...rest } = more;
  const flow: SessionFlow = {
    key: {
      protocol: "udp",
      source: { address: "10.1.0.10", port: 6000 },
      destination: { address: "10.3.0.10", port: 6000 + instance },
    },
    component,
    direction,
    traffic: { rate: kilobitsPerSecond(80), burst: octets(1000), packetsPerSecond: 50 },
  };
  return { instance, flow, ...rest };
};
const record = (n: number, change: Partial<SessionRecord> = {}): SessionRecord =>
  sessionRecord(n, {
    state: "reserved",
    flows: [installed(2 * n, "up"), installed(2 * n + 1, "down")],
    answered: timestamp(1_000_000),
    ...change,
  });

function world() {
  const clock = new FakeClock(1_000_000);
  const records = new Map<SessionId, SessionRecord>();
  const ended: string[] = [];
  let failures = 0;
  const make = () =>
    new Liveness({
      rules: { idleTimeout: seconds(60), maxDuration: seconds(7200) },
      clock,
      log: SILENT_LOGGER,
      sessions: () => records.values(),
      end: async (session, cause) => {
        if (failures-- > 0) throw new Error("the store is full");
        ended.push(`${session} ${cause}`);
        const before = records.get(session)!;
        records.set(session, { ...before, flows: [], shed: { treatment: "bye", at: clock.now(), cause } });
      },
    });
  const liveness = make();
  const put = (next: SessionRecord): void => void records.set(next.id, next);
  return { clock, records, ended, liveness, put, make, failNext: () => (failures = 1) };
}

describe("watching over sessions", () => {
  it("ends those whose media stopped, once, and leaves others alone", async () => {
    const { clock, ended, liveness, put } = world();
    put(record(1));
    put(record(2));
    put(record(3, { answered: undefined, state: "authorised" }));
    liveness.start();
    for (let n = 1; n <= 8; n += 1) {
      await clock.pass(15_000);
      liveness.counted(new Map([[2, counters(n)]]));
      liveness.complete();
    }
    await settle();
    expect(ended).toEqual([`${id(2)} idle`]);
    expect(liveness.usageOf(id(2))).toBeUndefined();
    liveness.close();
  });

  it("ends a call that rings for longer than sessions may last, and tells no usage of it", async () => {
    const { clock, ended, liveness, put } = world();
    put(record(1, { answered: undefined, created: clock.now() }));
    liveness.start();
    await clock.pass(7_199_000);
    expect([ended, liveness.usage()]).toEqual([[], []]);
    await clock.pass(2_000);
    expect(ended).toEqual([`${id(1)} expired`]);
    liveness.close();
  });

  it("tells what sessions carry now, in each direction, with the flows that they had before", async () => {
    const { clock, liveness, put } = world();
    put(record(1, { past: [installed(90, "up", { final: counters(7) }), installed(91, "down")] }));
    liveness.start();
    await clock.pass(15_000);
    liveness.counted(
      new Map([
        [2, counters(100)],
        [3, counters(30)],
        [77, counters(5)],
      ]),
    );
    liveness.refreshed(id(1), { interval: millis(90_000) });
    expect(liveness.usage()).toEqual([
      { session: id(1), up: counters(107), down: counters(30), moved: clock.time, expires: clock.time + 90_000 },
    ]);
    const at = clock.now();
    expect(liveView(liveness.usage(), at)).toEqual({ at, sessions: liveness.usage() });
    expect(liveView([{ ...liveness.usage()[0]!, moved: undefined }], at).sessions[0]).not.toHaveProperty("moved");
    liveness.close();
  });

  it("lets a session on hold expire when no refresh comes, and not while they do", async () => {
    const { clock, ended, liveness, put } = world();
    put(record(1, { flows: [], past: [installed(2, "up"), installed(3, "down")] }));
    liveness.start();
    for (let n = 0; n < 10; n += 1) {
      liveness.refreshed(id(1), { interval: millis(90_000) });
      await clock.pass(80_000);
      liveness.complete();
    }
    expect(ended).toEqual([]);
    await clock.pass(11_000);
    expect(ended).toEqual([`${id(1)} expired`]);
    liveness.close();
  });

  it("starts anew after a restart, and takes what a proxy says again for no refresh where it knows better", async () => {
    const { clock, ended, liveness, put, make } = world();
    put(record(1, { flows: [] }));
    liveness.start();
    liveness.refreshed(id(1), { interval: millis(90_000) });
    await clock.pass(80_000);
    liveness.restated(id(1), { interval: millis(90_000) });
    expect(liveness.usageOf(id(1))?.expires).toBe(clock.time + 10_000);
    liveness.close();
    const next = make();
    next.start();
    next.restated(id(1), { interval: millis(90_000) });
    await clock.pass(89_000);
    expect(ended).toEqual([]);
    await clock.pass(2000);
    expect(ended).toEqual([`${id(1)} expired`]);
    next.close();
  });

  it("tries again to end what could not be ended", async () => {
    const { clock, ended, liveness, put, failNext } = world();
    put(record(1));
    failNext();
    liveness.start();
    for (let n = 0; n < 4; n += 1) {
      await clock.pass(15_000);
      liveness.complete();
      await settle();
    }
    expect(ended).toEqual([]);
    await clock.pass(15_000);
    liveness.complete();
    await settle();
    expect(ended).toEqual([`${id(1)} idle`]);
    liveness.close();
  });

  it("keeps nothing of sessions that are gone", async () => {
    const { clock, liveness, put, records } = world();
    for (let n = 1; n <= 100; n += 1) put(record(n));
    liveness.start();
    expect(liveness.usage()).toHaveLength(100);
    records.clear();
    await clock.pass(1000);
    expect(liveness.usage()).toEqual([]);
    liveness.close();
    expect(clock.pending).toBe(0);
  });
});

describe("the facts of a session's life", () => {
  const media = (change: Partial<SessionRecord>) => lifeFacts(record(1, change))?.media;
  it("tell hold by a direction that was open and is closed", () => {
    const both = [installed(2, "up"), installed(3, "down")];
    expect(media({})).toBe("open");
    expect(media({ flows: [] })).toBe("held");
    expect(media({ flows: [installed(2, "up")], past: both })).toBe("held");
    expect(media({ flows: [installed(4, "up"), installed(5, "down", { component: "rtcp" })], past: both })).toBe(
      "held",
    );
    // What is of one way from the beginning is watched, and so is what was taken up again.
    expect(media({ flows: [installed(2, "up")] })).toBe("open");
    expect(media({ flows: [installed(8, "up"), installed(9, "down")], past: both })).toBe("open");
    expect(media({ treatment: "bestEffort", flows: [] })).toBe("none");
    expect(media({ shed: { treatment: "bestEffort", at: 0 as Timestamp }, flows: [] })).toBe("none");
  });

  it("are without media before the answer, and none when its end has begun", () => {
    expect(lifeFacts(record(1, { answered: undefined }))).toMatchObject({ since: 0, media: "none" });
    expect(lifeFacts(record(1, { state: "releasing" }))).toBeUndefined();
    expect(lifeFacts(record(1, { shed: { treatment: "bye", at: 0 as Timestamp, cause: "left" } }))).toBeUndefined();
  });
});
