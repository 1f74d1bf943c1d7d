/**
 * Calls through the whole kernel port, against a spawned `nft -f -` that does the same beside as many resident flows.
 * `BENCH_BACKEND=ebpf` takes that back end instead of nftables.
 */
import { execa } from "execa";
import { openKernel } from "../src/kernel/open.js";
import type { FlowRule } from "../src/kernel/port.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { callOf, change, FLOWS_PER_CALL, openBenchState } from "./call.js";
import { measure, median, printFigure, rounded } from "./figure.js";

/** Flows that are there already. */
const RESIDENT = [0, 10_000, 100_000] as const;
const RUNS = 500;
const WARM_UP = 1000;
const BASELINE_RUNS = 25;
const MAX_FLOWS = 262_144;
const SUSTAINED_CALLS = 10_000;
/** Decisions that a policy server has under way at a time. */
const UNDER_WAY = 64;
const LOAD_STEP = 100;

const backend = process.env.BENCH_BACKEND === "ebpf" ? "ebpf" : "nftables";
const elementsOfFlow = backend === "ebpf" ? 1 : 2;
const kernel = await openKernel({ backend, table: "sluice", log: SILENT_LOGGER, maxFlows: MAX_FLOWS });
await openBenchState(kernel);
await nft(`table inet peer {
  map s { type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark; size ${MAX_FLOWS}
          limit rate 1 mbytes/second burst 1500 bytes counter; }
  map x { type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark; size ${MAX_FLOWS}; counter; }
}`);

let resident = 0;
for (const flows of RESIDENT) {
  await load(flows / FLOWS_PER_CALL);
  await compareInstall(flows);
}
await sustained();
await counters();
await kernel.cleanup();
await kernel.close();

/** Both sides get the same calls, until there are so many. */
async function load(calls: number): Promise<void> {
  while (resident < calls) {
    const upTo = Math.min(calls, resident + LOAD_STEP);
    const rules: FlowRule[] = [];
    for (; resident < upTo; resident++) rules.push(...callOf(resident));
    await change(kernel, "flow.add", rules);
    await nft(peerText("add", rules));
  }
}

async function compareInstall(flows: number): Promise<void> {
  const calls = Array.from({ length: Math.max(WARM_UP, RUNS) }, (_, run) => callOf(resident + run));
  const fresh = (run: number): readonly FlowRule[] => calls[run] ?? [];
  // The first runs teach the compiler, and are not counted.
  for (let run = 0; run < WARM_UP; run++) {
    await change(kernel, "flow.add", fresh(run));
    await change(kernel, "flow.remove", fresh(run));
  }
  for (const [verb, own, peer] of [
    ["install", "flow.add", "add"],
    ["remove", "flow.remove", "delete"],
  ] as const) {
    const times: number[] = [];
    const peerTimes: number[] = [];
    // In turn, so that both have the same neighbours on the machine.
    for (let first = 0; first < RUNS; first += RUNS / BASELINE_RUNS) {
      times.push(...(await measure(RUNS / BASELINE_RUNS, (run) => change(kernel, own, fresh(first + run)))));
      peerTimes.push(...(await measure(1, () => nft(peerText(peer, fresh(first))))));
    }
    const [value, baseline] = [times, peerTimes].map((each) => median(each.sort((left, right) => left - right))) as [
      number,
      number,
    ];
    const ratio = baseline / value;
    printFigure({
      bench: "kernel",
      figure: `${verb} one call, ${flows} flows resident, ${backend}, p50`,
      value: rounded(value),
      unit: "ms",
      baseline: rounded(baseline),
      ratio: rounded(ratio),
      goal: "<= 0.3 ms and >= 30 x a spawned nft",
      ok: value <= 0.3 && ratio >= 30,
    });
  }
}

/** Decisions as they come when many call at once; each is a transaction of its own. */
async function sustained(): Promise<void> {
  const last = resident + SUSTAINED_CALLS;
  const waiting = Array.from({ length: SUSTAINED_CALLS }, (_, index) => callOf(resident + index)).values();
  const caller = async (): Promise<void> => {
    for (const call of waiting) await change(kernel, "flow.add", call);
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: UNDER_WAY }, caller));
  const value = SUSTAINED_CALLS / ((performance.now() - started) / 1000);
  const calls = Array.from({ length: BASELINE_RUNS }, (_, run) => callOf(last + run));
  const baselineStarted = performance.now();
  for (const rules of calls) await nft(peerText("add", rules));
  const baseline = BASELINE_RUNS / ((performance.now() - baselineStarted) / 1000);
  printFigure({
    bench: "kernel",
    figure: `sessions installed, ${UNDER_WAY} under way, ${backend}`,
    value: rounded(value),
    unit: "1/s",
    baseline: rounded(baseline),
    ratio: rounded(value / baseline),
    goal: ">= 5000 a second",
    ok: value >= 5000,
  });
  for (let call = resident; call < last; call += LOAD_STEP) {
    const rules = Array.from({ length: LOAD_STEP }, (_, offset) => callOf(call + offset)).flat();
    await change(kernel, "flow.remove", rules);
  }
}

/** 50,000 flows are 100,000 elements of nftables. */
async function counters(): Promise<void> {
  const wanted = 50_000;
  for (let call = wanted / FLOWS_PER_CALL; call < resident; call += LOAD_STEP) {
    const rules = Array.from({ length: LOAD_STEP }, (_, offset) => callOf(call + offset)).flat();
    await change(kernel, "flow.remove", rules);
    await nft(peerText("delete", rules));
  }
  let found = 0;
  const times = await measure(5, async () => {
    found = (await kernel.counters()).size;
  });
  const peer = await measure(1, async () => void (await execa("nft", ["list", "table", "inet", "peer"])));
  const [value, baseline] = [median(times) / 1000, median(peer) / 1000];
  printFigure({
    bench: "kernel",
    figure: `counters of ${found * elementsOfFlow} elements, ${backend}, read`,
    value: rounded(value),
    unit: "s",
    baseline: rounded(baseline),
    ratio: rounded(baseline / value),
    goal: "<= 2 s",
    ok: found === wanted && value <= 2,
  });
}

async function nft(text: string): Promise<void> {
  await execa("nft", ["-f", "-"], { input: text, env: { LC_ALL: "C" } });
}

function peerText(verb: "add" | "delete", rules: readonly FlowRule[]): string {
  return rules
    .flatMap(({ key: { source, destination } }) => {
      const key = `udp . ${source.address} . ${source.port} . ${destination.address} . ${destination.port}`;
      const inside = verb === "add" ? " limit rate 10000 bytes/second burst 1500 bytes counter : 0x1" : "";
      const outside = verb === "add" ? " counter : 0x2" : "";
      return [`${verb} element inet peer s { ${key}${inside} }`, `${verb} element inet peer x { ${key}${outside} }`];
    })
    .join("\n");
}
