/** Schema of the loads at which a policy server warns of a pool. */
import { z } from "zod";
import { count } from "./scalars.js";

/** Percent of what the sessions of a pool may use. */
export const DEFAULT_WARNINGS: readonly number[] = [80, 95];
const WARNINGS_MAX = 4;

export const warningKeys = () =>
  z
    .array(count(1, 100))
    .max(WARNINGS_MAX)
    .default([...DEFAULT_WARNINGS])
    .superRefine((percents, context) => {
      const isRising = percents.every((percent, index) => index === 0 || percent > (percents[index - 1] ?? 0));
      if (isRising) return;
      const remedy = "begin with the smallest, each once, such as [80, 95]";
      context.addIssue({ code: "custom", message: "the warnings do not rise", params: { remedy } });
    })
    .describe(
      "Percent of what its sessions may use at which the log and the health of this server warn; none with `[]`. A pool that follows its sessions is measured by its ceiling as long as it can grow.",
    );
