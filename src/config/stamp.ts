/** Schema of a router's measurements between edges (STAMP, RFC 8762). */
import { z } from "zod";
import { familyOf } from "../model/ip.js";
import { millis, seconds } from "../model/units.js";
import { type CrossProblem, duplicates } from "./common.js";
import { count, ipAddress, ipPrefix, time } from "./scalars.js";

export const CLOCK_KINDS = ["auto", "synchronised", "free"] as const;

export const stampKeys = () =>
  z.strictObject({
    addresses: z
      .array(ipAddress())
      .min(1)
      .max(2)
      .describe(
        "Own addresses that test packets are sent from and reflected at, one for each IP version: `edge` of this router's communities.",
      ),
    port: count(1, 65_535).default(862).describe("UDP port where test packets of other edges are reflected."),
    allow: z
      .array(ipPrefix())
      .min(1)
      .max(1024)
      .optional()
      .describe("Whose test packets are reflected: addresses of the other edges. If left out, anybody's."),
    rate: count(1, 1_000_000)
      .default(2000)
      .describe("Most test packets of one source that are reflected in a second; others are dropped and counted."),
    maxSessions: count(1, 65_536).default(4096).describe("Most sessions of others that are reflected at a time."),
    timeout: time()
      .default(seconds(1))
      .describe("How long after it was sent a test packet counts as lost, 100 ms to 10 s."),
    report: time()
      .default(seconds(5))
      .describe("How often the policy server is told what was found: from the timeout to 1 min."),
    clock: z
      .enum(CLOCK_KINDS)
      .default("auto")
      .describe(
        "Whether this clock agrees with those of other edges: `auto` asks the kernel whether it is synchronised. Where either end's is not, a latency is half of the round trip.",
      ),
  });

export type StampConfig = z.output<ReturnType<typeof stampKeys>>;

const [TIMEOUT_MIN, TIMEOUT_MAX] = [millis(100), millis(10_000)];
/** What is found until then is kept packet by packet. */
const REPORT_MAX = millis(60_000);

export function checkStamp({ addresses, timeout, report }: StampConfig): readonly CrossProblem[] {
  const problems: CrossProblem[] = duplicates(
    addresses,
    "IP version",
    (address) => familyOf(address) ?? address,
    (index) => ["stamp", "addresses", index],
  );
  if (timeout < TIMEOUT_MIN || timeout > TIMEOUT_MAX) {
    const remedy = "choose one from 100 ms to 10 s";
    problems.push({ path: ["stamp", "timeout"], message: "so long or so short nothing can be waited for", remedy });
  }
  if (report < timeout || report > REPORT_MAX) {
    const message = "reports would come before anything is known of the packets, or when nobody needs them any more";
    problems.push({ path: ["stamp", "report"], message, remedy: "choose one from the timeout to 1 min" });
  }
  return problems;
}
