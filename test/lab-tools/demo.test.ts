import { describe, expect, it } from "vitest";
import { checkEvidence } from "../../src/lab/demo/checks.js";
import { demoDocument } from "../../src/lab/demo/document.js";
import type { Evidence } from "../../src/lab/demo/evidence.js";
import { demoReport } from "../../src/lab/demo/report.js";
import { flowSnapshot, usageRecord } from "../../src/lab/demo/views.js";
import type { MediaFigures } from "../../src/lab/media.js";
import { matchLadder } from "../../src/lab/steps.js";
import { SETUP_LADDER, TEARDOWN_LADDER } from "../../src/model/ladder.js";
import type { Timestamp } from "../../src/model/units.js";

const whole = (ladder: typeof SETUP_LADDER) =>
  matchLadder(
    ladder,
    ladder.map(({ from, to, protocol, message }, index) => ({ at: index as Timestamp, from, to, protocol, message })),
  );

const figures = (change: Partial<MediaFigures>): MediaFigures => ({
  sent: 500,
  received: 500,
  lossPct: 0,
  p50Ms: 0.1,
  p99Ms: 0.2,
  maxMs: 0.3,
  jitterMs: 0.1,
  dscp: [46],
  octets: 100_000,
  ...change,
});

const lossy = figures({ received: 150, lossPct: 70, p99Ms: 60, dscp: [0], octets: 30_000 });
const count = (packets: number) => ({ packets, octets: packets * 200 });
const router = {
  flows: [
    { flow: "udp a > b", dscp: 46, inProfile: count(100), outOfProfile: count(0) },
    { flow: "udp b > a", dscp: 46, inProfile: count(100), outOfProfile: count(0) },
  ],
  classes: [{ interface: "core", kind: "pool", rate: 170_000, sent: count(200), dropped: 0 }],
  elements: 4,
  nft: "elements = { udp . 10.1.0.10 . 6000 limit rate 1 counter packets 1 bytes 2 : 0x2e000001,",
  tc: "class htb 1:1",
};
const usage = (side: string, octets: number) => ({
  session: "0123456789abcdef",
  reporter: "pol1.a.example",
  side,
  durationMs: 10_400,
  octets,
  packets: 1000,
  cause: "bye",
});

const GOOD: Evidence = {
  steps: { setup: whole(SETUP_LADDER), teardown: whole(TEARDOWN_LADDER) },
  status: { bestEffort: 200, assured: 200, refused: 503 },
  media: {
    bestEffort: { toCallee: lossy, toCaller: lossy },
    assured: { toCallee: figures({}), toCaller: figures({}) },
  },
  installed: { r1: router, r2: router },
  left: 0,
  usage: [usage("source", 200_000), usage("destination", 200_000)],
  refusal: { reason: '399 pol1 "pool voice is full"', explanation: ["refused: noRoom"] },
  malformed: [],
};

const failing = (change: Partial<Evidence>): string[] =>
  checkEvidence({ ...GOOD, ...change }).flatMap(({ name, ok }) => (ok ? [] : [name]));
const assured = (change: Partial<MediaFigures>): Partial<Evidence> => ({
  media: { ...GOOD.media, assured: { toCallee: figures({}), toCaller: figures(change) } },
});

describe("checkEvidence", () => {
  it("is content when everything holds", () => {
    expect(failing({})).toEqual([]);
  });

  const incomplete = matchLadder(SETUP_LADDER, []);
  const claims: readonly (readonly [string, Partial<Evidence>])[] = [
    ["calls", { status: { ...GOOD.status, assured: 486 } }],
    ["setup ladder", { steps: { ...GOOD.steps, setup: incomplete } }],
    [
      "setup ladder",
      { steps: { ...GOOD.steps, setup: { ...GOOD.steps.setup, outOfOrder: SETUP_LADDER.slice(3, 4) } } },
    ],
    ["teardown ladder", { steps: { ...GOOD.steps, teardown: incomplete } }],
    [
      "best effort loses more than 20 %",
      { media: { ...GOOD.media, bestEffort: { toCallee: lossy, toCaller: figures({ lossPct: 20 }) } } },
    ],
    ["assured loses nothing", assured({ lossPct: 0.2 })],
    ["assured p99 delay at most 5 ms", assured({ p99Ms: 5.001 })],
    ["assured arrives marked EF", assured({ dscp: [0, 46] })],
    ["assured arrives marked EF", assured({ dscp: [] })],
    ["installed on R1 during the call", { installed: { r1: { ...router, flows: [] }, r2: router } }],
    ["installed on R2 during the call", { installed: { r1: router, r2: { ...router, elements: 0 } } }],
    ["nothing left in the kernel", { left: 1 }],
    ["one usage record from each side", { usage: [usage("source", 200_000)] }],
    ["one usage record from each side", { usage: [usage("source", 200_000), usage("source", 200_000)] }],
    ["usage equals what the receivers counted", { usage: [usage("source", 200_000), usage("destination", 199_800)] }],
    ["third call refused", { status: { ...GOOD.status, refused: 200 } }],
    ["third call refused", { refusal: { reason: "", explanation: ["x"] } }],
    ["third call refused", { refusal: { reason: "full", explanation: [] } }],
    ["no malformed message", { malformed: ["UAC: 7 SIP"] }],
  ];
  it.each(claims)("fails '%s' and no other claim when that alone is wrong", (name, change) => {
    expect(failing(change)).toEqual([name]);
  });

  it("does not take silence for quality", () => {
    const nothing = figures({ sent: 0, received: 0, dscp: [], octets: 0, p99Ms: 0 });
    const silent = { ...GOOD, media: { ...GOOD.media, assured: { toCallee: nothing, toCaller: nothing } } };
    expect(checkEvidence(silent).find(({ name }) => name === "assured loses nothing")?.ok).toBe(false);
  });
});

describe("demoDocument", () => {
  it("has the shape that the issue states", () => {
    const document = JSON.parse(JSON.stringify(demoDocument(checkEvidence(GOOD), GOOD)));
    expect(document).toMatchObject({
      ok: true,
      media: {
        bestEffort: { lossPct: 70, p99Ms: 60, dscp: 0 },
        assured: { lossPct: 0, p50Ms: 0.1, p99Ms: 0.2, jitterMs: 0.1, dscp: 46 },
      },
      kernel: { installed: { r1: { flows: [{ dscp: 46 }, {}] }, r2: { elements: 4 } }, left: 0 },
      usage: [{ side: "source", octets: 200_000 }, {}],
      refused: { status: 503, reason: GOOD.refusal.reason },
    });
    expect(document.setup.steps).toHaveLength(29);
    expect(document.teardown.steps).toHaveLength(18);
    expect(document.setup.steps[0]).toEqual({
      n: 1,
      from: "UAC",
      to: "SIP1",
      protocol: "SIP",
      message: "INVITE",
      ms: 0,
    });
    expect(document.checks[0]).toEqual({ name: "calls", ok: true, detail: expect.any(String) });
  });

  it("is not ok when the demo broke off, and keeps its shape", () => {
    const broken = demoDocument([{ name: "the demo ran to its end", ok: false, detail: "interrupted" }], undefined);
    expect(broken).toMatchObject({ ok: false, setup: { steps: [] }, teardown: { steps: [] }, usage: [] });
    expect(demoDocument([], undefined).ok).toBe(false);
  });
});

describe("demoReport", () => {
  it("shows every part, and says at the end whether all holds", () => {
    const report = demoReport(checkEvidence(GOOD), GOOD);
    for (const part of ["Set-up", "Teardown", "R1", "R2", "bottleneck", "After BYE", "Usage records", "third call"]) {
      expect(report).toContain(part);
    }
    expect(report.trimEnd().endsWith("All of it holds.")).toBe(true);
    const bad = { ...GOOD, left: 3 };
    expect(demoReport(checkEvidence(bad), bad)).toContain("FAILED");
  });
});

describe("views", () => {
  it("adds up usage in and out of profile", () => {
    const counters = { inProfile: { packets: 2, octets: 400 }, outOfProfile: { packets: 1, octets: 200 } };
    const item = { session: "s", reporter: "r", side: "source", duration: 5, counters, cause: "bye" };
    expect(usageRecord(item)).toMatchObject({ octets: 600, packets: 3, durationMs: 5 });
  });

  it("says which field an answer lacks", () => {
    expect(() => flowSnapshot({ flow: "x" })).toThrow("'counters'");
    expect(() => flowSnapshot({ flow: "x", dscp: "46", counters: {} })).toThrow("'dscp'");
  });
});
