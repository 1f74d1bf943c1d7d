/**
 * What a router's rules take from its forwarding rate: 10,000 live flows classified, policed, marked and counted, in
 * random order, and packets that belong to no session.
 *
 * Rules stand on r1 alone of a - r1 - r2 - b, and are switched off and on in turn (a dormant table has no hooks), 120 ms
 * each. The whole path runs on the sender's processor, in the sender's time, so packets are counted per second of its
 * processor time: neighbours on the machine take time from it, but not from the figure. There is no HTB in either half.
 */

import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { openLinuxKernel } from "../src/kernel/linux.js";
import type { DesiredState, FlowRule } from "../src/kernel/port.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { sessionIdOf } from "../src/model/session.js";
import { dscp, kilobitsPerSecond, octets } from "../src/model/units.js";
import { median, printFigure, rounded } from "./figure.js";
import { buildPath, type Path } from "./forwarding-path.js";

const TABLE = "sluice";
const SLICE_MS = 120;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 60);
const PORTS = 5000;
const FIRST_PORT = 16_384;
const SOURCES = 2;
const FIRST_SOURCE = 20_000;

/** The flow of a source socket and a destination port; generous, so that every packet is in profile. */
const flow = (source: number, port: number, tight: boolean): FlowRule => ({
  id: source * PORTS + port + 1,
  session: sessionIdOf(`bench-${port}`, "tag"),
  key: {
    protocol: "udp",
    source: { address: "10.1.0.2", port: FIRST_SOURCE + 2 * source },
    destination: { address: "10.3.0.2", port: FIRST_PORT + 2 * port },
  },
  dscp: dscp(46),
  pool: 1,
  rate: kilobitsPerSecond(100_000),
  burst: octets(1500),
  ...(tight ? { packetSize: octets(200) } : {}),
  outOfProfile: { action: "drop" },
});

const stateOf = (tight: boolean): DesiredState => ({
  interfaces: [],
  signalling: [{ protocol: "udp", port: 5060, servers: ["192.0.2.1"] }],
  signallingDscp: dscp(24),
  pools: new Map([[1, { id: 1, name: "voice", rate: kilobitsPerSecond(1000) }]]),
  tunnels: new Map(),
  flows: new Map(
    Array.from({ length: SOURCES * PORTS }, (_, n) => flow(Math.floor(n / PORTS), n % PORTS, tight)).map((rule) => [
      rule.id,
      rule,
    ]),
  ),
});

/** Processes whose time is the path's: the sender's, and that of its processor's soft interrupts. */
function workers(sender: number): readonly number[] {
  const name = `ksoftirqd/${cpus().length - 1}`;
  const isSoft = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "latin1").trim() === name;
    } catch {
      return false;
    }
  };
  const soft = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isSoft(pid));
  return [sender, ...soft.map(Number)];
}

const secondsOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[0]), 0) / 1e9;

const setDormant = (isDormant: boolean) =>
  execa("nft", [`add table inet ${TABLE} ${isDormant ? "{ flags dormant; }" : ""}`]);

interface Rates {
  readonly off: readonly number[];
  readonly on: readonly number[];
}

async function measureRates(path: Path, program: string, firstPort: number): Promise<Rates> {
  const sender = path.sender(program, [`${PORTS}`, `${firstPort}`, `${SOURCES}`]);
  // nsenter becomes the program: its process is the sender.
  const pids = workers(sender.pid ?? 0);
  const rate = async (): Promise<number> => {
    await wait(15);
    const [packets, seconds] = [path.received(), secondsOf(pids)];
    await wait(SLICE_MS);
    return (path.received() - packets) / (secondsOf(pids) - seconds);
  };
  const off: number[] = [];
  const on: number[] = [];
  try {
    await wait(500);
    for (let round = 0; round < ROUNDS; round++) {
      await setDormant(true);
      off.push(await rate());
      await setDormant(false);
      on.push(await rate());
    }
  } finally {
    sender.kill("SIGKILL");
  }
  return { off, on };
}

const sorted = (values: readonly number[]): readonly number[] => [...values].sort((left, right) => left - right);

function report(figure: string, goal: number, { off, on }: Rates): void {
  const ratio = median(sorted(off.map((rate, round) => (on[round] ?? Number.NaN) / rate)));
  const added = median(sorted(off.map((rate, round) => 1e9 / (on[round] ?? Number.NaN) - 1e9 / rate)));
  printFigure({
    bench: "kernel",
    figure: `${figure}; ${Math.round(added)} ns a packet more`,
    value: Math.round(median(sorted(on))),
    unit: "packets per second of processor time",
    baseline: Math.round(median(sorted(off))),
    ratio: rounded(ratio),
    goal: `>= ${goal} of the rate without rules`,
    ok: ratio >= goal,
  });
}

const folder = await mkdtemp(join(tmpdir(), "sluice-bench-"));
const program = join(folder, "sender");
await execa("cc", ["-O2", "-o", program, "bench/sender.c"]);
const path = await buildPath();
try {
  for (const tight of [false, true]) {
    const kernel = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER });
    const desired = stateOf(tight);
    await kernel.apply(desired, kernel.plan(desired, await kernel.read()));
    const limit = tight ? "packets" : "octets";
    const rates = await measureRates(path, program, FIRST_PORT);
    const counted = [...(await kernel.counters()).values()].filter(({ inProfile }) => inProfile.packets > 0).length;
    report(`${desired.flows.size} flows, ${counted} live, policed by ${limit}`, 0.9, rates);
    if (!tight) {
      report("no session, ports of none", 0.97, await measureRates(path, program, 40_000));
      // Odd ports: in the same blocks as the flows' even ones.
      report("no session, but ports of sessions", 0.97, await measureRates(path, program, FIRST_PORT + 1));
    }
    await kernel.cleanup();
    await kernel.close();
  }
} finally {
  path.close();
  await rm(folder, { recursive: true });
}
