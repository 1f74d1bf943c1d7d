/** Adds and removes flows, all or nothing, although the kernel sets entries one by one: what was done is undone. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { KernelError } from "../../model/errors.js";
import { describeFlow } from "../../model/flow.js";
import type { IpFamily } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import type { Counter, FlowCounters } from "../../model/usage.js";
import type { FlowAddition } from "../plan.js";
import type { FlowId, FlowRule } from "../port.js";
import { familyOfCanonical } from "./address-octets.js";
import type { BpfMap } from "./bpf-map.js";
import { encodeFlowKey } from "./flow-key.js";
import type { Sizes } from "./flow-reading.js";
import { countersAt, encodeFlowValue, flowIdAt, withCounters } from "./flow-value.js";
import { viewOf } from "./host-octets.js";
import { errnoOf } from "./owner.js";
import type { PortKind } from "./port-words.js";
import { keyText } from "./settings.js";

/** Changes carried out without a turn for others: so many at most are seen together or not at all. */
export const SLICE = 128;

/** What flows are written with. */
export interface FlowWriter {
  readonly map: (family: IpFamily) => Pick<BpfMap, "get" | "set" | "take">;
  readonly ports: { acquire(kind: PortKind, port: number): void; release(kind: PortKind, port: number): void };
  /** How many there are; kept up to date. */
  readonly sizes: Sizes;
  readonly maxFlows: number;
  readonly log: Logger;
}

type Step =
  | { readonly kind: "add"; readonly rule: FlowRule; readonly counters: FlowCounters | undefined }
  | { readonly kind: "remove"; readonly rule: FlowRule }
  /** In one place: no packet meets neither of them. */
  | {
      readonly kind: "replace";
      readonly old: FlowRule;
      readonly rule: FlowRule;
      readonly counters: FlowCounters | undefined;
    };

type Undo = () => void;

const portOf = ({ key }: FlowRule): readonly [PortKind, number] => [
  key.source.port === undefined ? "any" : "exact",
  key.destination.port,
];

export const objectOf = (rule: FlowRule): string => `flow ${rule.id} (${describeFlow(rule.key)})`;

function refused(rule: FlowRule, errno: string, cause?: unknown): KernelError {
  const object = objectOf(rule);
  const message =
    errno === "ENOENT" ? `there is no ${object} in the kernel` : `the kernel refused to set ${object}: ${errno}`;
  return new KernelError(
    "KERNEL_REFUSED",
    message,
    { operation: `change ${object}`, errno },
    {
      cause,
      ...(errno === "E2BIG" ? { remedy: "the map is full: raise the limit of flows" } : {}),
    },
  );
}

const minus = (left: Counter, right: Counter): Counter => ({
  packets: left.packets - right.packets,
  octets: (left.octets - right.octets) as Counter["octets"],
});
const plus = (left: Counter, right: Counter): Counter => ({
  packets: left.packets + right.packets,
  octets: (left.octets + right.octets) as Counter["octets"],
});

/** `base`, and what was counted from `start` to `end`. */
export const counted = (base: FlowCounters, start: FlowCounters, end: FlowCounters): FlowCounters => ({
  inProfile: plus(base.inProfile, minus(end.inProfile, start.inProfile)),
  outOfProfile: plus(base.outOfProfile, minus(end.outOfProfile, start.outOfProfile)),
});

export class FlowTransaction {
  readonly #writer: FlowWriter;
  readonly #finals = new Map<FlowId, FlowCounters>();
  readonly #undos: Undo[] = [];

  constructor(writer: FlowWriter) {
    this.#writer = writer;
  }

  /**
   * Gives the final counters of what was removed.
   * @throws KernelError naming the flow and the errno; then everything is as it was, counters too.
   */
  async apply(removes: readonly FlowRule[], adds: readonly FlowAddition[]): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    try {
      await inSlices(await this.#steps(removes, adds), (step) => this.#carryOut(step));
    } catch (error) {
      await inSlices(this.#undos.reverse(), (undo) => this.#attempt(undo));
      throw error;
    }
    return this.#finals;
  }

  /**
   * What comes is set before what goes is taken: then a refusal, which meets what comes, leaves what would have gone as it
   * is. Where there is no room for both, what goes makes it.
   */
  async #steps(removes: readonly FlowRule[], adds: readonly FlowAddition[]): Promise<Iterable<Step>> {
    const { sizes, maxFlows } = this.#writer;
    const { replaces, gone, come } = await pairUp(removes, adds);
    const coming: Sizes = { 4: 0, 6: 0 };
    for (const { rule } of come) coming[familyOfCanonical(rule.key.destination.address)] += 1;
    const roomy = sizes[4] + coming[4] <= maxFlows && sizes[6] + coming[6] <= maxFlows;
    return chain(roomy ? [replaces, come, gone] : [replaces, gone, come]);
  }

  #carryOut(step: Step): void {
    try {
      switch (step.kind) {
        case "add":
          this.#undos.push(this.#add(step));
          break;
        case "remove":
          this.#undos.push(this.#remove(step.rule));
          break;
        case "replace":
          this.#undos.push(this.#replace(step));
          break;
      }
    } catch (error) {
      // At once where that takes no longer than a slice: nobody then sees what is not to stay.
      if (this.#undos.length <= SLICE) for (const undo of this.#undos.splice(0).reverse()) this.#attempt(undo);
      const errno = errnoOf(error);
      const isOurs = error instanceof KernelError && error.code !== "KERNEL_REFUSED";
      if (errno === undefined || isOurs) throw error;
      throw refused(step.kind === "replace" && errno === "ENOENT" ? step.old : step.rule, errno, error);
    }
  }

  #add({ rule, counters }: Extract<Step, { kind: "add" }>): Undo {
    const { family, octets } = encodeFlowKey(rule.key);
    return this.#put(family, octets, encodeFlowValue(rule, counters), rule);
  }

  /** Gives what takes it away again. */
  #put(family: IpFamily, key: Uint8Array, value: Uint8Array, rule: FlowRule): Undo {
    const { map, ports, sizes } = this.#writer;
    const [kind, port] = portOf(rule);
    ports.acquire(kind, port);
    try {
      map(family).set(key, value, "new");
    } catch (error) {
      ports.release(kind, port);
      throw error;
    }
    sizes[family] += 1;
    return () => {
      if (map(family).take(key) !== undefined) sizes[family] -= 1;
      ports.release(kind, port);
    };
  }

  #remove(rule: FlowRule): Undo {
    const { map, ports, sizes } = this.#writer;
    const { family, octets: key } = encodeFlowKey(rule.key);
    const value = map(family).take(key);
    if (value === undefined) throw refused(rule, "ENOENT");
    if (flowIdAt(viewOf(value)) !== rule.id) {
      map(family).set(key, value, "new");
      throw refused(rule, "ENOENT");
    }
    sizes[family] -= 1;
    const [kind, port] = portOf(rule);
    this.#attempt(() => ports.release(kind, port));
    this.#finals.set(rule.id, countersAt(viewOf(value)));
    return () => {
      this.#put(family, key, value, rule);
    };
  }

  #replace({ old, rule, counters }: Extract<Step, { kind: "replace" }>): Undo {
    const { family, octets: key } = encodeFlowKey(rule.key);
    const map = this.#writer.map(family);
    const value = encodeFlowValue(rule, counters);
    const before = map.get(key);
    if (before === undefined || flowIdAt(viewOf(before)) !== old.id) throw refused(old, "ENOENT");
    map.set(key, value, "existing");
    const final = countersAt(viewOf(before));
    this.#finals.set(old.id, final);
    return () => {
      const since = map.get(key);
      const now = since === undefined ? final : counted(final, countersAt(viewOf(value)), countersAt(viewOf(since)));
      map.set(key, withCounters(before, now), "any");
    };
  }

  /** What fails must not keep the rest from being done. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#writer.log.error("kernel.flows.undo", { error });
    }
  }
}

interface Pairs {
  readonly replaces: readonly Step[];
  readonly gone: readonly Step[];
  readonly come: readonly Extract<Step, { kind: "add" }>[];
}

const textOf = ({ key }: FlowRule): string => keyText(encodeFlowKey(key).octets);

/** Those that pass their key on, and those that do not. */
async function pairUp(removes: readonly FlowRule[], adds: readonly FlowAddition[]): Promise<Pairs> {
  const replaces: Step[] = [];
  const come: Extract<Step, { kind: "add" }>[] = [];
  const going = new Map<string, FlowRule>();
  const gone = new Set<FlowRule>(removes);
  if (adds.length > 0) await inSlices(removes, (rule) => going.set(textOf(rule), rule));
  await inSlices(adds, ({ rule, counters }) => {
    const text = going.size === 0 ? "" : textOf(rule);
    const old = going.get(text);
    if (old === undefined) {
      come.push({ kind: "add", rule, counters });
      return;
    }
    going.delete(text);
    gone.delete(old);
    replaces.push({ kind: "replace", old, rule, counters });
  });
  return { replaces, gone: [...gone].map((rule) => ({ kind: "remove", rule })), come };
}

function* chain<Item>(lists: readonly (readonly Item[])[]): Generator<Item> {
  for (const list of lists) yield* list;
}

/** Lets the event loop have a turn after each slice. */
async function inSlices<Item>(items: Iterable<Item>, work: (item: Item) => unknown): Promise<void> {
  let done = 0;
  for (const item of items) {
    if (done > 0 && done % SLICE === 0) await nextTurn();
    done += 1;
    work(item);
  }
}
