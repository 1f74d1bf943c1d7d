/**
 * What a flow costs the router process: the rows that the policy server installed for it, and the rule read from them;
 * and what a decision about one call costs before the kernel hears of it. Each way of holding rows in a process of its
 * own, so that one does not leave its pages to the other.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { decodeMessage } from "../src/cops/codec/decode.js";
import { encodeMessage } from "../src/cops/codec/encode.js";
import type { Binding } from "../src/cops/pr/bindings.js";
import { decodeProvisioning, encodeProvisioning, type Provisioning } from "../src/cops/pr/decision.js";
import { type Prid, splitPrid } from "../src/cops/pr/oid.js";
import { pib, prcOf } from "../src/cops/pr/pib/index.js";
import { decodeRow, type Prc } from "../src/cops/pr/prc.js";
import { PriStore } from "../src/cops/pr/pri-store.js";
import { type Pri, TypedView } from "../src/cops/pr/pri-view.js";
import type { FlowId, FlowRule } from "../src/kernel/port.js";
import { sessionIdOf } from "../src/model/session.js";
import { dscp, kilobitsPerSecond, octets } from "../src/model/units.js";
import { type BasePolicy, basePolicy } from "../src/pdp/router/base-policy.js";
import { flowBindings, flowRemovals, tokenBucketRow } from "../src/pdp/router/flow-rows.js";
import { INSTALLABLE } from "../src/pep/router/capabilities.js";
import { readChanges, readFlow } from "../src/pep/router/flow-view.js";
import { median, printFigure, rounded } from "./figure.js";

const CALLS = 25_000;
const FLOWS = 4;
const GOAL_OCTETS = 1500;
/** Calls that teach the compiler, and are not counted. */
const WARM_UP = 500;

/** What one way of holding rows came to. */
interface Outcome {
  /** Of the heap and beside it, octets per flow, garbage collected. */
  readonly held: number;
  /** Of the process, octets per flow. */
  readonly resident: number;
  /** Decode, check, read and commit of one call's decision, microseconds, median. */
  readonly install: number;
  readonly remove: number;
}

const POLICY: BasePolicy = basePolicy(
  [{ id: 1, name: "voice", rate: kilobitsPerSecond(1_000_000) }],
  [{ name: "voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } }],
);
const TRAFFIC = { rate: kilobitsPerSecond(80), burst: octets(1000), packetsPerSecond: 50 };

/** RTP and RTCP both ways, as a policy server would say it. */
function installOf(call: number): Provisioning {
  const targets = POLICY.targets.get("voice");
  if (targets === undefined) throw new Error("the policy has no voice");
  const session = sessionIdOf(`bench-${call}`, "tag");
  const [own, far] = [`10.${call >> 16}.${(call >> 8) & 255}.${call & 255}`, "10.200.0.10"];
  const port = 10_000 + 2 * (call % 25_000);
  const bindings = [0, 1, 0, 1].flatMap((component, index) => {
    const [here, there] = [
      { address: own, port: port + component },
      { address: far, port: port + component },
    ];
    const [source, destination] = index < 2 ? [here, there] : [there, here];
    const packetSize = component === 0 ? octets(200) : undefined;
    const key = { protocol: "udp", source, destination } as const;
    return flowBindings({ instance: call * FLOWS + index + 1, session, key, parameters: 1, targets, packetSize });
  });
  return { removals: [], bindings: [tokenBucketRow(1, TRAFFIC), ...bindings] };
}

const removeOf = (call: number): Provisioning => ({
  removals: Array.from({ length: FLOWS }, (_, index) => flowRemovals(call * FLOWS + index + 1)).flat(),
  bindings: [],
});

const messageOf = (provisioning: Provisioning): Buffer =>
  encodeMessage({
    op: "DEC",
    clientType: 2,
    solicited: false,
    handle: Buffer.from("00000001", "hex"),
    decisions: encodeProvisioning(provisioning),
  });

function provisioningOf(message: Buffer): Provisioning {
  const decoded = decodeMessage(message);
  const decision = decoded.op === "DEC" ? decodeProvisioning(decoded) : undefined;
  if (decision?.kind !== "transaction") throw new Error("not a transaction");
  return decision;
}

/** The router's part, but for the kernel: its rows, and the rules that it keeps as wanted. */
interface Router {
  readonly flows: Map<FlowId, FlowRule>;
  decide(message: Buffer): void;
}

function router(): Router {
  const store = new PriStore({ classes: INSTALLABLE, maxInstances: 10 * CALLS * FLOWS });
  const flows = new Map<FlowId, FlowRule>();
  return {
    flows,
    decide(message) {
      const prepared = store.prepare(provisioningOf(message));
      if (!prepared.ok) throw new Error(JSON.stringify(prepared.errors));
      const reading = readChanges(prepared.transaction);
      if (typeof reading === "string") throw new Error(reading);
      for (const [id, rule] of reading.touched) {
        if (rule === undefined) flows.delete(id);
        else flows.set(id, rule);
      }
      store.commit(prepared.transaction);
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
    flows,
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

const microseconds = (work: () => void): number => {
  const started = performance.now();
  work();
  return (performance.now() - started) * 1000;
};

function used(): { readonly held: number; readonly resident: number } {
  for (let run = 0; run < 4; run++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { held: heapUsed + external, resident: rss };
}

function run({ flows, decide }: Router): Outcome {
  decide(messageOf({ removals: [], bindings: POLICY.bindings }));
  for (let call = 0; call < WARM_UP; call++) {
    decide(messageOf(installOf(call)));
    decide(messageOf(removeOf(call)));
  }
  const timed = (provisioning: (call: number) => Provisioning): number => {
    const times = Array.from({ length: CALLS }, (_, call) => {
      const message = messageOf(provisioning(call));
      return microseconds(() => decide(message));
    });
    return median(times.sort((left, right) => left - right));
  };
  const before = used();
  const install = timed(installOf);
  const after = used();
  if (flows.size !== CALLS * FLOWS) throw new Error(`${flows.size} flows, not ${CALLS * FLOWS}`);
  const remove = timed(removeOf);
  if (flows.size !== 0) throw new Error(`${flows.size} flows left`);
  const perFlow = (octets: number): number => octets / CALLS / FLOWS;
  return {
    held: perFlow(after.held - before.held),
    resident: perFlow(after.resident - before.resident),
    install,
    remove,
  };
}

/** Runs this file again, as one of its two kinds of router. */
function outcomeOf(kind: "kept" | "plain"): Outcome {
  const args = ["--expose-gc", fileURLToPath(import.meta.url), kind];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Outcome;
}

function figures(): void {
  const [kept, plain] = [outcomeOf("kept"), outcomeOf("plain")];
  for (const [figure, unit, limit, value, baseline] of [
    ["octets per flow in the router process, heap", "octets", GOAL_OCTETS, kept.held, plain.held],
    ["octets per flow in the router process, resident", "octets", GOAL_OCTETS, kept.resident, plain.resident],
    // The peer checks nothing and keeps what it decoded: that may cost so much.
    ["decide one call's install, p50", "us", 2 * plain.install, kept.install, plain.install],
    ["decide one call's removal, p50", "us", 4 * plain.remove, kept.remove, plain.remove],
  ] as const) {
    printFigure({
      bench: "memory",
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

const kind = process.argv[2];
if (kind === undefined) figures();
else process.stdout.write(`${JSON.stringify(run(kind === "plain" ? plainRouter() : router()))}\n`);
