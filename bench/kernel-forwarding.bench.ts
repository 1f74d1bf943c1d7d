/**
 * What a router's rules take from its forwarding rate: 10,000 live flows classified, policed, marked and counted, in
 * random order, and packets that belong to no session; with nftables and with eBPF.
 *
 * Rules stand on r1 alone of a - r1 - r2 - b, and are switched off and on in turn, 120 ms each: a dormant
 * table has no hooks, a program that is detached no packets. `BENCH_BACKEND` names one of the two. The whole path runs on
 * the sender's processor, in the sender's time, so packets are counted per second of its processor time: neighbours on the
 * machine take time from it, but not from the figure. There is no HTB in either half.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { programById } from "../src/kernel/ebpf/bpf-program.js";
import { EbpfClassifier } from "../src/kernel/ebpf/ebpf-classifier.js";
import { attachEgress, detachEgress, queryEgress } from "../src/kernel/ebpf/tcx.js";
import { openLinuxKernel } from "../src/kernel/linux.js";
import type { DesiredState, FlowId, FlowRule, ManagedInterface } from "../src/kernel/port.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { sessionIdOf } from "../src/model/session.js";
import { dscp, kilobitsPerSecond, octets } from "../src/model/units.js";
import type { FlowCounters } from "../src/model/usage.js";
import { median, printFigure, rounded } from "./figure.js";
import { buildPath, type Path } from "./forwarding-path.js";
import { secondsOf, workers } from "./processor-time.js";

const TABLE = "sluice";
const SLICE_MS = 120;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 60);
const PORTS = 5000;
const FIRST_PORT = 16_384;
const SOURCES = 2;
const FIRST_SOURCE = 20_000;
/** r1's device towards b. */
const EGRESS = "r1b";
/** As the router has it by default. */
const MAX_FLOWS = 65_536;
/** linux/if_arp.h. */
const [ETHERNET, LOOPBACK] = [1, 772];

const link: ManagedInterface = {
  name: EGRESS,
  rate: kilobitsPerSecond(10_000_000),
  overhead: octets(0),
  signallingRate: kilobitsPerSecond(256),
};

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

/** Rules that stand, switched off and on again at once. */
interface Rules {
  readonly name: string;
  switchTo(isOn: boolean): Promise<void>;
  /** Flows with a packet in profile. */
  live(): Promise<number>;
  remove(): Promise<void>;
}

const liveIn = (counters: ReadonlyMap<FlowId, FlowCounters>): number =>
  [...counters.values()].filter(({ inProfile }) => inProfile.packets > 0).length;

async function nftables(desired: DesiredState): Promise<Rules> {
  const kernel = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER });
  await kernel.apply(desired, kernel.plan(desired, await kernel.read()));
  return {
    name: "nftables",
    switchTo: async (isOn) => {
      await execa("nft", [`add table inet ${TABLE} ${isOn ? "" : "{ flags dormant; }"}`]);
    },
    live: async () => liveIn(await kernel.counters()),
    remove: async () => {
      await kernel.cleanup();
      await kernel.close();
    },
  };
}

/** The classifier of the back end, without the HTB trees that it would stand beside. */
async function ebpf(desired: DesiredState): Promise<Rules> {
  const index = Number.parseInt((await execa("ip", ["-oneline", "link", "show", EGRESS])).stdout, 10);
  const devices = async () => [
    { index: 1, name: "lo", linkType: LOOPBACK },
    { index, name: EGRESS, linkType: ETHERNET },
  ];
  const options = { table: TABLE, maxFlows: MAX_FLOWS, detail: "", devices };
  const classifier = new EbpfClassifier(options, SILENT_LOGGER);
  await classifier.install({ ...desired, interfaces: [link] });
  await classifier.changePools([], [...desired.pools.values()]);
  await classifier.changeFlows(
    [],
    [...desired.flows.values()].map((rule) => ({ rule })),
  );
  const [id = 0] = queryEgress(index).programIds;
  const attached = programById(id);
  let isAttached = true;
  const switchTo = async (isOn: boolean): Promise<void> => {
    if (isOn !== isAttached) (isOn ? attachEgress : detachEgress)(index, attached);
    isAttached = isOn;
  };
  return {
    name: "eBPF",
    switchTo,
    live: async () => liveIn(await classifier.counters()),
    remove: async () => {
      await switchTo(true);
      attached.close();
      await classifier.remove();
      await classifier.close();
    },
  };
}

interface Rates {
  readonly off: readonly number[];
  readonly on: readonly number[];
}

async function measureRates(rules: Rules, path: Path, program: string, firstPort: number): Promise<Rates> {
  const sender = path.sender(program, [`${PORTS}`, `${firstPort}`, `${SOURCES}`]);
  // nsenter becomes the program: its process is the sender.
  const pids = workers([sender.pid ?? 0]);
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
      await rules.switchTo(false);
      off.push(await rate());
      await rules.switchTo(true);
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
  for (const [make, tight] of [
    [nftables, false],
    [nftables, true],
    // The size of packets makes no difference there.
    [ebpf, false],
  ] as const) {
    if (process.env.BENCH_BACKEND !== undefined && process.env.BENCH_BACKEND !== make.name) continue;
    const desired = stateOf(tight);
    const rules = await make(desired);
    const rates = await measureRates(rules, path, program, FIRST_PORT);
    const flows = `${rules.name}: ${desired.flows.size} flows, ${await rules.live()} live`;
    report(`${flows}, policed by ${tight ? "packets" : "octets"}`, 0.9, rates);
    if (!tight) {
      const none = `${rules.name}: no session`;
      report(`${none}, ports of none`, 0.97, await measureRates(rules, path, program, 40_000));
      // Odd ports: in the same blocks as the flows' even ones.
      report(`${none}, but ports of sessions`, 0.97, await measureRates(rules, path, program, FIRST_PORT + 1));
    }
    await rules.remove();
  }
} finally {
  path.close();
  await rm(folder, { recursive: true });
}
