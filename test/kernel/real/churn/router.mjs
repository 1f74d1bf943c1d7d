// A router without its policy server: the real kernel layer of the built product, told what to do on standard input. It is there
// to be killed at any moment. Lines in: {"n", "kind": "update" | "replace", "flows": [[id, rule or null]], "pools": [[id, pool]]}.
// Lines out: {"n", "error"?}. Final counters go to the file that is named, as the router's journal would have them.
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { openKernel } from "../../../../dist/kernel/open.js";
import { Reconciler } from "../../../../dist/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../../../../dist/model/clock.js";

const [table, journal, local] = process.argv.slice(2);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const log = Object.fromEntries(
  ["debug", "info", "warn", "error"].map((level) => [
    level,
    (event, fields) => level === "error" && process.stderr.write(`${event} ${JSON.stringify(fields)}\n`),
  ]),
);
log.child = () => log;

const kernel = await openKernel({ backend: "nftables", table, log, maxFlows: 4096 });
const keeper = new Reconciler({
  kernel,
  local: JSON.parse(local),
  usage: { record: (counters) => appendFileSync(journal, `${JSON.stringify([...counters])}\n`) },
  clock: SYSTEM_CLOCK,
  log,
});
await keeper.start();
say({ n: 0 });

createInterface({ input: process.stdin }).on("line", (line) => {
  const { n, kind, flows, pools } = JSON.parse(line);
  const policy = { flows: new Map(flows.map(([id, rule]) => [id, rule ?? undefined])), pools: new Map(pools) };
  keeper[kind](policy).then(
    () => say({ n }),
    (error) => say({ n, error: `${error.code} ${error.message}` }),
  );
});
