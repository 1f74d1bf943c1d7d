/** How elements are changed: over netlink where that can be had, else through nft as text. */
import type { Clock } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { ElementStore } from "../element-store.js";
import { NftShell } from "../nft-shell/nft-shell.js";
import { layoutsOf } from "./layouts.js";
import type { RulesetOptions } from "./ruleset.js";

/** `auto`: netlink, and nft as text where netlink is not usable. */
export type Programming = "auto" | "netlink" | "shell";

export interface OpenElementsOptions extends RulesetOptions {
  readonly programming: Programming;
  /** Starts what speaks netlink, and asks nf_tables one question. */
  readonly openNetlink: () => Promise<ElementStore>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface OpenedElements {
  readonly elements: ElementStore;
  /** What was taken and why, one sentence without a full stop. */
  readonly detail: string;
}

/** @throws KernelError KERNEL_PERMISSION, or that of the way that was asked for. */
export async function openElements(options: OpenElementsOptions): Promise<OpenedElements> {
  const { programming, openNetlink, log, table } = options;
  if (programming === "shell") {
    return { elements: await openShell(options), detail: "nf_tables programmed by nft -i, as configured" };
  }
  try {
    return { elements: await openNetlink(), detail: "nf_tables programmed over netlink" };
  } catch (error) {
    // Without the right to change the kernel the other way would fail just so.
    const isFallback = error instanceof KernelError && error.code !== "KERNEL_PERMISSION";
    if (programming === "netlink" || !isFallback) throw error;
    const elements = await openShell(options);
    log.warn("kernel.netlink.unusable", { table, error });
    return { elements, detail: `nf_tables programmed by nft -i, because netlink is not usable: ${error.message}` };
  }
}

const openShell = ({ table, maxFlows, clock, log }: OpenElementsOptions): Promise<ElementStore> =>
  NftShell.open({ table, layouts: layoutsOf({ table, maxFlows }), clock, log });
