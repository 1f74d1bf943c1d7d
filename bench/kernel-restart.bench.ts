/**
 * A router that comes back to 100,000 elements (50,000 flows): from opening the kernel to the complete policy in force, while
 * 4,000 packets a second of one of the flows pass. Against one `nft -f` that flushes and loads as many elements again.
 */
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { openLinuxKernel } from "../src/kernel/linux.js";
import type { FlowRule, KernelPolicy } from "../src/kernel/port.js";
import { Reconciler } from "../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../src/model/clock.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { kilobitsPerSecond } from "../src/model/units.js";
import { BENCH_STATE, change, flowOf, openBenchState } from "./call.js";
import { printFigure, rounded } from "./figure.js";
import { buildPath } from "./forwarding-path.js";

const FLOWS = 50_000;
const STEP = 250;
const PACKETS_PER_SECOND = 4000;
const TABLE = "sluice";
const MAX_FLOWS = 131_072;

const open = () => openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: MAX_FLOWS });

/** The flow that packets pass of; never out of its profile. */
const live: FlowRule = {
  ...flowOf(FLOWS),
  key: {
    protocol: "udp",
    source: { address: "10.1.0.2", port: undefined },
    destination: { address: "10.3.0.2", port: 7001 },
  },
  rate: kilobitsPerSecond(1_000_000),
};

const SENDER = `
const socket = require("node:dgram").createSocket("udp4");
const start = performance.now();
let sent = 0;
setInterval(() => {
  const due = ((performance.now() - start) * ${PACKETS_PER_SECOND}) / 1000;
  for (; sent < due; sent += 1) socket.send("x".repeat(172), 7001, "10.3.0.2");
}, 2);
`;

const rules = [...Array.from({ length: FLOWS - 1 }, (_, index) => flowOf(index + 1)), live];
const path = await buildPath();
const folder = await mkdtemp(join(tmpdir(), "sluice-bench-"));
try {
  await execa("nft", [
    "table inet seen { chain f { type filter hook postrouting priority 0; " +
      'udp dport 7001 ip dscp ef counter comment "marked"; udp dport 7001 ip dscp != ef counter comment "lost"; }; }',
  ]);
  const before = await open();
  await openBenchState(before);
  for (let at = 0; at < FLOWS; at += STEP) await change(before, "flow.add", rules.slice(at, at + STEP));
  await before.close();

  const sender = path.sender(process.execPath, ["-e", SENDER]);
  await wait(1000);
  const seenBefore = await seen();
  const policy: KernelPolicy = { flows: new Map(rules.map((rule) => [rule.id, rule])), pools: BENCH_STATE.pools };
  const begun = performance.now();
  const kernel = await open();
  const { interfaces, signalling, signallingDscp } = BENCH_STATE;
  const keeper = new Reconciler({
    kernel,
    local: { interfaces, signalling, signallingDscp },
    usage: { record: () => undefined },
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
  });
  await keeper.start();
  const { changes } = await keeper.replace(policy);
  const value = (performance.now() - begun) / 1000;
  const seenAfter = await seen();
  sender.kill("SIGKILL");
  const counted = (await kernel.counters([live])).get(live.id);
  await keeper.close();

  const baseline = await reload();
  const marked = seenAfter.marked - seenBefore.marked;
  const lost = seenAfter.lost - seenBefore.lost;
  const isWhole = changes === 0 && (counted?.inProfile.packets ?? 0) >= marked;
  printFigure({
    bench: "kernel",
    figure: `restart beside ${2 * FLOWS} elements, ${changes} changes`,
    value: rounded(value),
    unit: "s",
    baseline: rounded(baseline),
    ratio: rounded(baseline / value),
    goal: "<= 3 s, nothing changed, counters kept",
    ok: isWhole && value <= 3,
  });
  printFigure({
    bench: "kernel",
    figure: `packets without their mark meanwhile, of ${marked + lost}`,
    value: lost,
    unit: "packets",
    baseline: 0,
    ratio: 1,
    goal: `0 at ${PACKETS_PER_SECOND} a second`,
    ok: lost === 0 && marked > 0.8 * value * PACKETS_PER_SECOND,
  });
  await kernel.cleanup();
  await kernel.close();
} finally {
  path.close();
  await rm(folder, { recursive: true });
}

async function seen(): Promise<{ readonly marked: number; readonly lost: number }> {
  const { stdout } = await execa("nft", ["list", "table", "inet", "seen"]);
  const count = (name: string): number =>
    Number(new RegExp(`counter packets (\\d+) bytes \\d+ comment "${name}"`).exec(stdout)?.[1] ?? Number.NaN);
  return { marked: count("marked"), lost: count("lost") };
}

/** Seconds that `nft -f` takes to put the same elements in the place of those that are there. */
async function reload(): Promise<number> {
  const elements = (statements: string, value: string): string =>
    rules
      .slice(0, -1)
      .map(({ key: { source, destination } }) => {
        const key = `udp . ${source.address} . ${source.port} . ${destination.address} . ${destination.port}`;
        return `${key}${statements} counter : ${value}`;
      })
      .join(",\n");
  const key = "type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark";
  const file = join(folder, "reload.nft");
  writeFileSync(
    file,
    `table inet peer {
      map s { ${key}; size ${MAX_FLOWS}; limit rate 1 mbytes/second burst 1500 bytes counter; }
      map x { ${key}; size ${MAX_FLOWS}; counter; }
    }
    flush map inet peer s
    flush map inet peer x
    add element inet peer s { ${elements(" limit rate 10000 bytes/second burst 1500 bytes", "0x1")} }
    add element inet peer x { ${elements("", "0x2")} }\n`,
  );
  await execa("nft", ["-f", file]);
  const begun = performance.now();
  await execa("nft", ["-f", file]);
  return (performance.now() - begun) / 1000;
}
