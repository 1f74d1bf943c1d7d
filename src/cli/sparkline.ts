/** A row of numbers as one line of blocks, for terminals. */

const BLOCKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/**
 * At most `width` characters: of several values that share one, the largest. Absent values are blank.
 * @param top - the value that fills a block; larger ones do not show
 */
export function sparkline(
  values: readonly (number | undefined)[],
  { top, width }: { readonly top: number; readonly width: number },
): string {
  const columns = Math.min(width, values.length);
  return Array.from({ length: columns }, (_none, column) => {
    const start = Math.floor((column * values.length) / columns);
    const end = Math.floor(((column + 1) * values.length) / columns);
    const known = values.slice(start, end).filter((value) => value !== undefined);
    return known.length === 0 ? " " : blockOf(Math.max(...known), top);
  }).join("");
}

function blockOf(value: number, top: number): string {
  const part = top <= 0 ? 0 : value / top;
  const index = Math.min(BLOCKS.length - 1, Math.max(0, Math.floor(part * BLOCKS.length)));
  return BLOCKS[index] ?? "";
}
