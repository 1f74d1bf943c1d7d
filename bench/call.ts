/** The calls that kernel benchmarks install: four flows each (media and control, there and back), all keys different. */
import type { DesiredState, FlowRule, KernelChange, KernelPort } from "../src/kernel/port.js";
import { sessionIdOf } from "../src/model/session.js";
import { dscp, kilobitsPerSecond, octets } from "../src/model/units.js";

export const FLOWS_PER_CALL = 4;

export const flowOf = (id: number): FlowRule => ({
  id,
  session: sessionIdOf(`bench-${(id - 1) >> 2}`, "tag"),
  key: {
    protocol: "udp",
    source: { address: `10.1.${Math.floor(id / 60_000)}.10`, port: 1024 + (id % 60_000) },
    destination: { address: "10.3.0.10", port: 6000 + (id % 20_000) },
  },
  dscp: dscp(46),
  pool: 1,
  rate: kilobitsPerSecond(80),
  burst: octets(1500),
  outOfProfile: { action: "drop" },
});

export const callOf = (number: number): readonly FlowRule[] =>
  Array.from({ length: FLOWS_PER_CALL }, (_, flow) => flowOf(number * FLOWS_PER_CALL + flow + 1));

export const BENCH_STATE: DesiredState = {
  interfaces: [],
  signalling: [],
  signallingDscp: dscp(24),
  tunnels: new Map(),
  pools: new Map([[1, { id: 1, name: "voice", rate: kilobitsPerSecond(1000) }]]),
  flows: new Map(),
};

/** One call of the port, as the router makes it for a decision. */
export async function change(
  kernel: KernelPort,
  kind: "flow.add" | "flow.remove",
  rules: readonly FlowRule[],
): Promise<void> {
  await kernel.apply(
    BENCH_STATE,
    rules.map((rule): KernelChange => ({ kind, rule })),
  );
}

export async function openBenchState(kernel: KernelPort): Promise<void> {
  await kernel.apply(BENCH_STATE, kernel.plan(BENCH_STATE, await kernel.read()));
}
