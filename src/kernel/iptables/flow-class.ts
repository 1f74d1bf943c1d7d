/** Flows that are treated alike share a class: a short chain that polices, counts and marks them. Pure. */
import { KernelError } from "../../model/errors.js";
import { describeFlow, type TransportProtocol } from "../../model/flow.js";
import type { Dscp } from "../../model/units.js";
import type { FlowRule, OutOfProfile } from "../port.js";
import { type Limiter, limiterOf, limiterText } from "./limiter.js";
import { MAX_CLASSES } from "./packet-mark.js";

export interface FlowClass {
  /** Part of the class because hashlimit does not look at it. */
  readonly protocol: TransportProtocol;
  readonly limiter: Limiter;
  readonly dscp: Dscp;
  readonly outOfProfile: OutOfProfile;
}

/** By number, 1..255. */
export type FlowClasses = ReadonlyMap<number, FlowClass>;

const overText = (rule: OutOfProfile): string => (rule.action === "drop" ? "drop" : String(rule.dscp));

/** Equal for equal classes. */
export const flowClassText = (entry: FlowClass): string =>
  `${entry.protocol} ${limiterText(entry.limiter)} ${entry.dscp} ${overText(entry.outOfProfile)}`;

/** Undefined for a rate that cannot be policed. */
export function flowClassOf(rule: FlowRule): FlowClass | undefined {
  const limiter = limiterOf(rule);
  const { dscp, outOfProfile } = rule;
  return limiter && { protocol: rule.key.protocol, limiter, dscp, outOfProfile };
}

/** @throws KernelError KERNEL_UNSUPPORTED, naming flow and reason. */
export function unsupportedFlow(rule: FlowRule, why: string, remedy: string): KernelError {
  const object = `flow ${rule.id} (${describeFlow(rule.key)})`;
  const detail = { operation: `install ${object} with iptables`, errno: "EOPNOTSUPP" };
  return new KernelError("KERNEL_UNSUPPORTED", `${object}: ${why}`, detail, { remedy });
}

export interface ClassNumbers {
  readonly classes: FlowClasses;
  /** Class number of every added flow. */
  readonly ofFlow: ReadonlyMap<FlowRule, number>;
  /** Whether a class is among them that `known` lacks. */
  readonly grew: boolean;
}

/**
 * Numbers for the classes of `adds`. Classes that are in use keep theirs; of those that are not, only what fits is kept.
 * @throws KernelError KERNEL_UNSUPPORTED when there are too many.
 */
export function numberClasses(known: FlowClasses, inUse: ReadonlySet<number>, adds: readonly FlowRule[]): ClassNumbers {
  const numbers = new Map([...known].map(([number, entry]) => [flowClassText(entry), number]));
  const ofFlow = new Map<FlowRule, number>();
  const fresh = new Map<string, { readonly entry: FlowClass; readonly rules: FlowRule[] }>();
  const wanted = new Set(inUse);
  for (const rule of adds) {
    const entry = flowClassOf(rule);
    if (entry === undefined) throw unsupportedFlow(rule, "hashlimit polices up to 4 GB/s", "use the nftables back end");
    const text = flowClassText(entry);
    const number = numbers.get(text);
    if (number === undefined) {
      const rules = fresh.get(text)?.rules ?? [];
      rules.push(rule);
      fresh.set(text, { entry, rules });
    } else {
      wanted.add(number);
      ofFlow.set(rule, number);
    }
  }
  if (fresh.size === 0) return { classes: known, ofFlow, grew: false };
  const classes = new Map([...known].filter(([number]) => wanted.has(number)));
  let next = 1;
  for (const { entry, rules } of fresh.values()) {
    while (classes.has(next)) next += 1;
    if (next > MAX_CLASSES) {
      const why = `iptables tells flows of at most ${MAX_CLASSES} different rates, bursts and markings apart`;
      throw unsupportedFlow(rules[0] as FlowRule, why, "use the nftables back end, or fewer different rates");
    }
    classes.set(next, entry);
    for (const rule of rules) ofFlow.set(rule, next);
  }
  return { classes, ofFlow, grew: true };
}
