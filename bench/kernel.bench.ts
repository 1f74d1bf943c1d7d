/** One call's four flows through the kernel port, against a spawned `nft` that does the same. */
import { execa } from "execa";
import { openLinuxKernel } from "../src/kernel/linux.js";
import type { DesiredState, FlowRule, KernelChange } from "../src/kernel/port.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { sessionIdOf } from "../src/model/session.js";
import { dscp, kilobitsPerSecond, octets } from "../src/model/units.js";
import { measure, median, printFigure, rounded } from "./figure.js";

const FLOWS = 4;
const RUNS = 300;
const BASELINE_RUNS = 30;
const GOAL_MS = 0.3;
const GOAL_RATIO = 30;

const flow = (id: number): FlowRule => ({
  id,
  session: sessionIdOf(`bench-${id >> 2}`, "tag"),
  key: {
    protocol: "udp",
    source: { address: "10.1.0.10", port: 1024 + (id % 60_000) },
    destination: { address: "10.3.0.10", port: 6000 },
  },
  dscp: dscp(46),
  pool: 1,
  rate: kilobitsPerSecond(80),
  burst: octets(1500),
  outOfProfile: { action: "drop" },
});
const callOf = (run: number): readonly FlowRule[] => Array.from({ length: FLOWS }, (_, n) => flow(run * FLOWS + n + 1));

const kernel = await openLinuxKernel({ table: "sluice", log: SILENT_LOGGER });
const pools = new Map([[1, { id: 1, name: "voice", rate: kilobitsPerSecond(1000) }]]);
const desired: DesiredState = {
  interfaces: [],
  signalling: [],
  signallingDscp: dscp(24),
  tunnels: new Map(),
  pools,
  flows: new Map(),
};
await kernel.apply(desired, kernel.plan(desired, await kernel.read()));

const change = async (kind: "flow.add" | "flow.remove", rules: readonly FlowRule[]): Promise<void> => {
  await kernel.apply(
    desired,
    rules.map((rule): KernelChange => ({ kind, rule })),
  );
};
// The first runs teach the compiler, and are not counted.
for (let run = 0; run < 100; run++) {
  await change("flow.add", callOf(run));
  await change("flow.remove", callOf(run));
}
const install = await measure(RUNS, (run) => change("flow.add", callOf(run)));
const remove = await measure(RUNS, (run) => change("flow.remove", callOf(run)));

const nft = (text: string) => execa("nft", ["-f", "-"], { input: text, env: { LC_ALL: "C" } });
await nft(`table inet peer {
  map s { type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark; size 65536
          limit rate 1 mbytes/second burst 1500 bytes counter; }
  map x { type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark; size 65536; counter; }
}`);
const key = ({ key: { source, destination } }: FlowRule): string =>
  `udp . ${source.address} . ${source.port} . ${destination.address} . ${destination.port}`;
const spawned = (verb: "add" | "delete", rules: readonly FlowRule[]) =>
  nft(
    rules
      .flatMap((rule) => {
        const inside = verb === "add" ? " limit rate 10000 bytes/second burst 1500 bytes counter : 0x1" : "";
        const outside = verb === "add" ? " counter : 0x2" : "";
        return [
          `${verb} element inet peer s { ${key(rule)}${inside} }`,
          `${verb} element inet peer x { ${key(rule)}${outside} }`,
        ];
      })
      .join("\n"),
  );
const peerInstall = await measure(BASELINE_RUNS, async (run) => void (await spawned("add", callOf(run))));
const peerRemove = await measure(BASELINE_RUNS, async (run) => void (await spawned("delete", callOf(run))));

for (const [figure, own, peer] of [
  ["install one call, p50", install, peerInstall],
  ["remove one call, p50", remove, peerRemove],
] as const) {
  const [value, baseline] = [median(own), median(peer)];
  const ratio = baseline / value;
  printFigure({
    bench: "kernel",
    figure,
    value: rounded(value),
    unit: "ms",
    baseline: rounded(baseline),
    ratio: rounded(ratio),
    goal: `<= ${GOAL_MS} ms and >= ${GOAL_RATIO} x a spawned nft`,
    ok: value <= GOAL_MS && ratio >= GOAL_RATIO,
  });
}
await kernel.cleanup();
await kernel.close();
