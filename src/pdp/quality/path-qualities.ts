/**
 * What the paths of measured pools give now. The edge router reports every few seconds; a report counts for as long as
 * the window is. A path is as bad as its worst report there: what a session is promised holds at all times or not at all.
 */
import type { Clock } from "../../model/clock.js";
import type { FlowDirection } from "../../model/flow.js";
import type { PathQuality } from "../../model/quality.js";
import { type Millis, millis, type Timestamp } from "../../model/units.js";
import type { PathQualitySource } from "../negotiation/path-quality.js";
import type { PathQualityReport, ReportedDirection } from "./probe-rows.js";

export interface PathQualitiesOptions {
  /** Those that are measured. */
  readonly pools: readonly { readonly id: number; readonly name: string }[];
  /** How far back reports count. */
  readonly window: Millis;
  /** How long without a report nothing is known. */
  readonly staleAfter: Millis;
  readonly clock: Clock;
}

/** A direction of a pool's path, for operators. */
export interface MeasuredDirection {
  readonly pool: string;
  readonly direction: FlowDirection;
  /** Absent where nothing is known, or not any more. */
  readonly quality?: PathQuality;
  /** Packets in the window that set out in this direction. */
  readonly samples: number;
  /** Of the last report; absent where none ever came. */
  readonly age?: Millis;
  readonly method: "oneWay" | "roundTrip" | "stale" | "waiting";
}

interface Heard {
  readonly at: Timestamp;
  readonly report: PathQualityReport;
}

const DIRECTIONS: readonly FlowDirection[] = ["up", "down"];

export class PathQualities implements PathQualitySource {
  readonly #options: PathQualitiesOptions;
  /** By name; the oldest first. */
  readonly #heard: ReadonlyMap<string, Heard[]>;
  readonly #names: ReadonlyMap<number, string>;
  /** Names of those whose other edge has answered. */
  readonly #answered = new Set<string>();

  constructor(options: PathQualitiesOptions) {
    this.#options = options;
    this.#heard = new Map(options.pools.map(({ name }) => [name, []]));
    this.#names = new Map(options.pools.map(({ id, name }) => [id, name]));
  }

  /**
   * Takes what the router says; of other pools it is of no interest. What was lost before the other edge answered for the first
   * time says that nobody was there, and nothing about the path that it will be.
   */
  report(reports: readonly PathQualityReport[]): void {
    const at = this.#options.clock.now();
    for (const report of reports) {
      const name = this.#names.get(report.pool) ?? "";
      const heard = this.#heard.get(name);
      if (heard === undefined) continue;
      if (lostOf(report) < report.out.sent && !this.#answered.has(name)) {
        this.#answered.add(name);
        heard.length = 0;
      }
      heard.push({ at, report });
      const gone = heard.findIndex((one) => this.#isInWindow(one, at));
      heard.splice(0, gone);
    }
  }

  /**
   * Undefined for a pool that is not measured, before the first report and once reports have stopped. Latency and jitter are
   * infinite, and loss is 1, as soon as nothing comes back any more.
   */
  of(pool: string, direction: FlowDirection): PathQuality | undefined {
    const heard = this.#counting(pool);
    const last = heard.at(-1);
    return last === undefined || this.#isStale(last) ? undefined : qualityOf(heard, direction);
  }

  all(): readonly MeasuredDirection[] {
    return [...this.#heard.keys()].flatMap((pool) => DIRECTIONS.map((direction) => this.#measured(pool, direction)));
  }

  #measured(pool: string, direction: FlowDirection): MeasuredDirection {
    const last = this.#heard.get(pool)?.at(-1);
    if (last === undefined) return { pool, direction, samples: 0, method: "waiting" };
    const age = millis(Math.max(0, this.#options.clock.now() - last.at));
    const heard = this.#counting(pool);
    const samples = heard.reduce((sum, { report }) => sum + way(report, direction).sent, 0);
    const quality = this.of(pool, direction);
    const isOneWay = heard.every(({ report }) => report.clocks === "synchronised");
    const method = this.#isStale(last) ? "stale" : isOneWay ? "oneWay" : "roundTrip";
    return { pool, direction, samples, age, method, ...(quality === undefined ? {} : { quality }) };
  }

  #counting(pool: string): readonly Heard[] {
    const now = this.#options.clock.now();
    return (this.#heard.get(pool) ?? []).filter((one) => this.#isInWindow(one, now));
  }

  #isInWindow = ({ at }: Heard, now: Timestamp): boolean => now - at <= this.#options.window;
  #isStale = ({ at }: Heard): boolean => this.#options.clock.now() - at > this.#options.staleAfter;
}

const way = (report: PathQualityReport, direction: FlowDirection): ReportedDirection =>
  direction === "up" ? report.out : report.in;

/** Packets, in both directions together. */
const lostOf = (report: PathQualityReport): number => report.out.lost + report.in.lost;

/** All that a dead path gives. */
const NOTHING: PathQuality = {
  latency: Number.POSITIVE_INFINITY as Millis,
  jitter: Number.POSITIVE_INFINITY as Millis,
  loss: 1,
};

function qualityOf(heard: readonly Heard[], direction: FlowDirection): PathQuality | undefined {
  const reports = heard.map(({ report }) => way(report, direction));
  const last = heard.at(-1)?.report;
  if (last !== undefined && last.out.sent > 0 && lostOf(last) >= last.out.sent) return NOTHING;
  const latencies = reports.flatMap(({ latency }) => latency ?? []);
  const sent = reports.reduce((sum, report) => sum + report.sent, 0);
  if (latencies.length === 0 || sent === 0) return undefined;
  const lost = reports.reduce((sum, report) => sum + report.lost, 0);
  return {
    latency: millis(Math.max(...latencies)),
    jitter: millis(Math.max(0, ...reports.flatMap(({ jitter }) => jitter ?? []))),
    loss: lost / sent,
  };
}
