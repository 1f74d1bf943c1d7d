/** Pictures of benches and of the demo of pools: well-formed SVG that shows what it was given, inside its frame. */
import fc from "fast-check";
import { SaxesParser } from "saxes";
import { describe, expect, it } from "vitest";
import { barChart } from "../../bench/bar-chart.js";
import { type LinePanel, lineChart, ticksTo } from "../../bench/line-chart.js";

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
}

/** @throws Error if it is not well-formed */
function elementsOf(svg: string): readonly Element[] {
  const parser = new SaxesParser();
  const elements: Element[] = [];
  parser.on("opentag", ({ name, attributes }) => void elements.push({ name, attributes, text: "" }));
  parser.on("text", (text) => {
    const last = elements.at(-1);
    if (last !== undefined) last.text += text.trim();
  });
  parser.on("error", (error) => {
    throw error;
  });
  parser.write(svg).close();
  return elements;
}

const textsOf = (svg: string): readonly string[] =>
  elementsOf(svg).flatMap(({ name, text }) => (name === "text" ? [text] : []));
const numbersIn = (path: string): readonly number[] => (path.match(/-?[\d.]+/g) ?? []).map(Number);

const panel = (points: LinePanel["lines"][number]["points"], steps = false): LinePanel => ({
  title: "a panel",
  height: 100,
  lines: [{ label: "a line", steps, points }],
});
const POINTS = [
  { at: 0, value: 0 },
  { at: 5, value: 50 },
  { at: 10, value: 100 },
];

describe("lineChart", () => {
  it("joins points, or keeps a value until the next", () => {
    const drawn = (steps: boolean): string | undefined =>
      elementsOf(lineChart("h", "f", [panel(POINTS, steps)], [])).find(({ attributes }) => attributes.fill === "none")
        ?.attributes.d;
    // 0 to 10 s on columns 64 to 740, 0 to 100 on rows 186 to 86.
    expect(drawn(false)).toBe("M64.0 186.0L402.0 136.0L740.0 86.0");
    expect(drawn(true)).toBe("M64.0 186.0H402.0V136.0H740.0V86.0");
  });

  it("names panels, lines and moments, and escapes what they say", () => {
    const marks = [{ at: 1, label: "a < b & c" }];
    const texts = textsOf(lineChart("calls & pools", "below", [panel(POINTS)], marks));
    for (const text of ["calls & pools", "below", "a panel", "a line", "a < b & c"]) expect(texts).toContain(text);
  });

  it("gives moments that are close together rows of their own", () => {
    const marks = ["first moment", "second moment", "much later"].map((label, index) => ({
      at: [1, 1.2, 9][index]!,
      label,
    }));
    const rows = elementsOf(lineChart("h", "f", [panel(POINTS)], marks))
      .filter(({ text }) => marks.some(({ label }) => label === text))
      .map(({ attributes }) => Number(attributes.y));
    expect(rows).toEqual([54, 68, 54]);
  });

  it("stays inside its frame, whatever it is given", () => {
    const point = fc.record({
      at: fc.double({ min: 0, max: 1e4, noNaN: true }),
      value: fc.double({ min: 0, max: 1e9, noNaN: true }),
    });
    const mark = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), label: fc.string({ maxLength: 20 }) });
    fc.assert(
      fc.property(
        fc.array(point, { maxLength: 20 }),
        fc.array(mark, { maxLength: 5 }),
        fc.boolean(),
        (points, marks, steps) => {
          const inOrder = points.toSorted((left, right) => left.at - right.at);
          const [svg, ...elements] = elementsOf(lineChart("h", "f", [panel(inOrder, steps)], marks));
          const [, , width = 0, height = 0] = numbersIn(svg?.attributes.viewBox ?? "");
          for (const { attributes } of elements) {
            for (const key of ["x", "y"] as const) {
              const value = Number(attributes[key] ?? 0);
              expect(value).toBeGreaterThanOrEqual(0);
              expect(value).toBeLessThanOrEqual(key === "x" ? width : height);
            }
            if (attributes.fill !== "none") continue;
            for (const value of numbersIn(attributes.d ?? ""))
              expect(value >= 0 && value <= Math.max(width, height)).toBe(true);
          }
        },
      ),
    );
  });
});

describe("ticksTo", () => {
  it("goes from nothing to the most or just above, in a few even steps", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), (most) => {
        const ticks = ticksTo(most);
        const step = ticks[1]!;
        expect(ticks[0]).toBe(0);
        expect(ticks.length).toBeGreaterThanOrEqual(3);
        expect(ticks.length).toBeLessThanOrEqual(7);
        expect(ticks.at(-1)!).toBeGreaterThanOrEqual(most * (1 - 1e-6));
        expect(ticks.at(-1)! - step).toBeLessThan(most);
      }),
    );
    expect(ticksTo(540)).toEqual([0, 200, 400, 600]);
    expect(ticksTo(0)).toEqual([0, 1]);
  });
});

describe("barChart", () => {
  it("draws a bar for each value, as long as its logarithm says, and writes the value beside it", () => {
    const bars = [1, 10, 100].map((value) => ({ label: `${value} & more`, value }));
    const svg = barChart("heading", "footer", [{ title: "group", bars }]);
    const lengths = elementsOf(svg).flatMap(({ name, attributes }) =>
      name === "rect" && attributes.rx !== undefined ? [Number(attributes.width)] : [],
    );
    expect(lengths).toEqual([120, 240, 360]);
    for (const text of ["heading", "footer", "group", "10 & more", "100"]) expect(textsOf(svg)).toContain(text);
  });
});
