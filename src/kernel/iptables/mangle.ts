/** Runs iptables-restore and iptables-save of both families on the mangle table: tested first, then one transaction each. */
import { KernelError } from "../../model/errors.js";
import type { IpFamily } from "../../model/ip.js";
import type { RenderedStep } from "../port.js";
import { runTool } from "../tool.js";
import { FAMILIES, type Names } from "./names.js";
import {
  type OwnRules,
  ownRules,
  type RulesetInput,
  renderRules,
  renderRulesRemoval,
  rulesAreOurs,
} from "./ruleset.js";

const RESTORE = { 4: "iptables-restore", 6: "ip6tables-restore" } as const;
const SAVE = { 4: "iptables-save", 6: "ip6tables-save" } as const;
/** Waits for the lock that the legacy tools share; iptables-nft needs none and takes the option. */
const ARGUMENTS = ["--noflush", "--wait", "5"] as const;

export type OwnRulesOf = ReadonlyMap<IpFamily, OwnRules>;

const NO_RULES: OwnRules = { chains: [], rules: [], jumps: [] };

const ownOf = (own: OwnRulesOf, family: IpFamily): OwnRules => own.get(family) ?? NO_RULES;

export async function readOwnRules(names: Names): Promise<OwnRulesOf> {
  const own = new Map<IpFamily, OwnRules>();
  for (const family of FAMILIES) {
    own.set(family, ownRules(names, await runTool(SAVE[family], ["-t", "mangle"])));
  }
  return own;
}

export const hasRules = (own: OwnRulesOf): boolean =>
  FAMILIES.some((family) => ownOf(own, family).chains.length > 0 || ownOf(own, family).jumps.length > 0);

/** The name of a chain that is not ours, if there is one among those of our names. */
export const foreignChain = (own: OwnRulesOf): string | undefined => {
  const family = FAMILIES.find((candidate) => !rulesAreOurs(ownOf(own, candidate)));
  return family === undefined ? undefined : ownOf(own, family).chains[0];
};

export const saysItIsOurs = (own: OwnRulesOf): boolean =>
  FAMILIES.some((family) => ownOf(own, family).chains.length > 0 && rulesAreOurs(ownOf(own, family)));

/** The texts that make the chains of both families. */
export const rulesSteps = (names: Names, input: RulesetInput, own: OwnRulesOf): readonly RenderedStep[] =>
  FAMILIES.map((family) => step(family, renderRules(names, family, input, ownOf(own, family))));

export const removalSteps = (own: OwnRulesOf): readonly RenderedStep[] =>
  FAMILIES.map((family) => step(family, renderRulesRemoval(ownOf(own, family)))).filter(({ input }) => input !== "");

const step = (family: IpFamily, input: string): RenderedStep => ({ tool: RESTORE[family], args: ARGUMENTS, input });

/** @throws KernelError KERNEL_REFUSED; then no family is changed unless the second was refused after its test. */
export async function restoreRules(steps: readonly RenderedStep[]): Promise<void> {
  for (const test of [true, false]) {
    for (const { tool, args, input } of steps) {
      if (tool !== "iptables-restore" && tool !== "ip6tables-restore") continue;
      await restore(tool, test ? [...args, "--test"] : args, input);
    }
  }
}

async function restore(
  tool: "iptables-restore" | "ip6tables-restore",
  args: readonly string[],
  input: string,
): Promise<void> {
  try {
    await runTool(tool, args, input);
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== "KERNEL_TOOL_FAILED") throw error;
    const line = /line:? (\d+)/i.exec(error.message)?.[1];
    const rule = line === undefined ? "" : ` at "${input.split("\n")[Number(line) - 1] ?? ""}"`;
    const remedy =
      "the kernel needs xt_set, xt_mark, xt_hashlimit, xt_DSCP, xt_CLASSIFY, xt_limit and xt_comment for both families";
    throw new KernelError("KERNEL_REFUSED", `${tool} was refused${rule}: ${error.message}`, error.detail, {
      cause: error,
      remedy,
    });
  }
}

/** What the chains look like, for a digest. */
export const rulesText = (own: OwnRulesOf): string =>
  FAMILIES.map((family) => {
    const { chains, rules, jumps } = ownOf(own, family);
    return [`ipv${family}`, ...[...chains].sort(), ...rules, ...jumps].join("\n");
  }).join("\n");
