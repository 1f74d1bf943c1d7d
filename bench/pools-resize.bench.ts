/**
 * A pool's class is made larger and smaller through the kernel port while 4,000 packets a second pass through it, on a link
 * that is flooded: how many are lost, how many miss the class, and how long a resize takes. The peers are a class that is
 * taken away and made again, and one spawned `tc class change`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { type LinuxKernel, openLinuxKernel } from "../src/kernel/linux.js";
import type { DesiredState, FlowRule, PoolClass } from "../src/kernel/port.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { kilobitsPerSecond, octets } from "../src/model/units.js";
import { BENCH_STATE, flowOf } from "./call.js";
import { printFigure, rounded } from "./figure.js";
import { buildPath, type Path } from "./forwarding-path.js";

const RESIZES = Number(process.env.BENCH_ROUNDS ?? 400);
/** One in so many resizes is followed by one of the peer. */
const PEER_EVERY = 4;
const PACKETS_PER_SECOND = 4000;
/** 200 octets with its headers, 214 on the link: 6.85 Mbit/s. */
const PAYLOAD = 172;
const PORT = 7001;
/** Until the sender sends, and until what is queued has left. */
const SETTLE_MS = 300;
const FLOOD = { port: 9, packetsPerSecond: 3000, payload: 1372 };
/** r1's devices: the bottleneck, and one that nothing passes. */
const [EGRESS, IDLE] = ["r1b", "r1a"];
const LINK = kilobitsPerSecond(20_000);
const SIZES = [kilobitsPerSecond(8000), kilobitsPerSecond(16_000)] as const;
/** The pool's, as `tc` knows it: 0x10 and the pool's number. */
const CLASS = "1:11";

const live: FlowRule = {
  ...flowOf(1),
  key: {
    protocol: "udp",
    source: { address: "10.1.0.2", port: undefined },
    destination: { address: "10.3.0.2", port: PORT },
  },
  rate: kilobitsPerSecond(100_000),
};
const sized = (resize: number): PoolClass => ({ id: 1, name: "voice", rate: SIZES[resize % 2 === 0 ? 0 : 1] });
const stateWith = (pool: PoolClass): DesiredState => ({
  ...BENCH_STATE,
  interfaces: [{ name: EGRESS, rate: LINK, overhead: octets(0), signallingRate: kilobitsPerSecond(256) }],
  pools: new Map([[pool.id, pool]]),
  flows: new Map([[live.id, live]]),
});

/** What became of the packets of a while. */
interface Passed {
  readonly sent: number;
  /** Packets a second. */
  readonly rate: number;
  readonly lost: number;
  /** Arrived, but not through the pool's class. */
  readonly missed: number;
}

async function during(path: Path, sender: string, kernel: LinuxKernel, work: () => Promise<void>): Promise<Passed> {
  const before = [await arrived(path), await inClass(kernel)] as const;
  const [command, ...args] = [...path.inside("a"), "nice", "-n", "-10", sender];
  const sending = execa(command, [...args, ...[0, PORT, PACKETS_PER_SECOND, PAYLOAD].map(String)]);
  const started = performance.now();
  await wait(SETTLE_MS);
  await work();
  const elapsed = performance.now() - started;
  sending.kill("SIGTERM");
  const sent = Number((await sending).stdout);
  await wait(SETTLE_MS);
  const came = (await arrived(path)) - before[0];
  const rate = Math.round((1000 * sent) / elapsed);
  return { sent, rate, lost: sent - came, missed: came - ((await inClass(kernel)) - before[1]) };
}

async function arrived(path: Path): Promise<number> {
  const [command, ...args] = path.inside("b");
  const { stdout } = await execa(command, [...args, "nft", "list", "table", "inet", "seen"]);
  return Number(/counter packets (\d+)/.exec(stdout)?.[1] ?? Number.NaN);
}

async function inClass(kernel: LinuxKernel): Promise<number> {
  const { classes } = await kernel.read();
  return classes.find(({ kind }) => kind === "pool")?.sent.packets ?? Number.NaN;
}

/** Milliseconds of each. */
interface Times {
  readonly port: number[];
  readonly peer: number[];
}

async function resizeAgainAndAgain(kernel: LinuxKernel, times: Times): Promise<void> {
  for (let resize = 1; resize <= RESIZES; resize++) {
    const pool = sized(resize);
    times.port.push(await timed(() => kernel.apply(stateWith(pool), [{ kind: "pool.set", pool }])));
    if (resize % PEER_EVERY === 0) times.peer.push(await timed(() => changeClass(IDLE, "1:1", pool)));
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const changeClass = (device: string, classid: string, { rate }: PoolClass) =>
  execa("tc", ["class", "change", "dev", device, "classid", classid, "htb", "rate", `${rate}`, "ceil", `${LINK}`]);

/** As somebody does who cannot change a class. */
async function makeAgainAndAgain(): Promise<void> {
  for (let round = 0; round < RESIZES; round++) {
    const { rate } = sized(round);
    const made = `class add dev ${EGRESS} parent 1:1 classid ${CLASS} htb rate ${rate} ceil ${LINK} quantum 1514`;
    await execa("tc", ["-batch", "-"], { input: `class del dev ${EGRESS} classid ${CLASS}\n${made}\n` });
  }
}

const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;

function report(resized: Passed, remade: Passed, times: Times): void {
  const of = `of ${resized.sent} at ${resized.rate} a second, in ${RESIZES} resizes`;
  // The kernel forgets what went through a class that is made again.
  for (const [figure, value, baseline] of [
    [`packets lost, ${of}; baseline: class made again, of ${remade.sent}`, resized.lost, remade.lost],
    [`packets that missed the class, ${of}`, resized.missed, 0],
  ] as const) {
    printFigure({
      bench: "pools",
      figure,
      value,
      unit: "packets",
      baseline,
      ratio: 1,
      goal: `0 at ${PACKETS_PER_SECOND} a second`,
      ok: value === 0 && resized.rate > 0.8 * PACKETS_PER_SECOND,
    });
  }
  const [port = [], peer = []] = [times.port, times.peer].map((each) => each.toSorted((left, right) => left - right));
  for (const [name, part] of [
    ["p50", 0.5],
    ["p99", 0.99],
  ] as const) {
    const [value, baseline] = [at(port, part), at(peer, part)];
    printFigure({
      bench: "pools",
      figure: `resize of a class and what leads to it, against \`tc class change\` spawned, ${name}`,
      value: rounded(value),
      unit: "ms",
      baseline: rounded(baseline),
      ratio: rounded(baseline / value),
      goal: "<= 3 times the peer",
      ok: value <= 3 * baseline,
    });
  }
}

const folder = await mkdtemp(join(tmpdir(), "sluice-bench-"));
const sender = join(folder, "paced-sender");
await execa("cc", ["-O2", "-o", sender, "bench/paced-sender.c"]);
const path = await buildPath();
const kernel = await openLinuxKernel({ table: "sluice", log: SILENT_LOGGER });
try {
  const hook = "type filter hook prerouting priority -400";
  const [command, ...args] = path.inside("b");
  await execa(command, [...args, "nft", `table inet seen { chain in { ${hook}; udp dport ${PORT} counter; }; }`]);
  await execa("tc", ["-batch", "-"], {
    input: `qdisc add dev ${IDLE} root handle 1: htb\nclass add dev ${IDLE} parent 1: classid 1:1 htb rate ${LINK}\n`,
  });
  const desired = stateWith(sized(0));
  await kernel.apply(desired, kernel.plan(desired, await kernel.read()));
  const flood = path.sender(sender, [0, FLOOD.port, FLOOD.packetsPerSecond, FLOOD.payload].map(String));
  const times: Times = { port: [], peer: [] };
  const resized = await during(path, sender, kernel, () => resizeAgainAndAgain(kernel, times));
  const remade = await during(path, sender, kernel, makeAgainAndAgain);
  flood.kill("SIGKILL");
  report(resized, remade, times);
  await kernel.cleanup();
} finally {
  await kernel.close();
  path.close();
  await rm(folder, { recursive: true });
}
