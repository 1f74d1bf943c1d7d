/** The demo of the game, as far as it is pure: what it reads, what it claims, what it prints. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SeenMessage } from "../../../bench/game-demo/browsers.js";
import { checkGame } from "../../../bench/game-demo/checks.js";
import type { Evidence, HopEvidence, PageFigures, PaidRecord } from "../../../bench/game-demo/evidence.js";
import { gameDocument, gameReport } from "../../../bench/game-demo/report.js";
import { callIdOf, dialogMessages, hopEvidence, proxyMessages } from "../../../bench/game-demo/signalling.js";
import { connectionOf, measureConnection, otherConnection, readDatagrams } from "../../../bench/game-demo/streams.js";
import { paidRecords } from "../../../bench/game-demo/views.js";
import type { MediaFigures } from "../../../src/lab/media.js";
import type { WireMessage } from "../../../src/lab/wire-message.js";
import type { Timestamp } from "../../../src/model/units.js";
import { pcapFile, udpFrame } from "../../lab-tools/frames.js";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-game-demo-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const SESSION = "0123456789abcdef";
const heard = (change: Partial<MediaFigures> = {}): MediaFigures => ({
  sent: 600,
  received: 600,
  lossPct: 0,
  p50Ms: 0.3,
  p99Ms: 1.2,
  maxMs: 2,
  jitterMs: 0.2,
  dscp: [32],
  octets: 100_000,
  ...change,
});
const LOSSY = heard({ received: 200, lossPct: 66.7, p99Ms: 90, dscp: [0] });
const page = (user: string, change: Partial<PageFigures> = {}): PageFigures => ({
  user,
  assured: { roundTrip: 4, jitter: 1, lossIn: 0 },
  bestEffort: { jitter: 30, lossIn: 0.6 },
  counters: { sent: 700, received: 700, expected: 700 },
  bestEffortCounters: { sent: 700, received: 250, expected: 700 },
  stalls: 0,
  diverged: false,
  ...change,
});
const holds = (server: string) => ({
  server,
  state: "reserved",
  result: "granted",
  sessionClass: "game-fps",
  phb: "CS4",
  toCallee: 160_000,
  toCaller: 160_000,
});
const floods = (router: string, dropped: number) => ({
  router,
  flows: [],
  classes: [
    {
      interface: "core",
      kind: "default",
      name: "default",
      rate: 9_000_000,
      sent: { packets: 1000, octets: 200_000 },
      dropped,
    },
  ],
});
const hop = (name: string): HopEvidence => ({
  hop: name,
  setup: { INVITE: 1, "100": 1, "180": 1, "200": 1, ACK: 1 },
  teardown: { BYE: 1, "200": 1 },
});
const paid = (user: string, change: Partial<PaidRecord> = {}): PaidRecord => ({
  user,
  session: SESSION,
  sessionClass: "game",
  seconds: 20,
  octetsIn: 200_000,
  octetsOut: 200_100,
  outOfProfile: 0,
  price: "0.0236 EUR",
  shares: [
    { provider: "a.example", amount: "0.01062" },
    { provider: "b.example", amount: "0.01062" },
    { provider: "clearinghouse", amount: "0.00236" },
  ],
  ...change,
});

const GOOD: Evidence = {
  session: SESSION,
  answerMs: 600,
  floodTimes: 3,
  seconds: 10,
  granted: ["pol2.b.example", "pol1.a.example"].map((by) => ({
    by,
    result: "granted",
    rates: "160 / 160",
    phb: "CS4",
  })),
  sessions: [holds("pol1"), holds("pol2")],
  wire: {
    assured: { toCallee: heard(), toCaller: heard() },
    bestEffort: { toCallee: LOSSY, toCaller: LOSSY },
  },
  pages: [page("alice"), page("bob")],
  routers: [floods("r1", 300_000), floods("r2", 300_000)],
  paths: [{ server: "pol1", pool: "game", direction: "up", samples: 300, latency: 0.2, jitter: 0.1, loss: 0 }],
  hops: [hop("caller-SIP1"), hop("SIP1-SIP2"), hop("SIP2-callee")],
  records: [paid("alice"), paid("bob", { octetsIn: 200_100, octetsOut: 200_000 })],
  left: { elements: 0, sessions: 0 },
  malformed: [],
};

const failing = (change: Partial<Evidence>): string[] =>
  checkGame({ ...GOOD, ...change }).flatMap(({ name, ok }) => (ok ? [] : [name]));

describe("checkGame", () => {
  it("is content when everything holds", () => {
    expect(failing({})).toEqual([]);
  });

  const assured = (change: Partial<MediaFigures>): Partial<Evidence> => ({
    wire: { ...GOOD.wire, assured: { toCallee: heard(), toCaller: heard(change) } },
  });
  const bestEffort = (change: Partial<MediaFigures>): Partial<Evidence> => ({
    wire: { ...GOOD.wire, bestEffort: { toCallee: LOSSY, toCaller: { ...LOSSY, ...change } } },
  });
  const aHop = (change: Partial<HopEvidence>): Partial<Evidence> => ({
    hops: GOOD.hops.with(1, { ...hop("SIP1-SIP2"), ...change }),
  });
  const granted = "granted as wanted by both policy servers";
  const ladder = "one INVITE/200/ACK, as in a plain call";
  const records = "the records of both sides agree";
  const pages = "the pages measured the same";
  const [first, second] = GOOD.records;
  const claims: readonly (readonly [string, Partial<Evidence>])[] = [
    [granted, { sessions: [holds("pol1")] }],
    [granted, { sessions: [holds("pol1"), { ...holds("pol2"), result: "reduced" }] }],
    [granted, { granted: GOOD.granted.slice(1) }],
    [granted, { granted: GOOD.granted.map((grant) => ({ ...grant, rates: "80 / 80" })) }],
    ["the core link is flooded both ways", { routers: [floods("r1", 300_000), floods("r2", 0)] }],
    ["the game loses nothing", assured({ received: 599, lossPct: 0.167 })],
    ["the game's p99 delay is at most 5 ms", assured({ p99Ms: 5.1 })],
    ["best effort loses more than 20 %", bestEffort({ lossPct: 20 })],
    ["the game arrives marked CS4", assured({ dscp: [0, 32] })],
    ["best effort arrives unmarked", bestEffort({ dscp: [32] })],
    [pages, { pages: [page("alice")] }],
    [pages, { pages: [page("alice"), page("bob", { diverged: true })] }],
    [pages, { pages: [page("alice"), page("bob", { counters: { sent: 700, received: 699, expected: 700 } })] }],
    [
      pages,
      {
        pages: ["alice", "bob"].map((user) =>
          page(user, { bestEffortCounters: { sent: 700, received: 690, expected: 700 } }),
        ),
      },
    ],
    [ladder, { hops: GOOD.hops.slice(1) }],
    [ladder, aHop({ setup: { INVITE: 2, "200": 1, ACK: 1 } })],
    [ladder, aHop({ setup: { INVITE: 1, "200": 1, ACK: 1, PRACK: 1 } })],
    [ladder, aHop({ setup: { INVITE: 1, "200": 2, ACK: 1 } })],
    [ladder, aHop({ setup: { INVITE: 1, "200": 1 } })],
    [ladder, aHop({ teardown: {} })],
    [records, { records: [paid("alice")] }],
    [records, { records: [first!, { ...second!, octetsOut: 210_000 }] }],
    [records, { records: [first!, { ...second!, price: "0.03 EUR" }] }],
    [records, { records: [first!, { ...second!, price: "" }] }],
    [records, { records: [first!, { ...second!, shares: second!.shares.slice(1) }] }],
    ["nothing left after", { left: { elements: 1, sessions: 0 } }],
    ["nothing left after", { left: { elements: 0, sessions: 1 } }],
    ["no malformed message", { malformed: ["SIP1: 12 SIP"] }],
  ];
  it("is content with a 200 that was sent again until the ACK came", () => {
    expect(failing(aHop({ setup: { INVITE: 1, "200": 1, "200 again": 1, ACK: 1, "ACK again": 1 } }))).toEqual([]);
  });

  it("is not content with a game that sent nothing", () => {
    expect(failing(assured({ sent: 0, received: 0 }))).toContain("the game loses nothing");
  });

  it.each(claims)("notices when not: %s", (name, change) => {
    expect(failing(change)).toEqual([name]);
  });
});

describe("the report", () => {
  it("has everything in one document", () => {
    const document = gameDocument(checkGame(GOOD), GOOD);
    expect(document).toMatchObject({ ok: true, session: SESSION, hops: GOOD.hops });
    expect(gameDocument([{ name: "the demo ran to its end", ok: false, detail: "why" }], undefined).ok).toBe(false);
  });

  it("shows both connections, both servers, and what is paid", () => {
    const text = gameReport(checkGame(GOOD), GOOD);
    expect(text).toMatch(/game to callee +600 +0 +0\.3 +1\.2 +2 +0\.2 +CS4/);
    expect(text).toMatch(/best effort to caller +600 +66\.7/);
    expect(text).toMatch(/pol1 \(show sessions\) +granted +160 +160 +CS4/);
    expect(text).toMatch(/bob +game +20 +200100 +200000 +0\.0236 EUR +a\.example 0\.01062/);
    expect(text).toContain("SIP1-SIP2: INVITE 100 180 200 ACK / BYE 200");
    expect(text).toContain("All of it holds.");
    expect(gameReport([{ name: "x", ok: false, detail: "y" }], undefined)).toContain("The demo FAILED.");
  });
});

describe("streams", () => {
  const [CALLER, CALLEE] = ["10.1.0.10", "10.3.0.10"];
  const START = 1_790_000_000_000;
  const there = { from: CALLER, fromPort: 4000, to: CALLEE, toPort: 5000, dscp: 32 };
  const back = { from: CALLEE, fromPort: 5000, to: CALLER, toPort: 4000, dscp: 32 };
  const beside = { ...there, fromPort: 4002, toPort: 5002, dscp: 0 };
  const packet = (ends: typeof there, at: number, text: string) => ({
    at: START + at,
    bytes: udpFrame(ends, Buffer.from(text)),
  });
  const seen = async (name: string, frames: ReturnType<typeof packet>[]) => {
    const path = join(directory, `${name}.pcap`);
    writeFileSync(path, pcapFile(frames));
    return readDatagrams(path);
  };

  it("tells the ends of a flow, whichever way it goes", () => {
    const connection = { caller: `${CALLER}:4000`, callee: `${CALLEE}:5000` };
    expect(connectionOf(`udp ${CALLER}:4000 > ${CALLEE}:5000`, CALLER)).toEqual(connection);
    expect(connectionOf(`udp ${CALLEE}:5000 > ${CALLER}:4000`, CALLER)).toEqual(connection);
    expect(connectionOf("tcp x > y", CALLER)).toBeUndefined();
  });

  it("measures each way of each connection by its payloads, of the period alone", async () => {
    const caller = await seen("caller", [
      packet(there, -500, "before"),
      packet(there, 10, "one"),
      packet(beside, 11, "probe 1"),
      packet(there, 20, "two"),
      packet(beside, 21, "probe 2"),
      packet(back, 34, "three"),
    ]);
    const callee = await seen("callee", [
      packet(there, -498, "before"),
      packet(there, 12, "one"),
      packet(there, 23, "two"),
      packet(back, 30, "three"),
      packet(beside, 61, "probe 2"),
    ]);
    const ends = { caller, callee };
    const period = { from: START, to: START + 100 };
    const connection = connectionOf(`udp ${CALLER}:4000 > ${CALLEE}:5000`, CALLER)!;
    const assured = measureConnection(connection, ends, period);
    expect(assured.toCallee).toMatchObject({ sent: 2, received: 2, lossPct: 0, p50Ms: 2, maxMs: 3, dscp: [32] });
    expect(assured.toCaller).toMatchObject({ sent: 1, received: 1, maxMs: 4 });
    const other = otherConnection(caller, { caller: CALLER, callee: CALLEE }, connection)!;
    expect(other).toEqual({ caller: `${CALLER}:4002`, callee: `${CALLEE}:5002` });
    const bestEffort = measureConnection(other, ends, period).toCallee;
    expect(bestEffort).toMatchObject({ sent: 2, received: 1, lossPct: 50, p50Ms: 40, dscp: [0] });
  });

  it("finds no second connection where there is none", async () => {
    const caller = await seen("alone", [packet(there, 10, "one")]);
    const connection = connectionOf(`udp ${CALLER}:4000 > ${CALLEE}:5000`, CALLER)!;
    expect(otherConnection(caller, { caller: CALLER, callee: CALLEE }, connection)).toBeUndefined();
  });
});

describe("signalling", () => {
  const said = (first: string, callId: string, isSent = true, method = "INVITE"): SeenMessage => ({
    isSent,
    text: `${first}\r\nVia: SIP/2.0/WSS x\r\nCSeq: 1 ${method}\r\nCall-ID: ${callId}\r\nContent-Length: 0\r\n\r\n`,
  });
  const MESSAGES = [
    said("REGISTER sip:a.example SIP/2.0", "register"),
    said("INVITE sip:bob@b.example SIP/2.0", "call"),
    said("SIP/2.0 100 Trying", "call", false),
    said("SIP/2.0 200 OK", "call", false),
    said("ACK sip:bob@b.example SIP/2.0", "call"),
    said("BYE sip:bob@b.example SIP/2.0", "call"),
    said("SIP/2.0 200 OK", "call", false, "BYE"),
    { isSent: true, text: "\r\n\r\n" },
  ];

  it("counts the session's own messages, set-up and teardown apart", () => {
    expect(callIdOf(MESSAGES)).toBe("call");
    const names = dialogMessages(MESSAGES, "call");
    expect(names).toEqual(["INVITE", "100", "200", "ACK", "BYE", "200"]);
    expect(hopEvidence("x", names)).toEqual({
      hop: "x",
      setup: { INVITE: 1, "100": 1, "200": 1, ACK: 1 },
      teardown: { BYE: 1, "200": 1 },
    });
    expect(callIdOf([])).toBeUndefined();
    const twice = [...MESSAGES.slice(0, 4), ...MESSAGES.slice(3, 5)];
    expect(dialogMessages(twice, "call")).toEqual(["INVITE", "100", "200", "200 again", "ACK"]);
  });

  it("takes what passes between the proxies", () => {
    const message = (change: Partial<WireMessage>): WireMessage => ({
      at: 0 as Timestamp,
      from: "SIP1",
      to: "SIP2",
      protocol: "SIP",
      message: "INVITE",
      callId: "call",
      ...change,
    });
    const seen = [
      message({}),
      message({ from: "SIP2", to: "SIP1", message: "200" }),
      message({ from: "SIP2", to: "SIP1", message: "200" }),
      message({ message: "ACK" }),
      message({ message: "BYE" }),
      message({ from: "SIP2", to: "SIP1", message: "200" }),
      message({ message: "INVITE" }),
      message({ callId: "other" }),
      message({ to: "UAC" }),
      message({ protocol: "COPS" }),
    ];
    expect(proxyMessages(seen, "call")).toEqual(["INVITE", "200", "200 again", "ACK", "BYE", "200", "INVITE"]);
  });
});

describe("paidRecords", () => {
  const record = {
    session: SESSION,
    class: "game",
    seconds: 20.04,
    octetsIn: 1,
    octetsOut: 2,
    outOfProfile: 0,
    price: { amount: "0.02", currency: "EUR" },
    shares: [{ provider: "a.example", amount: "0.02" }],
  };

  it("reads what a portal answers", () => {
    expect(paidRecords("alice", { records: [record] })).toEqual([
      paid("alice", { octetsIn: 1, octetsOut: 2, price: "0.02 EUR", shares: record.shares }),
    ]);
    expect(paidRecords("alice", { records: [{ ...record, price: null }] })[0]?.price).toBe("");
  });

  it("says what an answer lacks", () => {
    expect(() => paidRecords("alice", {})).toThrow("'records'");
  });
});
