/**
 * What 1,000 aggregates cost a router that only refreshes them: RFC 4860 aggregates between two routers, each a process of
 * its own in a network of its own, in IP packets of protocol 46. Only the aggregator's processor time is counted, that of
 * the kernel on its behalf included.
 *
 * R is a second instead of thirty, and so are the delays that depend on it: in one R as much happens as in thirty seconds,
 * so a thirtieth of the time is that of R = 30 s. As a cross-check both routers are in this process with R = 30 s, a network
 * in memory and a clock that goes as fast as it can.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Clock, SYSTEM_CLOCK } from "../src/model/clock.js";
import { type Millis, millis } from "../src/model/units.js";
import { DEFAULT_RSVP_LIMITS } from "../src/rsvp/endpoint/limits.js";
import { MemoryNetwork } from "../src/rsvp/endpoint/memory-network.js";
import { openTransport } from "../src/rsvp/endpoint/open-transport.js";
import type { RsvpTransport, TransportHandlers } from "../src/rsvp/endpoint/transport.js";
import { genericAggregateSession } from "../src/rsvp/machine/aggregate.js";
import { DEFAULT_RULES } from "../src/rsvp/machine/rules.js";
import { DEFAULT_RELIABILITY } from "../src/rsvp/reliability/rules.js";
import { printFigure, rounded } from "./figure.js";
import { type BenchRouter, openRouter, tspecOf } from "./rsvp-router.js";
import { VirtualClock } from "./virtual-clock.js";

const AGGREGATES = 1000;
const GOAL = 0.05;
const PERIOD = DEFAULT_RULES.refreshPeriod;
const SHORT = millis(1000);
const FASTER = PERIOD / SHORT;
/** Octets per second of each aggregate. */
const RATE = 1_000_000;
/** Aggregates that are set up at a time. */
const BATCH = 50;
const PATIENCE = millis(10_000);
/** Periods until refreshes are spread evenly: the first come after half to one and a half. */
const SPREAD = 3;
/** Periods that are measured: in so many each state is sent once as a whole message, whatever the summaries. */
const MEASURED = DEFAULT_RELIABILITY.fullEvery;
/** PHB id of EF (RFC 3140 §2). */
const EF = 46 << 10;

const ENDS = {
  router: { interface: "sluice0", address: "10.9.0.1" },
  neighbour: { interface: "sluice1", address: "10.9.0.2" },
} as const;
type End = keyof typeof ENDS;
const VARIANTS = ["reduced", "whole"] as const;
/** With the summaries of RFC 2961, or with a whole message for each refresh. */
type Variant = (typeof VARIANTS)[number];

interface Outcome {
  /** Of one core, at R = 30 s. */
  readonly share: number;
  /** Sent and received a second, at R = 30 s. */
  readonly packets: number;
}

interface Setting {
  readonly clock: Clock;
  readonly period: Millis;
  readonly transport: (handlers: TransportHandlers) => Promise<RsvpTransport>;
}

function openEnd(end: End, variant: Variant, { clock, period, transport }: Setting): Promise<BenchRouter> {
  const summaryDelay = (DEFAULT_RELIABILITY.summaryDelay * period) / PERIOD;
  return openRouter({
    ...ENDS[end],
    clock,
    rules: { ...DEFAULT_RULES, refreshPeriod: period },
    reliability: { ...DEFAULT_RELIABILITY, summaryDelay },
    reduction: variant === "reduced",
    random: Math.random,
    transport,
  });
}

function openReal(end: End, variant: Variant): Promise<BenchRouter> {
  const transport = (handlers: TransportHandlers): Promise<RsvpTransport> =>
    openTransport("raw", {
      handlers,
      limits: DEFAULT_RSVP_LIMITS,
      clock: SYSTEM_CLOCK,
      protocols: ["rsvp"],
      alerts: [0],
      families: [4],
      udp: { role: "host", nextHops: new Map() },
    });
  return openEnd(end, variant, { clock: SYSTEM_CLOCK, period: SHORT, transport });
}

async function openAggregates({ driver, node }: BenchRouter, pass: (ms: number) => Promise<void>): Promise<void> {
  const [from, to] = [ENDS.router.address, ENDS.neighbour.address];
  const sender = { template: { address: from }, tspec: tspecOf(RATE) };
  for (let index = 0; index < AGGREGATES; index++) {
    driver.tell({ type: "open", session: genericAggregateSession(to, from, EF, index), sender });
    if (index % BATCH === BATCH - 1) await pass(50);
  }
  for (let waited = 0; reservedIn(node) < AGGREGATES && waited < PATIENCE; waited += SHORT) await pass(SHORT);
  requireAll(node);
}

const reservedIn = (node: BenchRouter["node"]): number => node.reserved(ENDS.router.interface) / RATE;

/** Nothing that was reserved may have been lost, or less was refreshed than is said. */
function requireAll(node: BenchRouter["node"]): void {
  const reserved = reservedIn(node);
  if (reserved !== AGGREGATES) throw new Error(`${reserved} aggregates are reserved, not ${AGGREGATES}`);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Seconds of processor time of this process, user and system. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function packetsOf({ driver }: BenchRouter): number {
  const counts = driver.endpoint?.transport?.counts();
  return (counts?.sent ?? 0) + (counts?.received ?? 0);
}

/** The neighbour, in a namespace that lives as long as its process, and a link to it. */
async function startNeighbour(variant: Variant): Promise<() => Promise<void>> {
  const args = ["--net", process.execPath, fileURLToPath(import.meta.url), "neighbour", variant];
  const child = spawn("unshare", args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  const [here, there] = [ENDS.router, ENDS.neighbour];
  const inside = ["nsenter", "-t", `${child.pid}`, "-n"];
  for (const command of [
    ["ip", "link", "add", here.interface, "type", "veth", "peer", "name", there.interface, "netns", `${child.pid}`],
    ["ip", "addr", "add", `${here.address}/24`, "dev", here.interface],
    ["ip", "link", "set", here.interface, "up"],
    [...inside, "ip", "addr", "add", `${there.address}/24`, "dev", there.interface],
    [...inside, "ip", "link", "set", there.interface, "up"],
  ]) {
    const [program = "", ...rest] = command;
    await execa(program, rest);
  }
  child.stdin.write("linked\n");
  await once(lines, "line");
  return async () => {
    child.stdin.end();
    await once(child, "exit");
  };
}

/** Says when it is there, and when RSVP is; ends with its input. */
async function neighbour(variant: Variant): Promise<void> {
  const input = createInterface({ input: process.stdin });
  process.stdout.write("here\n");
  await once(input, "line");
  const router = await openReal("neighbour", variant);
  process.stdout.write("open\n");
  await once(input, "close");
  await router.driver.close();
}

async function router(variant: Variant): Promise<void> {
  const stopNeighbour = await startNeighbour(variant);
  const own = await openReal("router", variant);
  await openAggregates(own, sleep);
  await sleep(SPREAD * SHORT);
  const [packets, cpu, began] = [packetsOf(own), cpuSeconds(), performance.now()];
  await sleep(MEASURED * SHORT);
  const elapsed = (FASTER * (performance.now() - began)) / 1000;
  const outcome = { share: (cpuSeconds() - cpu) / elapsed, packets: (packetsOf(own) - packets) / elapsed };
  requireAll(own.node);
  await own.driver.close();
  await stopNeighbour();
  say(outcome);
}

/** Both routers here, at R = 30 s; the processor time of both is counted, and that of the network between them. */
async function inMemory(variant: Variant): Promise<Outcome> {
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock, () => [1]);
  network.link({ node: "router", ...ENDS.router }, { node: "neighbour", ...ENDS.neighbour });
  const open = (end: End): Promise<BenchRouter> => {
    const transport = (handlers: TransportHandlers): Promise<RsvpTransport> =>
      Promise.resolve(network.open(end, { handlers, limits: DEFAULT_RSVP_LIMITS }));
    return openEnd(end, variant, { clock, period: PERIOD, transport });
  };
  const [own, other] = [await open("router"), await open("neighbour")];
  await openAggregates(own, (ms) => clock.pass(ms));
  await clock.pass(SPREAD * PERIOD);
  const [packets, cpu] = [packetsOf(own), cpuSeconds()];
  await clock.pass(MEASURED * PERIOD);
  const elapsed = (MEASURED * PERIOD) / 1000;
  const outcome = { share: (cpuSeconds() - cpu) / elapsed, packets: (packetsOf(own) - packets) / elapsed };
  requireAll(own.node);
  await own.driver.close();
  await other.driver.close();
  return outcome;
}

const say = (outcome: Outcome): void => void process.stdout.write(`${JSON.stringify(outcome)}\n`);

/** Runs this file again, so that no variant finds what another has warmed up. */
function outcomeOf(role: string, variant: Variant): Outcome {
  const args = [fileURLToPath(import.meta.url), role, variant];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Outcome;
}

function compare(place: string, role: string): void {
  const [reduced, whole] = [outcomeOf(role, "reduced"), outcomeOf(role, "whole")];
  for (const [how, outcome] of [
    ["Srefresh", reduced],
    ["whole messages", whole],
  ] as const) {
    printFigure({
      bench: "pools",
      figure: `share of a core, ${AGGREGATES} aggregates refreshed, R = 30 s, ${how}, ${place}`,
      value: rounded(outcome.share),
      unit: "of a core",
      baseline: rounded(whole.share),
      ratio: rounded(whole.share / outcome.share),
      goal: `<= ${GOAL}`,
      ok: outcome.share <= GOAL,
    });
  }
  printFigure({
    bench: "pools",
    figure: `packets sent and received, ${AGGREGATES} aggregates refreshed, R = 30 s, ${place}`,
    value: rounded(reduced.packets),
    unit: "1/s",
    baseline: rounded(whole.packets),
    ratio: rounded(whole.packets / reduced.packets),
    goal: "fewer than by whole messages",
    ok: reduced.packets < whole.packets,
  });
}

const [, , role, given] = process.argv;
const variant = VARIANTS.find((name) => name === given) ?? "reduced";
if (role === "router") await router(variant);
else if (role === "neighbour") await neighbour(variant);
else if (role === "memory") say(await inMemory(variant));
else {
  compare("one router on raw sockets", "router");
  compare("two routers in memory", "memory");
}
