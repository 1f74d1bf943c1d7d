/** What the kernel holds, as this process last saw or left it: so that a change costs what it touches. */
import { KernelError } from "../../model/errors.js";
import { describeFlow } from "../../model/flow.js";
import type { FlowId, FlowRule } from "../port.js";
import { type FlowClasses, unsupportedFlow } from "./flow-class.js";
import { looseKey } from "./flow-lines.js";
import type { Survey } from "./structure.js";

interface Entry {
  readonly id: FlowId;
  readonly sourcePort: number | undefined;
  /** Of its class. */
  readonly number: number;
}

const refused = (rule: FlowRule, verb: string, reason: string, errno: string): KernelError => {
  const operation = `${verb} flow ${rule.id} (${describeFlow(rule.key)})`;
  return new KernelError("KERNEL_REFUSED", `${operation}: ${reason}`, { operation, errno });
};

type IndexSource = Pick<Survey, "flows" | "numbers" | "classes" | "ports">;

const NOTHING: IndexSource = { flows: new Map(), numbers: new Map(), classes: new Map(), ports: new Set() };

export class FlowIndex {
  readonly #flows = new Map<string, Entry>();
  /** Flows of each class. */
  readonly #uses = new Map<number, number>();
  readonly ports: Set<number>;
  /** Those that there are chains for. */
  classes: FlowClasses;

  constructor({ flows, numbers, classes, ports }: IndexSource = NOTHING) {
    this.classes = classes;
    this.ports = new Set(ports);
    for (const { rule } of flows.values()) this.add(rule, numbers.get(rule.id) ?? 0);
  }

  get usedClasses(): ReadonlySet<number> {
    return new Set(this.#uses.keys());
  }

  /** Undefined for a flow that is not there. */
  classOf(rule: FlowRule): number | undefined {
    return this.#flows.get(looseKey(rule))?.number;
  }

  add(rule: FlowRule, number: number): void {
    this.#flows.set(looseKey(rule), { id: rule.id, sourcePort: rule.key.source.port, number });
    this.#uses.set(number, (this.#uses.get(number) ?? 0) + 1);
  }

  remove(rule: FlowRule): void {
    const number = this.classOf(rule);
    this.#flows.delete(looseKey(rule));
    if (number === undefined) return;
    const left = (this.#uses.get(number) ?? 1) - 1;
    if (left > 0) this.#uses.set(number, left);
    else this.#uses.delete(number);
  }

  /**
   * That the change can be made.
   * @throws KernelError KERNEL_REFUSED for a flow that is there, or is not; KERNEL_UNSUPPORTED for two flows that only
   * their source ports tell apart.
   */
  check(removes: readonly FlowRule[], adds: readonly FlowRule[]): void {
    const gone = new Set<string>();
    for (const rule of removes) {
      const key = looseKey(rule);
      if (!this.#flows.has(key) || gone.has(key)) throw refused(rule, "remove", "it is not there", "ENOENT");
      gone.add(key);
    }
    this.checkDistinct(adds, gone);
    const come = new Map<string, FlowId>();
    for (const rule of adds) {
      const key = looseKey(rule);
      const other = come.get(key) ?? (gone.has(key) ? undefined : this.#flows.get(key)?.id);
      if (other !== undefined) throw refused(rule, "add", `flow ${other} has the same key`, "EEXIST");
      come.set(key, rule.id);
    }
  }

  /**
   * That the source port is not all that tells one of these from another flow.
   * @param gone keys of flows that go at the same time.
   * @throws KernelError KERNEL_UNSUPPORTED.
   */
  checkDistinct(adds: readonly FlowRule[], gone: ReadonlySet<string>): void {
    const come = new Map<string, { readonly id: FlowId; readonly sourcePort: number | undefined }>();
    for (const rule of adds) {
      const key = looseKey(rule);
      const sourcePort = rule.key.source.port;
      const other = come.get(key) ?? (gone.has(key) ? undefined : this.#flows.get(key));
      if (other !== undefined && other.sourcePort !== sourcePort) {
        const why = `flow ${other.id} differs from it in the source port alone, and ipset has no key of two ports`;
        throw unsupportedFlow(rule, why, "use the nftables back end");
      }
      come.set(key, { id: rule.id, sourcePort });
    }
  }
}
