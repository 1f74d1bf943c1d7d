/** What must fit together in a policy server's file. */

import { type CrossProblem, duplicates } from "./common.js";
import { nearest } from "./nearest.js";
import type { PdpConfig } from "./pdp.js";

export function checkPdp(config: PdpConfig): readonly CrossProblem[] {
  return [
    ...duplicates(
      config.pools,
      "pool",
      (pool) => pool.name,
      (index) => ["pools", index, "name"],
    ),
    ...duplicates(
      config.pools,
      "pool id",
      (pool) => pool.id,
      (index) => ["pools", index, "id"],
    ),
    ...duplicates(
      config.classes,
      "class",
      (item) => item.name,
      (index) => ["classes", index, "name"],
    ),
    ...duplicates(
      config.rules,
      "rule",
      (rule) => rule.name,
      (index) => ["rules", index, "name"],
    ),
    ...duplicates(
      config.access.prefixes,
      "prefix",
      (prefix) => prefix,
      (index) => ["access", "prefixes", index],
    ),
    ...config.classes.flatMap((item, index) =>
      unknownName(
        "pool",
        item.pool,
        config.pools.map((pool) => pool.name),
        ["classes", index, "pool"],
      ),
    ),
    ...config.rules.flatMap((rule, index) => checkRule(config, rule, index)),
    ...checkTimes(config),
  ];
}

function unknownName(
  what: string,
  name: string,
  known: readonly string[],
  path: CrossProblem["path"],
): readonly CrossProblem[] {
  if (known.includes(name)) return [];
  const near = nearest(name, known);
  const remedy = near === undefined ? `there are ${known.join(", ")}` : `did you mean "${near}"?`;
  return [{ path, message: `there is no ${what} "${name}"`, remedy }];
}

function checkRule(config: PdpConfig, rule: PdpConfig["rules"][number], index: number): readonly CrossProblem[] {
  if (rule.treatment === "assured") {
    if (rule.class !== undefined) {
      return [
        ...unknownName(
          "class",
          rule.class,
          config.classes.map((item) => item.name),
          ["rules", index, "class"],
        ),
        ...checkRuleRate(config, rule, index),
      ];
    }
    const message = `rule "${rule.name}" is assured but names no class`;
    return [{ path: ["rules", index, "treatment"], message, remedy: 'add "class:", or make the treatment bestEffort' }];
  }
  if (rule.class === undefined) return [];
  const message = `rule "${rule.name}" names a class, but its treatment is ${rule.treatment}`;
  return [{ path: ["rules", index, "class"], message, remedy: "take the class away, or make the treatment assured" }];
}

/** A flow that alone is larger than its pool would always be refused: surely a slip of the pen. */
function checkRuleRate(config: PdpConfig, rule: PdpConfig["rules"][number], index: number): readonly CrossProblem[] {
  const poolName = config.classes.find((item) => item.name === rule.class)?.pool;
  const pool = config.pools.find((item) => item.name === poolName);
  if (pool === undefined || rule.maxRate === undefined || rule.maxRate <= pool.rate) return [];
  const message = `maxRate is more than pool "${pool.name}" has`;
  return [{ path: ["rules", index, "maxRate"], message, remedy: "lower it, or give the pool a higher rate" }];
}

function checkTimes(config: PdpConfig): readonly CrossProblem[] {
  // RFC 2748 §2.2.13: the KA timer travels as whole seconds in 16 bits.
  const { keepAlive } = config.cops;
  if (keepAlive % 1000 === 0 && keepAlive <= 65_535_000) return [];
  const remedy = "COPS carries whole seconds, 1 s to 65535 s";
  return [{ path: ["cops", "keepAlive"], message: "this keep-alive time cannot be sent", remedy }];
}
