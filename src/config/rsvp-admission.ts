/** Schema of a router's `rsvp.admission`: who lets reservations through. */
import { z } from "zod";
import { millis, seconds } from "../model/units.js";
import type { CrossProblem } from "./common.js";
import { count, socketAddress, time } from "./scalars.js";

export const ON_LOSS = ["accept", "keep", "reject"] as const;

const serverKeys = () =>
  z.strictObject({
    servers: z
      .array(socketAddress())
      .min(1)
      .max(8)
      .optional()
      .describe("Policy servers that are asked, in order of preference; absent: those of `pdp`."),
    onLoss: z
      .enum(ON_LOSS)
      .default("keep")
      .describe(
        "While no policy server answers. `keep`: what was admitted stays, new reservations are refused. `accept`: new ones " +
          "are admitted by the room alone. `reject`: new ones are refused, and what was admitted is taken back after `hold`.",
      ),
    hold: time()
      .default(seconds(158))
      .describe("With `reject`: how long decisions of a server that is away are used (RFC 2749 §3.5)."),
    timeout: time()
      .default(seconds(2))
      .describe("Longest time to wait for a decision, or for a connection that is away."),
    maxReservations: count(1, 100_000)
      .default(20_000)
      .describe("Most reservations at a time; further ones are refused."),
  });

const DEFAULTS = {
  onLoss: "keep",
  hold: seconds(158),
  timeout: seconds(2),
  maxReservations: 20_000,
} as const satisfies z.output<ReturnType<typeof serverKeys>>;

export const admissionKeys = () =>
  z
    .union([z.literal("local"), z.literal("policyServer"), serverKeys()])
    .optional()
    .describe(
      "Who admits reservations: `local`, as if left out, has the room of the interface decide alone, `policyServer` a policy " +
        "server as well (COPS-RSVP, RFC 2749). With keys: a policy server, and how it is asked.",
    );

export type AdmissionConfig = z.output<ReturnType<typeof serverKeys>>;

/** Undefined: the room of the interfaces decides alone. */
export function admissionOf(written: z.output<ReturnType<typeof admissionKeys>>): AdmissionConfig | undefined {
  if (written === undefined || written === "local") return undefined;
  return written === "policyServer" ? DEFAULTS : written;
}

/** Timeouts beyond this would outlast the refresh that asks again. */
const TIMEOUT_MAX = millis(30_000);

/** @param hasServers - whether the router has a policy server anyway */
export function checkAdmission(
  written: z.output<ReturnType<typeof admissionKeys>>,
  hasServers: boolean,
): readonly CrossProblem[] {
  const admission = admissionOf(written);
  if (admission === undefined) return [];
  const problems: CrossProblem[] = [];
  if (admission.servers === undefined && !hasServers) {
    const remedy = 'write "admission: {servers: [...]}", or add "pdp:"';
    problems.push({ path: ["rsvp", "admission"], message: "there is no policy server to ask", remedy });
  }
  if (admission.timeout > TIMEOUT_MAX) {
    const message = "receivers ask again before this time is over";
    problems.push({ path: ["rsvp", "admission", "timeout"], message, remedy: "choose one up to 30 s" });
  }
  return problems;
}
