/** Bars on a logarithmic scale as SVG, the values written beside them. */
import { GRID, SVG_MARGIN, SVG_WIDTH, svgPage, svgText, written } from "./svg.js";

export interface Bar {
  readonly label: string;
  readonly value: number;
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const LABEL_WIDTH = 270;
const VALUE_WIDTH = 90;
const BAR_HEIGHT = 20;
const ROW = 26;
const TITLE_ROW = 34;
const AXIS_ROW = 18;
const GROUP_GAP = 14;
const HEADING = 46;
const FOOTER = 30;
const FILLS = ["#2f9e44", "#4c6ef5", "#868e96"] as const;

/** Each group has a scale of its own: from a power of ten below its smallest value to its largest. */
export function barChart(heading: string, footer: string, groups: readonly BarGroup[]): string {
  const parts: string[] = [];
  let y = HEADING;
  for (const { title, bars } of groups) {
    parts.push(svgText(SVG_MARGIN, y + 20, title, 'font-size="14" font-weight="bold"'));
    y += TITLE_ROW;
    const { decades, lengthOf } = scaleOf(bars.map(({ value }) => value));
    parts.push(
      ...decades.map((decade) => gridLine(SVG_MARGIN + LABEL_WIDTH + lengthOf(decade), y, bars.length, decade)),
    );
    for (const [index, { label, value }] of bars.entries()) {
      const length = lengthOf(value);
      const left = SVG_MARGIN + LABEL_WIDTH;
      const fill = FILLS[index % FILLS.length];
      parts.push(
        svgText(left - 10, y + 15, label, 'text-anchor="end"'),
        `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${fill}"/>`,
        svgText(left + length + 8, y + 15, written(value)),
      );
      y += ROW;
    }
    y += AXIS_ROW + GROUP_GAP;
  }
  parts.push(svgText(SVG_MARGIN, y + 10, footer, 'font-size="12" fill="#555"'));
  return svgPage({ heading, height: y + FOOTER, parts });
}

interface Scale {
  /** Powers of ten within it. */
  readonly decades: readonly number[];
  readonly lengthOf: (value: number) => number;
}

function scaleOf(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0);
  const least = Math.floor(Math.log10(Math.min(...positive))) - 1;
  const most = Math.log10(Math.max(...positive));
  const room = SVG_WIDTH - 2 * SVG_MARGIN - LABEL_WIDTH - VALUE_WIDTH;
  return {
    decades: Array.from({ length: Math.floor(most) - least + 1 }, (_, index) => 10 ** (least + index)),
    lengthOf: (value) => (value > 0 ? (room * (Math.log10(value) - least)) / (most - least) : 0),
  };
}

function gridLine(x: number, top: number, bars: number, decade: number): string {
  const bottom = top + bars * ROW;
  const label = svgText(x, bottom + 12, written(decade), 'font-size="10" fill="#777" text-anchor="middle"');
  return `<path d="M${x.toFixed(1)} ${top - 4}V${bottom}" stroke="${GRID}"/>${label}`;
}
