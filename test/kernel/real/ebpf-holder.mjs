/**
 * A router that holds the eBPF back end: brings the kernel to what it is told, says so, and then adds and removes the flows of
 * one call until it is killed. Arguments: the compiled `openEbpfKernel`, the table; standard input: what is wanted.
 */
import { text } from "node:stream/consumers";

const [program, table] = process.argv.slice(2);
const { openEbpfKernel } = await import(program);
const { churned, flows, pools, ...local } = JSON.parse(await text(process.stdin));
const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent, child: () => log };
const kernel = await openEbpfKernel({ table, log, maxFlows: 16_384 });
const wanted = { ...local, tunnels: new Map(), pools: new Map(pools), flows: new Map(flows) };
const changes = kernel.plan(wanted, await kernel.read());
await kernel.apply(wanted, changes);
process.stdout.write(`${JSON.stringify({ changes: changes.map(({ kind, rule }) => `${kind} ${rule?.id ?? ""}`) })}\n`);
for (;;) {
  await kernel.apply(
    wanted,
    churned.map((rule) => ({ kind: "flow.add", rule })),
  );
  await kernel.apply(
    wanted,
    churned.map((rule) => ({ kind: "flow.remove", rule })),
  );
  await new Promise((turn) => setImmediate(turn));
}
