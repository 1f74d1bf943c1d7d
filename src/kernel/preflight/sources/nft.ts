/** The ruleset as `nft --json --terse list ruleset` prints it. */
import { z } from "zod";
import { parseJson } from "./json.js";
import { jumpsOf, touchesOf } from "./nft-statements.js";
import { type Chain, HOOKS, type Rule } from "./rules.js";

const named = { family: z.string(), name: z.string() };
const chainSchema = z.object({
  ...named,
  table: z.string(),
  type: z.string().optional(),
  hook: z.string().optional(),
  prio: z.number().optional(),
  policy: z.string().optional(),
});
const ruleSchema = z.object({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  handle: z.number(),
  expr: z.array(z.unknown()).default([]),
});
const flowtableSchema = z.object({
  ...named,
  table: z.string(),
  dev: z.union([z.string(), z.array(z.string())]).optional(),
});
const rulesetSchema = z.object({
  nftables: z.array(
    z.object({
      table: z.object(named).optional(),
      chain: chainSchema.optional(),
      rule: ruleSchema.optional(),
      flowtable: flowtableSchema.optional(),
    }),
  ),
});

export interface Table {
  readonly family: string;
  readonly name: string;
}

export interface Flowtable {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly devices: readonly string[];
}

export interface Ruleset {
  readonly tables: readonly Table[];
  readonly chains: readonly Chain[];
  readonly rules: readonly Rule[];
  readonly flowtables: readonly Flowtable[];
}

export function parseRuleset(text: string): Ruleset | undefined {
  const entries = parseJson(text, rulesetSchema)?.nftables;
  if (entries === undefined) return undefined;
  return {
    tables: entries.flatMap(({ table }) => table ?? []),
    chains: entries.flatMap(({ chain }) => (chain === undefined ? [] : [chainOf(chain)])),
    rules: entries.flatMap(({ rule }) => (rule === undefined ? [] : [ruleOf(rule)])),
    flowtables: entries.flatMap(({ flowtable }) => (flowtable === undefined ? [] : [flowtableOf(flowtable)])),
  };
}

function chainOf({
  family,
  table,
  name,
  type = "",
  hook,
  prio,
  policy = "accept",
}: z.output<typeof chainSchema>): Chain {
  const place = HOOKS.find((candidate) => candidate === hook);
  const chain = { key: `${family} ${table} ${name}`, table: `${family} ${table}`, name };
  if (place === undefined || prio === undefined) return chain;
  return { ...chain, base: { hook: place, priority: prio, policy, type } };
}

function ruleOf({ family, table, chain, handle, expr }: z.output<typeof ruleSchema>): Rule {
  const place = `${family} ${table}`;
  return {
    chain: `${place} ${chain}`,
    touches: touchesOf(expr),
    targets: jumpsOf(expr).map((target) => `${place} ${target}`),
    removal: `nft delete rule ${place} ${chain} handle ${handle}`,
  };
}

function flowtableOf({ family, table, name, dev = [] }: z.output<typeof flowtableSchema>): Flowtable {
  return { family, table, name, devices: typeof dev === "string" ? [dev] : dev };
}
