/** Probes for queueing disciplines, on the loopback device of a scratch namespace. */
import type { ProbeResult } from "./outcome.js";
import { probe, type ScratchRunner } from "./scratch.js";

/** Some disciplines take no empty options. */
const OPTIONS = {
  bfifo: [],
  cake: [],
  // Without `indices` tc refuses by itself and the kernel is never asked.
  dsmark: ["indices", "64", "default_index", "0", "set_tc_index"],
  fq_codel: [],
  htb: ["default", "1"],
} as const;

export type ProbedQdisc = keyof typeof OPTIONS;

export const probeQdisc = (kind: ProbedQdisc, run?: ScratchRunner): Promise<ProbeResult> =>
  probe({ tool: "tc", args: ["qdisc", "add", "dev", "lo", "root", "handle", "1:", kind, ...OPTIONS[kind]] }, run);
