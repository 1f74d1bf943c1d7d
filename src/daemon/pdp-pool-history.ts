/** The past of the policy server's pools: how it is recorded, asked for, and warned of. */
import type { PdpConfig } from "../config/pdp.js";
import { DEFAULT_WARNINGS } from "../config/pool-warnings.js";
import type { PoolSeriesView } from "../control/series-views.js";
import type { ControlQuery } from "../control/server.js";
import { SystemError } from "../model/errors.js";
import type { SessionId } from "../model/session.js";
import { type BitsPerSecond, bitsPerSecond, type Timestamp } from "../model/units.js";
import type { AdmissionLedger, PoolUse } from "../pdp/ledger.js";
import type { PoolKeeper } from "../pdp/pools/pool-keeper.js";
import { PoolSeries, SERIES_RESOLUTIONS, type SeriesResolution } from "../pdp/pools/pool-series.js";
import { PoolRecorder } from "../pdp/pools/pool-series-recorder.js";
import { PoolWatch } from "../pdp/pools/pool-watch.js";
import type { PoolTally } from "../pdp/pools/pool-watch-tally.js";
import type { RoleContext } from "./role.js";

export interface PoolHistoryParts {
  readonly ledger: AdmissionLedger;
  readonly keeper: PoolKeeper;
  readonly tally: PoolTally;
}

export interface PoolHistory {
  readonly series: (query: ControlQuery) => PoolSeriesView | undefined;
  readonly warnings: () => readonly string[];
}

/** Records until the role ends. */
export function recordPools(
  { config, clock, log, cleanup }: Pick<RoleContext<PdpConfig>, "config" | "clock" | "log" | "cleanup">,
  { ledger, keeper, tally }: PoolHistoryParts,
): PoolHistory {
  const series = new PoolSeries();
  const pools = new Map(config.pools.map((pool) => [pool.name, pool]));
  // Links have the usual warnings.
  const watch = new PoolWatch({ thresholds: (pool) => warningsOf(pools.get(pool)), log });
  const most = (use: PoolUse): BitsPerSecond => mostOf(keeper, pools.get(use.name), use);
  const recorder = new PoolRecorder({ ledger, keeper, tally, series, watch, most, clock });
  recorder.start();
  cleanup.add(() => recorder.close());
  return { series: (query) => seriesView(series, query), warnings: () => watch.warnings() };
}

type Pool = PdpConfig["pools"][number];

const warningsOf = (pool: Pool | undefined): readonly number[] => pool?.warn ?? DEFAULT_WARNINGS;

/** No session has it. */
const NOBODY = "0000000000000000" as SessionId;

/** Its ceiling, as long as one bit/s more than there is could be had; else what sessions may use now. */
function mostOf(keeper: Pick<PoolKeeper, "fits">, pool: Pool | undefined, use: PoolUse): BitsPerSecond {
  const { rate } = use;
  if (pool === undefined || pool.sizing === "fixed") return rate;
  const beyond = (used: BitsPerSecond): BitsPerSecond => bitsPerSecond(Math.max(0, rate - used) + 1);
  const more = { pool: pool.name, up: beyond(use.usedUp), down: beyond(use.usedDown) };
  if (!keeper.fits(NOBODY, [more]).admitted) return rate;
  return bitsPerSecond(Math.max(rate, pool.sizing.ceiling - pool.overhead));
}

/** Undefined for a pool that there is not. @throws SystemError CONTROL_QUERY */
export function seriesView(series: Pick<PoolSeries, "read">, query: ControlQuery): PoolSeriesView | undefined {
  const { pool = "", since } = query;
  const { step, slots } = resolutionOf(query.step);
  const points = series.read(pool, step, since === undefined ? (0 as Timestamp) : timeOf(since));
  if (points === undefined) return undefined;
  const whole = points.map(({ used: { min, mean, max }, ...point }) => {
    return { ...point, used: { min, mean: bitsPerSecond(Math.round(mean)), max } };
  });
  return { pool, step, kept: (step * slots) as PoolSeriesView["kept"], points: whole };
}

function resolutionOf(text: string | undefined): SeriesResolution {
  const found = SERIES_RESOLUTIONS.find(({ step }) => String(step) === (text ?? String(SERIES_RESOLUTIONS[0].step)));
  if (found !== undefined) return found;
  const remedy = `give one of ${SERIES_RESOLUTIONS.map(({ step }) => step).join(", ")}`;
  throw new SystemError("CONTROL_QUERY", `"${text}" is not a step that is kept`, { remedy });
}

function timeOf(text: string): Timestamp {
  if (/^\d{1,15}$/.test(text)) return Number(text) as Timestamp;
  throw new SystemError("CONTROL_QUERY", `"${text}" is not a time`, { remedy: "give milliseconds since 1970" });
}
