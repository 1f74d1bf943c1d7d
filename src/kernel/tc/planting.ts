/** How an HTB tree stands on a device: at the root itself, or in a DSMARK. Pure. */
import { edgeCommands, filterCommands, INSIDE_EDGE, MADE_EDGE } from "../dsmark/edge.js";
import { EDGE_MAJOR } from "../dsmark/slots.js";
import { NO_TREE, type ObservedTree, ROOT_MAJOR, treeCommands } from "./difference.js";
import type { ClassSpec } from "./tree.js";

export type Planting = "htb" | "dsmark";

export const plantingOf = ({ edge }: ObservedTree): Planting => (edge === undefined ? "htb" : "dsmark");

/** Takes the tree with its root, however that stands. */
export const removeCommand = (device: string, tree: ObservedTree): string =>
  `qdisc del dev ${device} root handle ${plantingOf(tree) === "dsmark" ? EDGE_MAJOR : ROOT_MAJOR}:`;

/** Lines for `tc -batch`: a tree of ours that stands otherwise goes, then what differs is made. */
export function plantedCommands(
  planting: Planting,
  device: string,
  signature: number,
  wanted: readonly ClassSpec[],
  found: ObservedTree | undefined,
): readonly string[] {
  const replaced = found !== undefined && plantingOf(found) !== planting;
  const kept = found === undefined || replaced ? NO_TREE : found;
  const first = replaced ? [removeCommand(device, found)] : [];
  switch (planting) {
    case "htb":
      return [...first, ...treeCommands(device, signature, wanted, kept)];
    case "dsmark":
      return [
        ...first,
        ...edgeCommands(device, signature, kept.edge),
        ...treeCommands(device, signature, wanted, kept, INSIDE_EDGE),
        ...filterCommands(device, kept.edge),
      ];
  }
}

/** A made tree, as it stands. */
export const planted = (planting: Planting, tree: ObservedTree): ObservedTree =>
  planting === "dsmark" ? { ...tree, edge: MADE_EDGE } : tree;
