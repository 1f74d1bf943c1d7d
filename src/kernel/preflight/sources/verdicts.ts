/**
 * Which base chains take away packets of an IP protocol, from `nft --json list ruleset` (libnftables-json(5)). A rule that might
 * accept counts as one that does: what it looks at besides the protocol is not followed. Pure.
 */
import { z } from "zod";
import { parseJson } from "./json.js";

const chainSchema = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  hook: z.string().optional(),
  policy: z.string().optional(),
});
const ruleSchema = z.object({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  handle: z.number(),
  expr: z.array(z.unknown()).default([]),
});
const rulesetSchema = z.object({
  nftables: z.array(z.object({ chain: chainSchema.optional(), rule: ruleSchema.optional() })),
});

type FilterRule = z.output<typeof ruleSchema>;

export interface FilterChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook: string | undefined;
  readonly policy: string;
  /** Of its table: those of other chains may be jumped to. */
  readonly rules: readonly FilterRule[];
}

/** Base chains of the families of IP. */
export function parseFilters(text: string): readonly FilterChain[] | undefined {
  const entries = parseJson(text, rulesetSchema)?.nftables;
  if (entries === undefined) return undefined;
  const rules = entries.flatMap(({ rule }) => rule ?? []);
  return entries.flatMap(({ chain }): readonly FilterChain[] => {
    if (chain?.hook === undefined || !["ip", "ip6", "inet"].includes(chain.family)) return [];
    const { family, table, name, hook, policy = "accept" } = chain;
    const own = rules.filter((rule) => rule.family === family && rule.table === table);
    return [{ family, table, name, hook, policy, rules: own }];
  });
}

/** What takes packets of the protocol away: the chain itself by its policy, or a rule of its table. */
export type Taking = { readonly by: "policy" } | { readonly by: "rule"; readonly rule: FilterRule };

export function takingOf(
  { policy, rules }: FilterChain,
  protocol: number,
  names: readonly string[],
): Taking | undefined {
  const verdicts = rules.map((rule) => ({ rule, verdict: verdictOn(rule.expr, protocol, names) }));
  const dropping = verdicts.find(({ verdict }) => verdict === "drop");
  if (dropping !== undefined) return { by: "rule", rule: dropping.rule };
  if (policy !== "drop" || verdicts.some(({ verdict }) => verdict === "accept")) return undefined;
  return { by: "policy" };
}

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

/** `drop` only where the rule names the protocol and nothing else decides; `accept` where it may let the protocol pass. */
function verdictOn(
  expr: readonly unknown[],
  protocol: number,
  names: readonly string[],
): "accept" | "drop" | undefined {
  const statements = expr.map(fieldsOf).filter((fields) => fields !== undefined);
  const matches = statements.map(({ match }) => fieldsOf(match)).filter((fields) => fields !== undefined);
  const kinds = matches.map((match) => kindOf(match, protocol, names));
  if (kinds.includes("other")) return undefined;
  if (statements.some((statement) => "accept" in statement)) return "accept";
  const isNamed = kinds.length > 0 && kinds.every((kind) => kind === "named");
  return isNamed && statements.some((statement) => "drop" in statement || "reject" in statement) ? "drop" : undefined;
}

/** `other`: what matches here is no new packet of the protocol from a neighbour. */
function kindOf({ left, right, op }: Fields, protocol: number, names: readonly string[]): "named" | "other" | "any" {
  const meta = fieldsOf(fieldsOf(left)?.meta)?.key;
  const payload = fieldsOf(fieldsOf(left)?.payload);
  if (meta === "l4proto" || payload?.field === "protocol" || payload?.field === "nexthdr") {
    const isSame = valuesOf(right).some((value) => value === protocol || names.includes(String(value)));
    return isSame === (op !== "!=") ? "named" : "other";
  }
  if (meta === "iifname" || meta === "iif" || meta === "oifname" || meta === "oif") {
    return valuesOf(right).every((value) => value === "lo") && op !== "!=" ? "other" : "any";
  }
  // Ports, flags of TCP, types of ICMP; the state of a connection that a first packet does not have.
  if (payload !== undefined && !["ip", "ip6", "ether"].includes(String(payload.protocol))) return "other";
  return fieldsOf(left)?.ct === undefined ? "any" : "other";
}

const valuesOf = (value: unknown): readonly unknown[] => {
  const set = fieldsOf(value)?.set;
  return Array.isArray(set) ? set : [value];
};
