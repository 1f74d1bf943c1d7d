/** All packet filter rules of others, with the moments at which they run. */
import { type Seen, seen } from "../machine.js";
import type { Subject } from "../subject.js";
import type { IptablesRules } from "./iptables.js";
import type { Ruleset } from "./nft.js";
import { type Chain, type Moment, momentsOf, type Rule, type Touch } from "./rules.js";
import type { Sources } from "./sources.js";

export interface Rulebook {
  readonly chains: readonly Chain[];
  readonly rules: readonly Rule[];
  /** When the rules of a chain run, by its key. */
  readonly moments: ReadonlyMap<string, readonly Moment[]>;
}

export async function foreignRules(sources: Sources, subject: Subject): Promise<Seen<Rulebook>> {
  const [ruleset, iptables] = await Promise.all([sources.ruleset(), sources.iptables()]);
  if (!ruleset.seen && iptables.length === 0) return ruleset;
  return seen(merge(ruleset.seen ? ruleset.value : undefined, iptables, subject));
}

/**
 * iptables-nft keeps its rules in nf_tables, where nft cannot explain all of them: of its tables the rules are taken from
 * iptables, the chains from nft, because iptables lists chains that do not exist yet.
 */
function merge(ruleset: Ruleset | undefined, iptables: readonly IptablesRules[], subject: Subject): Rulebook {
  const explained = new Set(iptables.flatMap(({ tables }) => tables));
  const own = new Set(["inet", "arp"].map((family) => `${family} ${subject.table}`));
  const nftChains = (ruleset?.chains ?? []).filter(({ table }) => !own.has(table));
  const present = new Set(nftChains.map(({ key }) => key));
  const nftRules = (ruleset?.rules ?? []).filter((rule) => present.has(rule.chain) && !explained.has(tableOf(rule)));
  const legacy = iptables.filter(({ variant }) => variant === "legacy").flatMap(({ chains }) => chains);
  const chains = [...nftChains, ...legacy].filter(({ key }) => !isOwnChain(subject, key));
  const listed = [...nftRules, ...iptables.flatMap((listing) => listing.rules)];
  const rules = listed.filter(({ chain, targets }) => ![chain, ...targets].some((key) => isOwnChain(subject, key)));
  return { chains, rules, moments: momentsOf(chains, rules) };
}

const tableOf = ({ chain }: Rule): string => chain.slice(0, chain.lastIndexOf(" "));

/** The iptables back end has the chain TABLE, and others that begin with it, in the mangle tables. */
function isOwnChain({ table }: Subject, key: string): boolean {
  const name = key.slice(key.lastIndexOf(" ") + 1);
  return / mangle \S+$/.test(key) && (name === table || name.startsWith(`${table}-`));
}

export interface TouchingRule {
  readonly rule: Rule;
  readonly touch: Touch;
  readonly moments: readonly Moment[];
}

/** Rules that do something of this kind at one of these moments. */
export function touching<Kind extends Touch["kind"]>(
  book: Rulebook,
  kind: Kind,
  isMoment: (moment: Moment) => boolean,
): readonly (TouchingRule & { readonly touch: Extract<Touch, { kind: Kind }> })[] {
  return book.rules.flatMap((rule) => {
    const moments = (book.moments.get(rule.chain) ?? []).filter(isMoment);
    if (moments.length === 0) return [];
    const touches = rule.touches.filter((touch): touch is Extract<Touch, { kind: Kind }> => touch.kind === kind);
    return touches.map((touch) => ({ rule, touch, moments }));
  });
}
