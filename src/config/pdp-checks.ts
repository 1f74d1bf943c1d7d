/** What must fit together in a policy server's file. */

import { type CrossProblem, duplicateNames, duplicates } from "./common.js";
import { checkCommunities } from "./community-checks.js";
import type { PdpConfig } from "./pdp.js";
import { checkLiveness } from "./pdp-liveness.js";
import { checkQuality } from "./pdp-quality.js";
import { checkPdpRsvp } from "./pdp-rsvp.js";
import { checkPools, mostOf } from "./pool-checks.js";
import { checkSessionClasses } from "./session-classes.js";
import { unknownName } from "./unknown-name.js";

export function checkPdp(config: PdpConfig): readonly CrossProblem[] {
  return [
    ...(config.rsvp === undefined ? [] : checkPdpRsvp(config.rsvp)),
    ...duplicateNames(config.pools, "pool", ["pools"]),
    ...duplicates(
      config.pools,
      "pool id",
      (pool) => pool.id,
      (index) => ["pools", index, "id"],
    ),
    ...duplicateNames(config.classes, "class", ["classes"]),
    ...duplicateNames(config.rules, "rule", ["rules"]),
    ...duplicates(
      config.access.prefixes,
      "prefix",
      (prefix) => prefix,
      (index) => ["access", "prefixes", index],
    ),
    ...config.classes.flatMap((item, index) => checkClass(config, item, index)),
    ...checkSessionClasses(config),
    ...config.rules.flatMap((rule, index) => checkRule(config, rule, index)),
    ...checkCommunities(config),
    ...checkPools(config),
    ...checkQuality(config),
    ...checkLiveness(config.liveness),
    ...checkTimes(config),
  ];
}

function checkClass(config: PdpConfig, item: PdpConfig["classes"][number], index: number): readonly CrossProblem[] {
  const { name, pool } = item;
  if (pool !== undefined) {
    const known = config.pools.filter(({ from }) => from === undefined).map((candidate) => candidate.name);
    const between = config.pools.some((candidate) => candidate.name === pool && candidate.from !== undefined);
    if (!between) return unknownName("pool", pool, known, ["classes", index, "pool"]);
    const message = `pool "${pool}" is between two communities, and found without being named here`;
    return [{ path: ["classes", index, "pool"], message, remedy: "name a pool without communities, or none" }];
  }
  if (config.pools.some((candidate) => candidate.class === name)) return [];
  const message = `class "${name}" has no pool: each of its sessions would be refused`;
  return [{ path: ["classes", index, "name"], message, remedy: 'add "pool:", or pools between communities for it' }];
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
    if (rule.sessionClasses !== undefined) return [];
    const message = `rule "${rule.name}" is assured but names no class`;
    const remedy = 'add "class:" or "sessionClasses:", or make the treatment bestEffort';
    return [{ path: ["rules", index, "treatment"], message, remedy }];
  }
  if (rule.class === undefined) return [];
  const message = `rule "${rule.name}" names a class, but its treatment is ${rule.treatment}`;
  return [{ path: ["rules", index, "class"], message, remedy: "take the class away, or make the treatment assured" }];
}

/** A flow that alone is larger than every pool of its class would always be refused: surely a slip of the pen. */
function checkRuleRate(config: PdpConfig, rule: PdpConfig["rules"][number], index: number): readonly CrossProblem[] {
  const { maxRate } = rule;
  const named = config.classes.find((item) => item.name === rule.class)?.pool;
  const pools = config.pools.filter((pool) => pool.name === named || pool.class === rule.class);
  if (maxRate === undefined || pools.length === 0 || pools.some((pool) => maxRate <= mostOf(pool))) return [];
  const path = ["rules", index, "maxRate"];
  const message = `maxRate is more than pool "${pools.map((pool) => pool.name).join('" or "')}" has`;
  return [{ path, message, remedy: "lower it, or give the pool a higher rate" }];
}

function checkTimes(config: PdpConfig): readonly CrossProblem[] {
  // RFC 2748 §2.2.13: the KA timer travels as whole seconds in 16 bits.
  const { keepAlive } = config.cops;
  if (keepAlive % 1000 === 0 && keepAlive <= 65_535_000) return [];
  const remedy = "COPS carries whole seconds, 1 s to 65535 s";
  return [{ path: ["cops", "keepAlive"], message: "this keep-alive time cannot be sent", remedy }];
}
