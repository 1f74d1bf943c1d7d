/**
 * Packet filter rules whoever made them, nft or iptables, reduced to what matters to us: on which hooks a rule runs, when,
 * and whether it reads or writes what we use. Pure.
 */

export const HOOKS = ["ingress", "prerouting", "input", "forward", "output", "postrouting", "egress"] as const;
export type Hook = (typeof HOOKS)[number];

export type Touch =
  /** `bits`: those of the packet mark that it changes, or that decide. */
  | { readonly kind: "mark"; readonly access: "write" | "read"; readonly bits: number }
  | { readonly kind: "dscp" }
  /** Chooses the class of the queue. */
  | { readonly kind: "priority" }
  /** Gives a packet another source. */
  | { readonly kind: "sourceNat" }
  /** Takes a flow out of the hooks. */
  | { readonly kind: "offload" };

export interface Chain {
  /** Unique over all rules of the machine: such as `ip mangle FORWARD`. */
  readonly key: string;
  /** The table's part of the key. */
  readonly table: string;
  readonly name: string;
  /** Only base chains have these. */
  readonly base?: { readonly hook: Hook; readonly priority: number; readonly policy: string; readonly type: string };
}

export interface Rule {
  /** Key of its chain. */
  readonly chain: string;
  readonly touches: readonly Touch[];
  /** Keys of chains it jumps or goes to. */
  readonly targets: readonly string[];
  /** The command that takes this rule away, and no other. */
  readonly removal: string;
}

/** A moment at which a rule runs. */
export interface Moment {
  readonly hook: Hook;
  readonly priority: number;
}

/**
 * When the rules of each chain run, by chain key: those of base chains, and along jumps. A chain that no visible jump leads to may
 * be reached from a map, whose elements are not looked at: then it counts for every base chain of its table.
 */
export function momentsOf(chains: readonly Chain[], rules: readonly Rule[]): ReadonlyMap<string, readonly Moment[]> {
  const targets = new Map<string, Set<string>>();
  for (const rule of rules) {
    const known = targets.get(rule.chain) ?? new Set();
    for (const target of rule.targets) known.add(target);
    targets.set(rule.chain, known);
  }
  const moments = new Map<string, Moment[]>();
  const bases = chains.filter((chain) => chain.base !== undefined);
  for (const { key, base } of bases) {
    if (base === undefined) continue;
    for (const reached of reachableFrom(key, targets)) {
      const list = moments.get(reached) ?? [];
      list.push({ hook: base.hook, priority: base.priority });
      moments.set(reached, list);
    }
  }
  for (const { key, table } of chains) {
    if (moments.has(key)) continue;
    moments.set(
      key,
      bases.flatMap((chain) => (chain.table === table && chain.base !== undefined ? [chain.base] : [])),
    );
  }
  return moments;
}

function reachableFrom(start: string, targets: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  const reached = new Set([start]);
  // A set hands out what is added while it is walked.
  for (const key of reached) for (const target of targets.get(key) ?? []) reached.add(target);
  return reached;
}

/** What a target of iptables touches, whatever its options; those of marks depend on them. */
export function touchesOfTarget(name: string): readonly Touch[] {
  switch (name) {
    case "DSCP":
    case "TOS":
      return [{ kind: "dscp" }];
    case "CLASSIFY":
      return [{ kind: "priority" }];
    case "SNAT":
    case "MASQUERADE":
    case "NETMAP":
      return [{ kind: "sourceNat" }];
    case "FLOWOFFLOAD":
      return [{ kind: "offload" }];
    default:
      return [];
  }
}
