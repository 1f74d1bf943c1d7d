/** The types of our sets, out of the very text that declares them. Pure. */
import { dscp } from "../../model/units.js";
import { parseLayouts, type SetLayout, type SetLayouts } from "../nft-shell/set-layout.js";
import type { DesiredState } from "../port.js";
import { carryMapText, parseCarrySet } from "./carry-sets.js";
import { type RulesetOptions, renderUpdate } from "./ruleset.js";

const NOTHING: DesiredState = {
  interfaces: [],
  signalling: [],
  signallingDscp: dscp(0),
  pools: new Map(),
  tunnels: new Map(),
  flows: new Map(),
};

/** Those of aggregates come and go; they are known by their names. */
export function layoutsOf(options: RulesetOptions): SetLayouts {
  const fixed = parseLayouts(renderUpdate(options, NOTHING, ""));
  return { get: (name) => fixed.get(name) ?? carryLayout(name) };
}

function carryLayout(name: string): SetLayout | undefined {
  const set = parseCarrySet(name);
  return set && parseLayouts(carryMapText(set)).get(name);
}
