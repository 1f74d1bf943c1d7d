/** Plain tables: words left, numbers right, two blanks between columns. */

export interface Column<Row> {
  readonly title: string;
  readonly align: "left" | "right";
  readonly cell: (row: Row) => string;
}

export interface TableOptions {
  /** Bold titles, for terminals. */
  readonly color?: boolean;
}

const BOLD = "\u001b[1m";
const PLAIN = "\u001b[0m";

/** The table with its titles, each line ended; columns that are empty in every row are left out. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { color = false }: TableOptions = {},
): string {
  const cells = rows.map((row) => columns.map((column) => clean(column.cell(row))));
  const shown = columns
    .map((column, index) => ({ column, values: cells.map((line) => line[index] ?? "") }))
    .filter(({ values }) => rows.length === 0 || values.some((value) => value !== ""));
  const widths = shown.map(({ column, values }) =>
    Math.max(column.title.length, ...values.map((value) => value.length)),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, index) => pad(text, widths[index] ?? 0, shown[index]?.column.align ?? "left"))
      .join("  ")
      .trimEnd();
  const head = line(shown.map(({ column }) => column.title));
  const body = rows.map((_row, index) => line(shown.map(({ values }) => values[index] ?? "")));
  return `${[color ? `${BOLD}${head}${PLAIN}` : head, ...body].join("\n")}\n`;
}

// What peers sent may be in a cell: a terminal must not obey it.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
export const clean = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");

function pad(text: string, width: number, align: "left" | "right"): string {
  return align === "left" ? text.padEnd(width) : text.padStart(width);
}
