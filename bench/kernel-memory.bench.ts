/**
 * What a flow costs the router process: the rows that the policy server installed for it, the rule read from them, what
 * the reconciler keeps of it (wanted and held, last counters) and what the kernel layer does (ports in use). All flows are
 * in a real kernel, and their counters were read, as for usage reports. Not in it: the netlink agents, processes of their
 * own that keep nothing of a flow; the kernel's memory; the usage journal, which is a file.
 *
 * And what a decision about one call costs before the kernel hears of it. Each kind of router in a process of its own, so
 * that one does not leave its pages to the other.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Binding } from "../src/cops/pr/bindings.js";
import type { Provisioning } from "../src/cops/pr/decision.js";
import { type Prid, splitPrid } from "../src/cops/pr/oid.js";
import { pib, prcOf } from "../src/cops/pr/pib/index.js";
import { decodeRow, type Prc } from "../src/cops/pr/prc.js";
import { PriStore } from "../src/cops/pr/pri-store.js";
import { type Pri, TypedView } from "../src/cops/pr/pri-view.js";
import { openLinuxKernel } from "../src/kernel/linux.js";
import type { FlowId, FlowRule } from "../src/kernel/port.js";
import { Reconciler } from "../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../src/model/clock.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { INSTALLABLE } from "../src/pep/router/capabilities.js";
import { type PolicyReading, readChanges, readFlow } from "../src/pep/router/flow-view.js";
import { BENCH_STATE, FLOWS_PER_CALL } from "./call.js";
import { median, printFigure, rounded } from "./figure.js";
import { installOf, messageOf, POLICY, provisioningOf, removeOf } from "./provisioning.js";

const CALLS = 25_000;
const FLOWS = CALLS * FLOWS_PER_CALL;
const GOAL_OCTETS = 1500;
/** Calls that teach the compiler, and are not counted. */
const WARM_UP = 500;

/** `whole`: rows, reconciler and a real kernel; `rows`: as it, but for the kernel; `plain`: the simplest way. */
type Kind = "whole" | "rows" | "plain";

/** What a kind of router came to. */
interface Outcome {
  /** Of the heap and beside it, octets per flow, garbage collected. */
  readonly held: number;
  /** Of the process, octets per flow, pages that are free again among them. */
  readonly resident: number;
  /** Decode, check, read and commit of one call's decision, microseconds, median. */
  readonly install: number;
  readonly remove: number;
}

interface Router {
  /** Flows that are wanted. */
  flows(): number;
  decide(message: Buffer): void | Promise<void>;
  /** What else comes with so many flows. */
  settle?(): Promise<void>;
  close?(): Promise<void>;
}

const newStore = (): PriStore => new PriStore({ classes: INSTALLABLE, maxInstances: 10 * FLOWS });

function preparedIn(
  store: PriStore,
  message: Buffer,
): { readonly reading: PolicyReading; readonly commit: () => void } {
  const prepared = store.prepare(provisioningOf(message));
  if (!prepared.ok) throw new Error(JSON.stringify(prepared.errors));
  const reading = readChanges(prepared.transaction);
  if (typeof reading === "string") throw new Error(reading);
  return { reading, commit: () => store.commit(prepared.transaction) };
}

/** Its rows, and the rules that it keeps as wanted. */
function rowsRouter(): Router {
  const store = newStore();
  const flows = new Map<FlowId, FlowRule>();
  return {
    flows: () => flows.size,
    decide(message) {
      const { reading, commit } = preparedIn(store, message);
      for (const [id, rule] of reading.touched) {
        if (rule === undefined) flows.delete(id);
        else flows.set(id, rule);
      }
      commit();
    },
  };
}

/** Everything that the router process keeps of a flow. */
async function wholeRouter(): Promise<Router> {
  const store = newStore();
  const kernel = await openLinuxKernel({ table: "sluice", log: SILENT_LOGGER, maxFlows: 2 * FLOWS });
  const { interfaces, signalling, signallingDscp } = BENCH_STATE;
  const keeper = new Reconciler({
    kernel,
    local: { interfaces, signalling, signallingDscp },
    usage: { record: () => undefined },
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
  });
  await keeper.start();
  return {
    flows: () => keeper.desired.flows.size,
    async decide(message) {
      const { reading, commit } = preparedIn(store, message);
      await keeper.update({ flows: reading.touched, pools: reading.pools });
      commit();
    },
    async settle() {
      const { size } = await keeper.counters();
      if (size !== FLOWS) throw new Error(`${size} flows have counters, not ${FLOWS}`);
    },
    async close() {
      await keeper.close();
      await kernel.cleanup();
      await kernel.close();
    },
  };
}

/** The simplest way: every row decoded in a Map. */
class PlainRows extends TypedView {
  readonly rowsByPrid = new Map<Prid, Pri>();

  override get(prid: Prid): Pri | undefined {
    return this.rowsByPrid.get(prid);
  }

  override *instances(prc: Prc): Iterable<Pri> {
    for (const pri of this.rowsByPrid.values()) if (pri.prc === prc) yield pri;
  }

  install({ prid, values }: Binding): number {
    const { entry, instance } = splitPrid(prid) ?? { entry: prid, instance: 0 };
    const prc = prcOf(entry);
    const decoded = prc === undefined ? undefined : decodeRow(prc, instance, values);
    if (prc === undefined || decoded?.ok !== true) throw new Error(`${prid}: no row`);
    this.rowsByPrid.set(prid, { prid, prc, instance, row: decoded.row });
    return instance;
  }
}

/** The router with plain rows, nothing checked and nobody told who points to whom. */
function plainRouter(): Router {
  const view = new PlainRows();
  const flows = new Map<FlowId, FlowRule>();
  return {
    flows: () => flows.size,
    decide(message) {
      const { removals, bindings } = provisioningOf(message);
      const touched = new Set(bindings.map((binding) => view.install(binding)));
      for (const removal of removals) {
        if (!("prid" in removal)) continue;
        touched.add(splitPrid(removal.prid)?.instance ?? 0);
        view.rowsByPrid.delete(removal.prid);
        // RFC 3159: the extension goes with its base.
        view.rowsByPrid.delete(removal.prid.replace(pib.frwkBaseFilter.entry, pib.frwkIpFilter.entry) as Prid);
      }
      for (const id of touched) {
        const reading = readFlow(view, id);
        if (reading?.ok) flows.set(id, reading.rule);
        else flows.delete(id);
      }
    },
  };
}

async function microseconds(work: () => void | Promise<void>): Promise<number> {
  const started = performance.now();
  const done = work();
  // Waiting for nothing takes time, too.
  if (done !== undefined) await done;
  return (performance.now() - started) * 1000;
}

function used(): { readonly held: number; readonly resident: number } {
  for (let run = 0; run < 4; run++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { held: heapUsed + external, resident: rss };
}

async function run(router: Router): Promise<Outcome> {
  await router.decide(messageOf({ removals: [], bindings: POLICY.bindings }));
  for (let call = 0; call < WARM_UP; call++) {
    await router.decide(messageOf(installOf(call)));
    await router.decide(messageOf(removeOf(call)));
  }
  const timed = async (provisioning: (call: number) => Provisioning): Promise<number> => {
    const times = new Float64Array(CALLS);
    for (let call = 0; call < CALLS; call++) {
      const message = messageOf(provisioning(call));
      times[call] = await microseconds(() => router.decide(message));
    }
    return median([...times.sort()]);
  };
  const before = used();
  const install = await timed(installOf);
  await router.settle?.();
  const after = used();
  if (router.flows() !== FLOWS) throw new Error(`${router.flows()} flows, not ${FLOWS}`);
  const remove = await timed(removeOf);
  if (router.flows() !== 0) throw new Error(`${router.flows()} flows left`);
  await router.close?.();
  const perFlow = (octets: number): number => octets / FLOWS;
  return {
    held: perFlow(after.held - before.held),
    resident: perFlow(after.resident - before.resident),
    install,
    remove,
  };
}

/** Runs this file again, as one kind of router. */
function outcomeOf(kind: Kind): Outcome {
  const args = ["--expose-gc", fileURLToPath(import.meta.url), kind];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Outcome;
}

function figures(): void {
  const [whole, rows, plain] = [outcomeOf("whole"), outcomeOf("rows"), outcomeOf("plain")];
  const memory = `of ${FLOWS} in the kernel; rows, rules, reconciler, counters`;
  for (const [figure, unit, limit, value, baseline] of [
    [`octets per flow ${memory}, heap`, "octets", GOAL_OCTETS, whole.held, plain.held],
    [`octets per flow ${memory}, resident`, "octets", GOAL_OCTETS, whole.resident, plain.resident],
    // The peer checks nothing and keeps what it decoded: that may cost so much.
    ["decide one call's install, p50", "us", 2 * plain.install, rows.install, plain.install],
    ["decide one call's removal, p50", "us", 4 * plain.remove, rows.remove, plain.remove],
  ] as const) {
    printFigure({
      bench: "kernel",
      figure,
      value: rounded(value),
      unit,
      baseline: rounded(baseline),
      ratio: rounded(baseline / value),
      goal: `<= ${rounded(limit)} ${unit}`,
      ok: value <= limit,
    });
  }
}

const ROUTERS: Readonly<Record<Kind, () => Router | Promise<Router>>> = {
  whole: wholeRouter,
  rows: rowsRouter,
  plain: plainRouter,
};

const kind = process.argv[2] as Kind | undefined;
if (kind === undefined) figures();
else process.stdout.write(`${JSON.stringify(await run(await ROUTERS[kind]()))}\n`);
