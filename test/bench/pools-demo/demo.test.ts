/** The demo of pools, as far as it is pure: what it reads, what it claims, what it draws and prints. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finalAnswer } from "../../../bench/pools-demo/calls.js";
import { checkPools, REFUSAL_MS } from "../../../bench/pools-demo/checks.js";
import { CALLS, LARGE, ROUTERS, SMALL, writeConfigs } from "../../../bench/pools-demo/configs.js";
import type { CallEvidence, Evidence, ReservedEvidence, Sample } from "../../../bench/pools-demo/evidence.js";
import { outerFlows } from "../../../bench/pools-demo/outer-flows.js";
import { drawPools, throughput } from "../../../bench/pools-demo/picture.js";
import { poolsDocument, poolsReport } from "../../../bench/pools-demo/report.js";
import { isReserved } from "../../../bench/pools-demo/reservation.js";
import { classesIn, sampleOf } from "../../../bench/pools-demo/sampler.js";
import { loadConfig } from "../../../src/config/load.js";
import type { MediaFigures } from "../../../src/lab/media.js";
import { ROOT } from "../../lab/support/root.js";
import { pcapFile, rtp, udpFrame } from "../../lab-tools/frames.js";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-pools-demo-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const STEP = LARGE - SMALL;
const heard = (change: Partial<MediaFigures> = {}): MediaFigures => ({
  sent: 1000,
  received: 1000,
  lossPct: 0,
  p50Ms: 0.1,
  p99Ms: 0.2,
  maxMs: 0.3,
  jitterMs: 0.1,
  dscp: [46],
  octets: 200_000,
  ...change,
});
const call = (number: number, change: Partial<MediaFigures> = {}): CallEvidence => ({
  call: number,
  session: "0123456789abcdef",
  status: 200,
  warning: "",
  answerMs: 2500,
  media: { toCallee: heard(), toCaller: heard(change) },
});
const everywhere = <Value>(value: Value): Readonly<Record<string, Value>> =>
  Object.fromEntries(Object.keys(ROUTERS).map((role) => [role, value]));
const reservedAt = (rate: number, sessions = 0): ReservedEvidence => ({
  ms: 1000,
  pools: { pol1: rate, pol2: rate },
  granted: everywhere([rate - 1000, rate - 1000]),
  classes: everywhere([rate]),
  sessions,
});
const sample = (index: number, change: Partial<Sample> = {}): Sample => ({
  ms: 250 * index,
  reserved: SMALL,
  used: 0,
  sessions: 0,
  poolOctets: 1000 * index,
  linkOctets: 300_000 * index,
  dropped: 1000 * index,
  ...change,
});
const tunnelled = (flow: string) => ({ flow, packets: 6000, dscp: [0, 46], inner: CALLS + 1 });
const PLAIN = { flow: "udp a:6010 > b:6010", packets: 1000, dscp: [46], inner: 0 };

const GOOD: Evidence = {
  before: reservedAt(SMALL),
  grown: reservedAt(LARGE, CALLS),
  after: reservedAt(SMALL),
  growMs: 700,
  assured: Array.from({ length: CALLS }, (_, index) => call(index + 1)),
  refused: {
    call: 6,
    session: "fedcba9876543210",
    status: 503,
    warning: '399 pol1 "pool voice is full"',
    answerMs: 24,
  },
  explanation: ["outcome: refused", "refused: noRoom: pool voice is full: 89.9 kbit/s needed, 0.3 kbit/s free"],
  sixth: call(6),
  outer: [tunnelled("udp a > b"), tunnelled("udp b > a")],
  left: 0,
  samples: [
    ...Array.from({ length: 50 }, (_, index) => sample(index)),
    sample(50, { sessions: CALLS + 1, used: LARGE, reserved: LARGE }),
  ],
  moments: [{ ms: 500, what: "flood" }],
};

const failing = (change: Partial<Evidence>): string[] =>
  checkPools({ ...GOOD, ...change }).flatMap(({ name, ok }) => (ok ? [] : [name]));
const last = GOOD.samples.at(-1)!;

describe("checkPools", () => {
  it("is content when everything holds", () => {
    expect(failing({})).toEqual([]);
  });

  const claims: readonly (readonly [string, Partial<Evidence>])[] = [
    ["reserved on the whole way before anybody calls", { before: reservedAt(SMALL, 1) }],
    ["reserved on the whole way before anybody calls", { before: reservedAt(LARGE) }],
    ["the core link is flooded", { samples: [GOOD.samples[0]!, { ...last, dropped: 0 }] }],
    ["call 2 loses nothing", { assured: GOOD.assured.with(1, call(2, { received: 999 })) }],
    ["call 2 loses nothing", { assured: GOOD.assured.with(1, call(2, { sent: 0, received: 0 })) }],
    ["call 2 loses nothing", { assured: GOOD.assured.with(1, call(2, { dscp: [0, 46] })) }],
    ["call 6 refused in milliseconds", { refused: { ...GOOD.refused, status: 200 } }],
    ["call 6 refused in milliseconds", { refused: { ...GOOD.refused, answerMs: REFUSAL_MS + 1 } }],
    ["the refusal is explained", { explanation: ["outcome: refused"] }],
    ["grown on the whole way", { grown: reservedAt(SMALL, CALLS) }],
    ["grown on the whole way", { growMs: 60_000 }],
    ["call 6 let in, and loses nothing", { sixth: { ...call(6), status: 503 } }],
    ["6 calls at once, never more than is reserved", { samples: [GOOD.samples[0]!, { ...last, sessions: CALLS }] }],
    ["6 calls at once, never more than is reserved", { samples: [GOOD.samples[0]!, { ...last, used: LARGE + 1 }] }],
    ["small again after the last call", { after: reservedAt(LARGE) }],
    ["one outer flow each way", { outer: GOOD.outer.slice(1) }],
    ["one outer flow each way", { outer: [...GOOD.outer, PLAIN] }],
    ["one outer flow each way", { outer: GOOD.outer.with(0, { ...GOOD.outer[0]!, inner: 1 }) }],
    ["nothing left in the kernels", { left: 1 }],
  ];
  it.each(claims)("fails '%s' and no other claim when that alone is wrong", (name, change) => {
    expect(failing(change)).toEqual([name]);
  });
});

describe("isReserved", () => {
  it("wants every policy server, router and kernel", () => {
    const whole = reservedAt(SMALL);
    expect(isReserved(whole, SMALL, STEP)).toBe(true);
    for (const change of [
      { pools: { pol1: SMALL, pol2: 0 } },
      { granted: { ...whole.granted, r2: [SMALL - 1000] } },
      { granted: { ...whole.granted, r2: [SMALL - 1000, 0] } },
      { classes: { ...whole.classes, r1: [SMALL - 1] } },
      { classes: { ...whole.classes, r1: [] } },
    ]) {
      expect(isReserved({ ...whole, ...change }, SMALL, STEP)).toBe(false);
    }
  });
});

const TC = `class htb 1:11 parent 1:1 leaf 8001: prio 0 rate 450Kbit ceil 10Mbit burst 4Kb cburst 4Kb
 Sent 21400 bytes 100 pkt (dropped 0, overlimits 2 requeues 0)
 backlog 0b 0p requeues 0

class htb 1:1 root rate 10Mbit ceil 10Mbit burst 3Kb cburst 3Kb
 Sent 9000000 bytes 42000 pkt (dropped 0, overlimits 0 requeues 0)

class htb 1:ffff parent 1:1 leaf 8002: prio 7 rate 9Mbit ceil 10Mbit burst 3Kb cburst 3Kb
 Sent 8000000 bytes 37000 pkt (dropped 81234, overlimits 9 requeues 0)
`;
const POOLS = [
  { name: "other", reserved: 1, used: 1, sessions: 1 },
  { name: "voice", reserved: SMALL, used: 89_900, sessions: 1 },
];

describe("samples", () => {
  it("join the pool of the policy server with its class, the link and the flood's drops", () => {
    expect(sampleOf(250, POOLS, TC)).toEqual({
      ms: 250,
      reserved: SMALL,
      used: 89_900,
      sessions: 1,
      poolOctets: 21_400,
      linkOctets: 9_000_000,
      dropped: 81_234,
    });
    expect(Object.keys(classesIn(TC))).toEqual(["1:11", "1:1", "1:ffff"]);
  });

  it("are refused where the pool or its class is missing", () => {
    expect(() => sampleOf(0, [], TC)).toThrow("voice");
    expect(() => sampleOf(0, [{ name: "voice", used: 0 }], TC)).toThrow("'reserved'");
    expect(() => sampleOf(0, POOLS, "")).toThrow("'octets'");
  });

  it("give a rate that does not depend on when they were taken, and none over a counter that began anew", () => {
    const octetsAt = (ms: number): number => (ms * 50_000) / 1000;
    const times = [0, 250, 600, 750, 1100];
    const even = times.map((ms) => sample(0, { ms, poolOctets: octetsAt(ms) }));
    expect(throughput(even, "poolOctets").map(({ value }) => Math.round(value))).toEqual([400_000, 400_000, 400_000]);
    const anew = even.with(3, { ...even[3]!, poolOctets: 0 });
    expect(throughput(anew, "poolOctets").map(({ at }) => at)).toEqual([0.6, 1.1]);
  });
});

const write = (name: string, file: Buffer): string => {
  const path = join(directory, name);
  writeFileSync(path, file);
  return path;
};
const ends = { from: "10.1.0.10", fromPort: 6010, to: "10.3.0.10", toPort: 6010, dscp: 46 };

describe("outerFlows", () => {
  it("counts packets by outer 5-tuple, and 5-tuples inside", async () => {
    const tunnel = { from: "10.1.0.1", fromPort: 49_153, to: "10.3.0.1", toPort: 4789, dscp: 46 };
    const inTunnel = (port: number): Buffer =>
      udpFrame(tunnel, Buffer.concat([Buffer.alloc(8), udpFrame({ ...ends, fromPort: port }, rtp(1))]));
    const frames = [inTunnel(6010), inTunnel(6010), inTunnel(6020), udpFrame(ends, rtp(1))];
    const path = write("core.pcap", pcapFile(frames.map((bytes, at) => ({ at, bytes }))));
    expect(await outerFlows(path)).toEqual([
      { flow: "udp 10.1.0.1:49153 > 10.3.0.1:4789", packets: 3, dscp: [46], inner: 2 },
      { flow: "udp 10.1.0.10:6010 > 10.3.0.10:6010", packets: 1, dscp: [46], inner: 0 },
    ]);
  });
});

describe("finalAnswer", () => {
  const message = (first: string, callId: string, method = "INVITE", ...more: readonly string[]): Buffer =>
    Buffer.from([first, `Call-ID: ${callId}`, `CSeq: 1 ${method}`, ...more, "", ""].join("\r\n"));
  const at = (ms: number, payload: Buffer) => ({ at: ms, bytes: udpFrame({ ...ends, toPort: 5060 }, payload) });

  it("is the first final answer to that INVITE, with the time that it took", async () => {
    const path = write(
      "sip.pcap",
      pcapFile([
        at(1000, message("INVITE sip:b SIP/2.0", "mine")),
        at(1005, message("SIP/2.0 503 Service Unavailable", "another's")),
        at(1010, message("SIP/2.0 100 Trying", "mine")),
        at(1020, message("SIP/2.0 200 OK", "mine", "OPTIONS")),
        at(1023.5, message("SIP/2.0 503 Service Unavailable", "mine", "INVITE", 'Warning: 399 a "full"')),
        at(1500, message("SIP/2.0 503 Service Unavailable", "mine", "INVITE", 'Warning: 399 a "again"')),
      ]),
    );
    expect(await finalAnswer(path, "mine")).toEqual({ status: 503, warning: '399 a "full"', ms: 23.5 });
    expect(await finalAnswer(path, "nobody's")).toEqual({ status: 0, warning: "", ms: 0 });
  });
});

describe("configurations", () => {
  it("are what the roles accept", () => {
    const to = join(directory, "configs");
    writeConfigs(ROOT, to);
    for (const role of ["ch", "pol1", "pol2", "sip1", "sip2", ...Object.keys(ROUTERS)]) {
      expect(
        () => loadConfig(join(to, `${role}.yaml`), undefined, { env: { SLUICE_LAB: directory }, needFiles: false }),
        role,
      ).not.toThrow();
    }
  });
});

describe("what is printed and drawn", () => {
  it("has every part, and says at the end whether all holds", () => {
    const report = poolsReport(checkPools(GOOD), GOOD);
    for (const part of [
      "What happened",
      "Reserved",
      "Calls",
      "sluice explain fedcba9876543210",
      "core link",
      "Checks",
    ]) {
      expect(report).toContain(part);
    }
    expect(report.trimEnd().endsWith("All of it holds.")).toBe(true);
    const bad = { ...GOOD, left: 3 };
    expect(poolsReport(checkPools(bad), bad)).toContain("FAILED");
    expect(poolsDocument(checkPools(GOOD), GOOD)).toMatchObject({ ok: true, growMs: 700 });
    expect(poolsDocument([], undefined).ok).toBe(false);
  });

  it("draws what was reserved, used and sent, and when what happened", () => {
    const svg = drawPools(GOOD, "npm run demo -- pools");
    for (const text of ["reserved", "used, as admission counts", "sent through its HTB class", "flood", "tunnel"]) {
      expect(svg).toContain(text);
    }
    expect(svg.match(/fill="none"/g)).toHaveLength(4);
  });
});
