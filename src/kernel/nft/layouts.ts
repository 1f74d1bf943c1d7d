/** The types of our sets, out of the very text that declares them. Pure. */
import { dscp } from "../../model/units.js";
import { parseLayouts, type SetLayouts } from "../nft-shell/set-layout.js";
import type { DesiredState } from "../port.js";
import { type RulesetOptions, renderUpdate } from "./ruleset.js";

const NOTHING: DesiredState = {
  interfaces: [],
  signalling: [],
  signallingDscp: dscp(0),
  pools: new Map(),
  tunnels: new Map(),
  flows: new Map(),
};

export const layoutsOf = (options: RulesetOptions): SetLayouts => parseLayouts(renderUpdate(options, NOTHING, ""));
