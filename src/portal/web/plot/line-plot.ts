/** A line plot of a few series over time, as SVG; the newest figures stand beside it as text. */
import { el, fill, setText, svg } from "../dom/element.js";
import { axisFor, type Box, pathOf, placed, ticksOf } from "./scale.js";
import type { Series } from "./series.js";

export interface PlotLine {
  readonly label: string;
  /** `assured`, `effort` or `third`: colour and dashes, so that nobody needs the colour. */
  readonly look: "assured" | "effort" | "third";
  readonly series: Series;
  /** What is said while nothing is measured; otherwise `format` says it. */
  readonly without?: () => string;
}

export interface PlotOptions {
  readonly title: string;
  readonly lines: readonly PlotLine[];
  /** ms that the plot shows. */
  readonly span: number;
  /** The top of the scale is never below this. */
  readonly atLeast: number;
  readonly format: (value: number | undefined) => string;
}

export interface LinePlot {
  readonly element: HTMLElement;
  /** Draws up to `now`, by the clock of the readings. */
  draw(now: number): void;
}

const WIDTH = 320;
const HEIGHT = 120;
const BOX: Box = { left: 76, top: 8, width: WIDTH - 84, height: HEIGHT - 28 };
const TICKS = 2;

/** Nothing is drawn before `draw` is called. */
export function createLinePlot({ title, lines, span, atLeast, format }: PlotOptions): LinePlot {
  const grid = svg("g", { class: "grid" });
  const paths = lines.map(({ look }) => svg("path", { class: `line ${look}`, fill: "none" }));
  const from = svg("text", { x: BOX.left, y: HEIGHT - 4 }, `${Math.round(span / 1000)} s ago`);
  const to = svg("text", { x: WIDTH - 8, y: HEIGHT - 4, "text-anchor": "end" }, "now");
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true", class: "plot" });
  picture.append(grid, ...paths, from, to);
  const values = lines.map(() => el("dd"));
  const legend = el("dl", { class: "legend" });
  lines.forEach(({ label, look }, index) => {
    legend.append(el("div", {}, el("dt", { class: look }, label), values[index]));
  });
  const element = el("figure", { class: "card" }, el("figcaption", {}, title), picture, legend);
  return {
    element,
    draw: (now) => {
      const time = { low: now - span, high: now };
      const axis = axisFor(
        lines.flatMap(({ series }) => series.readings.map(({ value }) => value ?? 0)),
        atLeast,
      );
      fill(
        grid,
        ...ticksOf(axis, TICKS).flatMap((tick) =>
          tickMarks(tick, placed(tick, axis, BOX.top + BOX.height, BOX.top), format),
        ),
      );
      lines.forEach(({ series, without }, index) => {
        paths[index]?.setAttribute("d", pathOf(series.readings, time, axis, BOX));
        const value = values[index];
        const { latest } = series;
        if (value !== undefined) setText(value, latest === undefined && without ? without() : format(latest));
      });
    },
  };
}

function tickMarks(tick: number, y: number, format: PlotOptions["format"]): readonly SVGElement[] {
  const line = svg("line", { x1: BOX.left, x2: BOX.left + BOX.width, y1: y, y2: y });
  return [line, svg("text", { x: BOX.left - 6, y: y + 4, "text-anchor": "end" }, format(tick))];
}
