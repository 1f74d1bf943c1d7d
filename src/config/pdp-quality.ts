/** Schema of a policy server's measurements: which pools' paths are measured, and for how long a measurement counts. */
import { z } from "zod";
import { millis, seconds } from "../model/units.js";
import type { CrossProblem } from "./common.js";
import { count, time } from "./scalars.js";

/** Of a pool. */
export const measureKey = () =>
  z
    .boolean()
    .default(false)
    .describe(
      "Whether the edge router here measures the pool's path all the time (STAMP, RFC 8762). The other edge must reflect: `stamp` in its router's configuration.",
    );

export const qualityKeys = () =>
  z
    .strictObject({
      port: count(1, 65_535).default(862).describe("UDP port of the other edges' reflectors."),
      every: time().default(millis(100)).describe("Time between test packets of a pool, 10 ms to 1 min."),
      window: time()
        .default(seconds(30))
        .describe("How far back reports count: of loss the whole, of latency and jitter the worst report."),
      staleAfter: time()
        .default(seconds(15))
        .describe("How long without a report a pool's path counts as measured; then nothing is known of it."),
    })
    .prefault({})
    .describe("How the paths of pools with `measure` are measured.");

export type QualityConfig = z.output<ReturnType<typeof qualityKeys>>;

const [EVERY_MIN, EVERY_MAX] = [10, 60_000];

/** What is looked at of a policy server's configuration. */
export interface MeasuredConfig {
  readonly quality: QualityConfig;
  readonly access: { readonly router: string };
  readonly communities: readonly {
    readonly name: string;
    readonly router: string;
    readonly edge?: string | undefined;
  }[];
  readonly pools: readonly {
    readonly name: string;
    readonly from?: string | undefined;
    readonly to?: string | undefined;
    readonly measure: boolean;
  }[];
}

export function checkQuality(config: MeasuredConfig): readonly CrossProblem[] {
  return [...checkTimes(config.quality), ...config.pools.flatMap((_, index) => checkMeasured(config, index))];
}

function checkTimes({ every, window, staleAfter }: QualityConfig): readonly CrossProblem[] {
  const problems: CrossProblem[] = [];
  if (every < EVERY_MIN || every > EVERY_MAX) {
    const remedy = "choose one from 10 ms to 1 min";
    problems.push({
      path: ["quality", "every"],
      message: "no router sends test packets so often or so seldom",
      remedy,
    });
  }
  if (staleAfter > window) {
    const message = "a path would count as measured although no report is left in the window";
    problems.push({ path: ["quality", "staleAfter"], message, remedy: "make it no longer than the window" });
  }
  return problems;
}

function checkMeasured({ pools, communities, access }: MeasuredConfig, index: number): readonly CrossProblem[] {
  const pool = pools[index];
  if (pool?.measure !== true) return [];
  const path = ["pools", index, "measure"];
  const ends = [pool.from, pool.to].map((name) => communities.find((community) => community.name === name));
  const others = ends.filter((end) => end !== undefined && end.router !== access.router);
  if (ends.includes(undefined) || others.length !== 1) {
    const message = `pool "${pool.name}" does not lead from a community here to one elsewhere, so it has no path to measure`;
    return [{ path, message, remedy: "take measure away" }];
  }
  if (others[0]?.edge !== undefined) return [];
  const message = `the other edge of pool "${pool.name}" has no address`;
  return [{ path, message, remedy: `add "edge:" to community "${others[0]?.name}"` }];
}
