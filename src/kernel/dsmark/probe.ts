/** Whether this kernel has what the back end needs: all of it at once, built as on a real interface, in a scratch namespace. */
import type { ProbeResult } from "../probe/outcome.js";
import { probe, type ScratchCommand, type ScratchRunner } from "../probe/scratch.js";
import { edgeCommands, filterCommands, INSIDE_EDGE } from "./edge.js";

/** Any will do: nobody else is there. */
const SIGNATURE = 0;

const batch = (...commands: readonly string[]): ScratchCommand => ({
  tool: "tc",
  args: ["-batch", "-"],
  input: commands.map((command) => `${command}\n`).join(""),
});

/** DSMARK and its indices. */
export const DSMARK_PROBE: ScratchCommand = batch(...edgeCommands("lo", SIGNATURE, undefined));

/** The classifier that takes the class out of the slot; Linux lost it at another time than DSMARK, and needs no DSMARK to tell. */
export const TCINDEX_PROBE: ScratchCommand = batch(
  "qdisc add dev lo root handle 1: htb default 1",
  ...filterCommands("lo", undefined),
);

/** The three together. */
const WHOLE_PROBE: ScratchCommand = batch(
  ...edgeCommands("lo", SIGNATURE, undefined),
  `qdisc add dev lo ${INSIDE_EDGE} handle 1: htb default 1`,
  ...filterCommands("lo", undefined),
);

/** The first that is not there, with its name; else that of the whole. */
export async function probeDsmark(run?: ScratchRunner): Promise<ProbeResult & { readonly part: string }> {
  const parts = [
    ["DSMARK", DSMARK_PROBE],
    ["the classifier tcindex", TCINDEX_PROBE],
    ["HTB in DSMARK", WHOLE_PROBE],
  ] as const;
  for (const [part, command] of parts) {
    const result = await probe(command, run);
    if (result.outcome !== "supported") return { ...result, part };
  }
  return { outcome: "supported", evidence: "", part: "HTB in DSMARK" };
}
