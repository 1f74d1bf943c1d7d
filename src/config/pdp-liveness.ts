/** Schema of a policy server's `liveness`: how sessions are found over that nobody hung up. */
import { z } from "zod";
import { millis } from "../model/units.js";
import type { CrossProblem } from "./common.js";
import { time } from "./scalars.js";

/** Told as a time, with `off` in its description: so its default is shown as one writes it. */
const timeOrOff = () => z.union([z.literal("off"), time()]).meta({ kind: "a time", example: "60 s" });

/** RFC 2748 §2.2.15: whole seconds in two octets. */
const ACCOUNTING_MAX = 65_535_000;

export const livenessKeys = () =>
  z.strictObject({
    accounting: timeOrOff()
      .default(millis(15_000))
      .describe(
        "How often the router tells what sessions have carried so far, in whole seconds; with `off` never, and no session is found idle.",
      ),
    idleTimeout: timeOrOff()
      .default(millis(60_000))
      .describe(
        "An assured session without a packet for so long is ended; one on hold is not. `off`: silence ends nothing.",
      ),
    maxDuration: timeOrOff()
      .default(millis(86_400_000))
      .describe(
        "Sessions are ended so long after their answer, unanswered ones so long after their beginning. `off`: they may last for ever.",
      ),
  });

export type LivenessConfig = z.output<ReturnType<typeof livenessKeys>>;

/** What a file without `liveness` means. */
export const DEFAULT_LIVENESS: LivenessConfig = {
  accounting: millis(15_000),
  idleTimeout: millis(60_000),
  maxDuration: millis(86_400_000),
};

export function checkLiveness({ accounting, idleTimeout }: LivenessConfig): readonly CrossProblem[] {
  const path = ["liveness", "accounting"];
  if (accounting === "off") {
    if (idleTimeout === "off") return [];
    const remedy = "set `accounting`, or `idleTimeout: off`";
    return [{ path, message: "without reports of the router no session is found idle", remedy }];
  }
  if (accounting % 1000 !== 0 || accounting > ACCOUNTING_MAX) {
    return [{ path, message: "the time cannot be told to a router", remedy: "use whole seconds, 65535 s at most" }];
  }
  if (idleTimeout !== "off" && idleTimeout < 2 * accounting) {
    const message = "sessions are idle sooner than two reports could show it";
    return [{ path: ["liveness", "idleTimeout"], message, remedy: "make it twice `accounting`, or more" }];
  }
  return [];
}
