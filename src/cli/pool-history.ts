/** `sluice pool history POOL`: what was used, reserved and refused of a pool of a policy server. */
import { z } from "zod";
import type { BitsPerSecond, Millis, Timestamp } from "../model/units.js";
import { showDuration, showRate, showTime } from "./format.js";
import { type CliIo, EXIT, type OutputFormat, wantsColor, writeJson } from "./io.js";
import { parseSpan } from "./parse-span.js";
import { findPool } from "./pool.js";
import { ask, readAnswer, type TargetOptions } from "./roles.js";
import { sparkline } from "./sparkline.js";
import { type Column, renderTable } from "./table.js";

export interface HistoryOptions extends TargetOptions {
  readonly output: OutputFormat;
  readonly since: string;
  readonly step?: string;
}

const pointSchema = z.object({
  at: z.number(),
  used: z.object({ min: z.number(), mean: z.number(), max: z.number() }),
  reserved: z.number(),
  refused: z.number(),
  samples: z.number(),
});
const seriesSchema = z.object({
  pool: z.string(),
  step: z.number(),
  kept: z.number(),
  points: z.array(pointSchema),
});
type Series = z.output<typeof seriesSchema>;
type Point = z.output<typeof pointSchema>;

/** Steps that policy servers keep, and up to which time back each is shown if none is named. */
const STEPS: readonly (readonly [step: number, upTo: number])[] = [
  [1000, 60_000],
  [10_000, 600_000],
  [60_000, Number.POSITIVE_INFINITY],
];
const SPARKLINE_WIDTH = 72;

export async function poolHistory(pool: string, options: HistoryOptions, io: CliIo): Promise<number> {
  const back = parseSpan("--since", options.since);
  const step = options.step === undefined ? usualStep(back) : parseSpan("--step", options.step);
  const socket = await findPool(pool, options);
  const since = Math.max(0, Math.floor(Date.now() - back));
  const answer = await ask(socket, "/v1/series", { pool, step: String(step), since: String(since) });
  const { role } = answer;
  const series = readAnswer(seriesSchema, answer);
  if (options.output === "json") writeJson(io, "poolSeries", { items: [{ role, ...series }] });
  else io.out(render(role, series, io));
  return EXIT.ok;
}

/** So that there are some sixty lines at most, up to an hour. */
const usualStep = (back: number): number => STEPS.find(([, upTo]) => back <= upTo)?.[0] ?? 60_000;

const rate = (title: string, of: (point: Point) => number): Column<Point> => ({
  title,
  align: "right",
  cell: (point) => showRate(of(point) as BitsPerSecond),
});

const COLUMNS: readonly Column<Point>[] = [
  { title: "TIME", align: "left", cell: ({ at }) => showTime(at as Timestamp) },
  rate("USED", ({ used }) => used.mean),
  rate("LEAST", ({ used }) => used.min),
  rate("MOST", ({ used }) => used.max),
  rate("RESERVED", ({ reserved }) => reserved),
  { title: "REFUSED", align: "right", cell: ({ refused }) => String(refused) },
];

function render(role: string, { pool, step, kept, points }: Series, io: CliIo): string {
  const refused = points.reduce((sum, point) => sum + point.refused, 0);
  const span = (time: number): string => showDuration(time as Millis);
  const head = `${role}: pool ${pool} in steps of ${span(step)}, kept for ${span(kept)}; sessions refused: ${refused}\n`;
  if (points.length === 0) return `${head}nothing was recorded in that time\n`;
  const graph = io.isTerminal ? `${graphOf(points, step)}\n` : "";
  return `${head}${graph}${renderTable(COLUMNS, points, { color: wantsColor(io) })}`;
}

/** The most that was used, against the most that was reserved; times without a reading are blank. */
function graphOf(points: readonly Point[], step: number): string {
  const [first, last] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 0];
  const byTime = new Map(points.map(({ at, used }) => [at, used.max]));
  const length = Math.round((last - first) / step) + 1;
  const values = Array.from({ length }, (_none, index) => byTime.get(first + index * step));
  const top = Math.max(...points.map(({ reserved, used }) => Math.max(reserved, used.max)));
  return `${sparkline(values, { top, width: SPARKLINE_WIDTH })} of ${showRate(top as BitsPerSecond)}`;
}
