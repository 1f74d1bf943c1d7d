/** What the reports of all demos are made of. Pure. */
import type { Check } from "./checks.js";

export type Cell = string | number;

/** Columns as wide as their widest cell; numbers to the right. */
export function table(rows: readonly (readonly Cell[])[]): string {
  const width = (column: number): number => Math.max(...rows.map((row) => String(row[column] ?? "").length));
  const cell = (value: Cell, column: number): string =>
    typeof value === "number" ? String(value).padStart(width(column)) : value.padEnd(width(column));
  return rows.map((row) => `  ${row.map(cell).join("  ")}`.trimEnd()).join("\n");
}

/** No checks at all are no proof. */
export const isHeld = (checks: readonly Check[]): boolean => checks.length > 0 && checks.every(({ ok }) => ok);

/** The parts, and what the checks found, as a report ends. */
export function reportOf(parts: readonly string[], checks: readonly Check[]): string {
  const rows = checks.map(({ name, ok, detail }) => [ok ? "ok" : "FAILED", name, detail]);
  const verdict = isHeld(checks) ? "All of it holds." : "The demo FAILED.";
  return `${[...parts, ["== Checks", table(rows), verdict].join("\n")].join("\n\n")}\n`;
}
