/** The far end of a tunnel for benches, made by the product as at any other edge: `node tunnel-end.js TUNNEL`, until it is killed. */
import { openLinuxKernel } from "../src/kernel/linux.js";
import type { DesiredState, Tunnel } from "../src/kernel/port.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { BENCH_STATE } from "./call.js";

const tunnel = JSON.parse(process.argv[2] ?? "") as Tunnel;
const kernel = await openLinuxKernel({ table: "sluice", log: SILENT_LOGGER });
const desired: DesiredState = { ...BENCH_STATE, tunnels: new Map([[tunnel.id, tunnel]]) };
await kernel.apply(desired, kernel.plan(desired, await kernel.read()));
process.stdout.write("ready\n");
// The tunnel goes with its namespace.
setInterval(() => undefined, 60_000);
