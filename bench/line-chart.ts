/** What changes over time as SVG: panels one below the other with the same scale of time, and lines that say what happened when. */
import { GRID, SVG_MARGIN, SVG_WIDTH, svgPage, svgText, written } from "./svg.js";

/** In order of time. */
export interface LinePoint {
  /** Seconds. */
  readonly at: number;
  readonly value: number;
}

export interface Line {
  readonly label: string;
  readonly points: readonly LinePoint[];
  /** Keeps its value until the next point, as what is set does; else points are joined. */
  readonly steps: boolean;
}

export interface LinePanel {
  readonly title: string;
  readonly lines: readonly Line[];
  /** Rows of the picture. */
  readonly height: number;
}

/** A moment that all panels show. */
export interface LineMark {
  readonly at: number;
  readonly label: string;
}

const AXIS_WIDTH = 44;
const LEFT = SVG_MARGIN + AXIS_WIDTH;
const RIGHT = SVG_WIDTH - SVG_MARGIN;
const HEADING = 46;
const MARK_ROW = 14;
const TITLE_ROW = 40;
const AXIS_ROW = 30;
const FOOTER = 24;
/** Lines of a scale, about. */
const TICKS = 5;
const STROKES = ["#2f9e44", "#4c6ef5", "#e8590c", "#868e96"] as const;
/** Below this a scale would have no numbers to be written. */
const LEAST = 1e-9;
/** What a mark's label takes at most, in columns: one that would lie on another's goes a row higher. */
const COLUMNS_PER_LETTER = 5.6;

/** @param panels - each with a scale of its own from 0 */
export function lineChart(
  heading: string,
  footer: string,
  panels: readonly LinePanel[],
  marks: readonly LineMark[],
): string {
  const end = Math.max(1, ...panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(({ at }) => at))));
  const x = (at: number): number => LEFT + (at / end) * (RIGHT - LEFT);
  const labels = placed(marks, x);
  const rows = Math.max(0, ...labels.map(({ row }) => row + 1));
  const top = HEADING + rows * MARK_ROW;
  let y = top;
  const parts: string[] = [];
  for (const panel of panels) {
    parts.push(...panelParts(panel, y, x, end));
    y += TITLE_ROW + panel.height + AXIS_ROW;
  }
  const bottom = y - AXIS_ROW;
  for (const { label, left, row, at } of labels) {
    const baseline = HEADING + row * MARK_ROW + 8;
    parts.push(
      `<path d="M${x(at).toFixed(1)} ${baseline + 3}V${bottom}" stroke="#999" stroke-dasharray="2 3"/>`,
      svgText(left, baseline, label, 'font-size="10" fill="#333"'),
    );
  }
  parts.push(svgText(SVG_MARGIN, y + 8, footer, 'font-size="12" fill="#555"'));
  return svgPage({ heading, height: y + FOOTER, parts });
}

interface PlacedMark extends LineMark {
  readonly left: number;
  /** 0 is the highest. */
  readonly row: number;
}

/** Each label in the first row where there is room for it. */
function placed(marks: readonly LineMark[], x: (at: number) => number): readonly PlacedMark[] {
  const ends: number[] = [];
  return marks.map((mark) => {
    const width = mark.label.length * COLUMNS_PER_LETTER;
    const left = Math.min(x(mark.at) + 2, RIGHT - width);
    const free = ends.findIndex((taken) => taken <= left);
    const row = free === -1 ? ends.length : free;
    ends[row] = left + width;
    return { ...mark, left, row };
  });
}

function panelParts(panel: LinePanel, top: number, x: (at: number) => number, end: number): readonly string[] {
  const { title, lines, height } = panel;
  const floor = top + TITLE_ROW + height;
  const most = Math.max(0, ...lines.flatMap(({ points }) => points.map(({ value }) => value)));
  const scale = ticksTo(most);
  const full = scale.at(-1) ?? 1;
  const y = (value: number): number => floor - (value / full) * height;
  return [
    svgText(SVG_MARGIN, top + 20, title, 'font-size="14" font-weight="bold"'),
    ...legend(lines, top + 34),
    ...scale.flatMap((value) => [
      `<path d="M${LEFT} ${y(value).toFixed(1)}H${RIGHT}" stroke="${GRID}"/>`,
      svgText(LEFT - 6, Math.round(y(value)) + 4, written(value), 'font-size="10" fill="#777" text-anchor="end"'),
    ]),
    ...ticksTo(end)
      .filter((at) => at <= end)
      .map((at) => svgText(x(at), floor + 14, `${written(at)} s`, 'font-size="10" fill="#777" text-anchor="middle"')),
    ...lines.map(
      (line, index) =>
        `<path d="${pathOf(line, x, y)}" fill="none" stroke="${strokeOf(index)}" stroke-width="1.8" stroke-linejoin="round"/>`,
    ),
  ];
}

const strokeOf = (index: number): string => STROKES[index % STROKES.length] ?? STROKES[0];

function legend(lines: readonly Line[], y: number): readonly string[] {
  let left = LEFT;
  return lines.flatMap(({ label }, index) => {
    const at = left;
    left += 30 + label.length * 6.4;
    return [
      `<path d="M${at.toFixed(1)} ${y - 4}h16" stroke="${strokeOf(index)}" stroke-width="3"/>`,
      svgText(at + 20, y, label, 'font-size="11"'),
    ];
  });
}

function pathOf({ points, steps }: Line, x: (at: number) => number, y: (value: number) => number): string {
  return points
    .map(({ at, value }, index) => {
      const [column, row] = [x(at).toFixed(1), y(value).toFixed(1)];
      if (index === 0) return `M${column} ${row}`;
      return steps ? `H${column}V${row}` : `L${column} ${row}`;
    })
    .join("");
}

/** From 0 to at least `most`, in steps of 1, 2 or 5 times a power of ten. */
export function ticksTo(most: number): readonly number[] {
  if (!(most > LEAST)) return [0, 1];
  const rough = most / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
}
