/**
 * State and messages for 10,000 calls between two routers: one aggregate whose size follows the calls, against an
 * end-to-end reservation for each call. Both are made by this implementation, over a network in memory and with a clock
 * that goes as fast as it can. Calls come and go at random, the same ones for each way to reserve.
 *
 * Counted are both routers, and for the aggregate the ledger and sizing of the policy server, which say which calls fit;
 * what the calls themselves cost without any reservation is taken off. COPS between policy server and router is in neither.
 * With `--write` the figures are also drawn: docs/img/rsvp-state.svg.
 */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SILENT_LOGGER } from "../src/model/log.js";
import type { SessionId } from "../src/model/session.js";
import { bitsPerSecond, dscp, millis, seconds, timestamp } from "../src/model/units.js";
import { AdmissionLedger } from "../src/pdp/ledger.js";
import { PoolKeeper } from "../src/pdp/pools/pool-keeper.js";
import type { IpSession } from "../src/rsvp/codec/objects.js";
import { DEFAULT_RSVP_LIMITS } from "../src/rsvp/endpoint/limits.js";
import { MemoryNetwork } from "../src/rsvp/endpoint/memory-network.js";
import type { TransportHandlers } from "../src/rsvp/endpoint/transport.js";
import { aggregateSession } from "../src/rsvp/machine/aggregate.js";
import { largestOf } from "../src/rsvp/machine/flowspec-algebra.js";
import { DEFAULT_RULES } from "../src/rsvp/machine/rules.js";
import { DEFAULT_RELIABILITY } from "../src/rsvp/reliability/rules.js";
import { barChart } from "./bar-chart.js";
import { Callers, type CallHandlers, randomFrom } from "./callers.js";
import { printFigure, rounded } from "./figure.js";
import { type BenchRouter, openRouter, tspecOf } from "./rsvp-router.js";
import { VirtualClock } from "./virtual-clock.js";

const CALLS = 10_000;
/** Mean, exponential. */
const HOLDING_S = 180;
/** Until refreshes are spread evenly, and measured. */
const SPREAD_S = 35;
const MEASURED_S = 30;
/** Calls that are set up a second at first. */
const FILL_RATE = 1000;
/** Bit/s of a call, the Ethernet header not counted; and by how much the aggregate grows or shrinks. */
const CALL_RATE = 80_000;
const STEP = 100 * CALL_RATE;
const ROUTERS = {
  a: { interface: "a0", address: "192.0.2.1" },
  b: { interface: "b0", address: "192.0.2.2" },
} as const;
const POOL = "voice";
const UDP = 17;
/** IPv4 header; the Router Alert option adds a word. */
const IP_HEADER = 20;
const ROUTER_ALERT = 4;

const KINDS = ["none", "aggregate", "reduced", "whole"] as const;
/** Nothing reserved; one aggregate; a reservation per call, refreshed as RFC 2961 has it or as RFC 2205 does. */
type Kind = (typeof KINDS)[number];

interface Outcome {
  /** On the link, both ways, a second. Octets at the IP layer. */
  readonly packets: number;
  readonly octets: number;
  /** Of the heap and beside it, octets per call, garbage collected. */
  readonly state: number;
  /** Of the processor, microseconds for each call from begin to end. */
  readonly processor: number;
}

/** A way to reserve for calls. */
interface Reserving extends CallHandlers {
  /** Throws if fewer calls have a reservation than there are. */
  check(calls: number): void;
  close(): Promise<void>;
}

/** What went over the link. */
interface Wire {
  packets: number;
  octets: number;
}

function networkOn(clock: VirtualClock, wire: Wire): MemoryNetwork {
  const network = new MemoryNetwork(clock, ({ octets, routerAlert }) => {
    wire.packets += 1;
    wire.octets += IP_HEADER + (routerAlert === undefined ? 0 : ROUTER_ALERT) + octets.length;
    return [1];
  });
  network.link({ node: "a", ...ROUTERS.a }, { node: "b", ...ROUTERS.b });
  return network;
}

interface Routers {
  readonly a: BenchRouter;
  readonly b: BenchRouter;
}

/** @param reserved - octets per second at the IP layer that a session of a has been given */
async function openRouters(
  clock: VirtualClock,
  network: MemoryNetwork,
  { reduction, reserved }: { readonly reduction: boolean; readonly reserved?: (rate: number) => void },
): Promise<Routers> {
  const open = (name: keyof typeof ROUTERS): Promise<BenchRouter> =>
    openRouter({
      ...ROUTERS[name],
      clock,
      rules: DEFAULT_RULES,
      reliability: DEFAULT_RELIABILITY,
      reduction,
      random: randomFrom(name === "a" ? 1 : 2),
      transport: (handlers: TransportHandlers) =>
        Promise.resolve(network.open(name, { handlers, limits: DEFAULT_RSVP_LIMITS })),
      notice: (_, notice) => {
        if (notice.what === "reserved") reserved?.(largestOf(notice.flows));
      },
    });
  return { a: await open("a"), b: await open("b") };
}

async function closeRouters({ a, b }: Routers): Promise<void> {
  await a.driver.close();
  await b.driver.close();
}

/** An end-to-end reservation for each call. */
async function callByCall(clock: VirtualClock, network: MemoryNetwork, reduction: boolean): Promise<Reserving> {
  const routers = await openRouters(clock, network, { reduction });
  const { driver, node } = routers.a;
  const session = (call: number): IpSession => ({
    kind: "ip",
    destination: ROUTERS.b.address,
    protocol: UDP,
    port: 1024 + (call % 60_000),
    ePolice: false,
  });
  const template = { address: ROUTERS.a.address, port: 4000 };
  const sender = { template, tspec: tspecOf(CALL_RATE / 8) };
  return {
    begin: (call) => driver.tell({ type: "open", session: session(call), sender }),
    end: (call) => driver.tell({ type: "close", session: session(call), template }),
    check: (calls) => requireRate(node.reserved(ROUTERS.a.interface) * 8, calls),
    close: () => closeRouters(routers),
  };
}

/** Calls take from a pool, and the pool's reservation follows them. */
async function aggregate(clock: VirtualClock, network: MemoryNetwork): Promise<Reserving> {
  const session = aggregateSession(ROUTERS.b.address, dscp(46));
  const template = { address: ROUTERS.a.address };
  const routers = await openRouters(clock, network, {
    reduction: true,
    reserved: (rate) => keeper.confirmed(POOL, bitsPerSecond(rate * 8)),
  });
  const { driver, node } = routers.a;
  const pool = poolOf(2 * CALLS * CALL_RATE);
  const ledger = new AdmissionLedger([pool]);
  const keeper = new PoolKeeper({
    ledger,
    pools: [pool],
    timeZone: "UTC",
    port: {
      request: (_, rate) => driver.tell({ type: "open", session, sender: { template, tspec: tspecOf(rate / 8) } }),
    },
    rank: () => ({ priority: 0, since: timestamp(0) }),
    shed: (call) => keeper.release(call),
    clock,
    log: SILENT_LOGGER,
  });
  keeper.start();
  const idOf = (call: number): SessionId => call.toString(16).padStart(16, "0") as SessionId;
  const need = { pool: POOL, up: bitsPerSecond(CALL_RATE), down: bitsPerSecond(CALL_RATE) };
  return {
    begin: (call) => void keeper.reserve(idOf(call), [need]),
    end: (call) => keeper.release(idOf(call)),
    check(calls) {
      requireRate(ledger.used(POOL).up, calls);
      if (node.reserved(ROUTERS.a.interface) * 8 < calls * CALL_RATE) throw new Error("the aggregate is too small");
    },
    close() {
      keeper.close();
      return closeRouters(routers);
    },
  };
}

const poolOf = (ceiling: number) => ({
  name: POOL,
  rate: bitsPerSecond(STEP),
  overhead: bitsPerSecond(0),
  sizing: {
    floor: bitsPerSecond(STEP),
    ceiling: bitsPerSecond(ceiling),
    step: bitsPerSecond(STEP),
    headRoom: bitsPerSecond(STEP / 2),
    hold: seconds(10),
    growTimeout: millis(3000),
    retry: seconds(10),
  },
  schedule: [],
});

function requireRate(rate: number, calls: number): void {
  if (rate !== calls * CALL_RATE) throw new Error(`${rate / CALL_RATE} calls have a reservation, not ${calls}`);
}

const NOTHING: Reserving = {
  begin: () => undefined,
  end: () => undefined,
  check: () => undefined,
  close: () => Promise.resolve(),
};

function reservingOf(kind: Kind, clock: VirtualClock, network: MemoryNetwork): Promise<Reserving> {
  if (kind === "none") return Promise.resolve(NOTHING);
  return kind === "aggregate" ? aggregate(clock, network) : callByCall(clock, network, kind === "reduced");
}

function heap(): number {
  for (let run = 0; run < 4; run++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function run(kind: Kind): Promise<Outcome> {
  const clock = new VirtualClock();
  const wire: Wire = { packets: 0, octets: 0 };
  const reserving = await reservingOf(kind, clock, networkOn(clock, wire));
  const callers = new Callers(clock, reserving, { calls: CALLS, holding: HOLDING_S });
  await clock.pass(1000);
  const before = heap();
  for (let call = 0; call < CALLS; call += FILL_RATE / 100) {
    for (let index = 0; index < FILL_RATE / 100; index++) callers.begin();
    await clock.pass(10);
  }
  callers.arrive();
  await clock.pass(SPREAD_S * 1000);
  const state = (heap() - before) / callers.active;
  const [start, cpu, begun] = [{ ...wire }, cpuMicroseconds(), callers.begun];
  await clock.pass(MEASURED_S * 1000);
  const processor = (cpuMicroseconds() - cpu) / (callers.begun - begun);
  const packets = (wire.packets - start.packets) / MEASURED_S;
  const octets = (wire.octets - start.octets) / MEASURED_S;
  // Only those that end meanwhile are not counted here: what is under way has what it needs.
  callers.arriving = false;
  await clock.pass(DEFAULT_RELIABILITY.retransmitInterval);
  reserving.check(callers.active);
  await reserving.close();
  return { packets, octets, state, processor };
}

/** Runs this file again, so that each kind has a heap of its own. */
async function outcomeOf(kind: Kind): Promise<Outcome> {
  const args = ["--expose-gc", fileURLToPath(import.meta.url), kind];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Outcome;
}

function less(outcome: Outcome, none: Outcome): Outcome {
  return { ...outcome, state: outcome.state - none.state, processor: outcome.processor - none.processor };
}

const MEASURES = [
  ["packets", "packets a second on the link", "1/s"],
  ["octets", "octets a second on the link, IP layer", "octets/s"],
  ["state", "octets of heap per call", "octets"],
  ["processor", "processor time per call, begin to end", "us"],
] as const;

async function figures(): Promise<void> {
  const none = await outcomeOf("none");
  const one = less(await outcomeOf("aggregate"), none);
  // Side by side: processor time is counted, not the clock on the wall.
  const perCall = await Promise.all([outcomeOf("reduced"), outcomeOf("whole")]);
  const [reduced, whole] = [less(perCall[0], none), less(perCall[1], none)];
  for (const [key, name, unit] of MEASURES) {
    for (const [how, peer] of [
      ["Srefresh", reduced],
      ["whole messages", whole],
    ] as const) {
      printFigure({
        bench: "pools",
        figure: `${name}, ${CALLS} calls as one aggregate, against a reservation per call by ${how}`,
        value: rounded(one[key]),
        unit,
        baseline: rounded(peer[key]),
        ratio: rounded(peer[key] / one[key]),
        goal: "less than a reservation per call",
        ok: one[key] < peer[key],
      });
    }
  }
  if (process.argv.includes("--write")) draw(one, reduced, whole);
}

function draw(one: Outcome, reduced: Outcome, whole: Outcome): void {
  const groups = MEASURES.map(([key, name, unit]) => ({
    title: unit === "us" ? `${name}, microseconds` : name,
    bars: [
      { label: "one aggregate", value: one[key] },
      { label: "a reservation per call, Srefresh", value: reduced[key] },
      { label: "a reservation per call, whole messages", value: whole[key] },
    ],
  }));
  const heading = `${CALLS.toLocaleString("en-US")} calls between two routers`;
  const footer = `Logarithmic scales. Calls last ${HOLDING_S} s on average; R = ${DEFAULT_RULES.refreshPeriod / 1000} s; both routers counted. npm run bench -- pools-state`;
  mkdirSync("docs/img", { recursive: true });
  writeFileSync("docs/img/rsvp-state.svg", barChart(heading, footer, groups));
}

const kind = KINDS.find((name) => name === process.argv[2]);
if (kind === undefined) await figures();
else process.stdout.write(`${JSON.stringify(await run(kind))}\n`);
