/** Reads what a role tells of path quality, whatever form it has: rows of names and numbers. Pure. */

export interface QualityTable {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const ROWS_MAX = 100;

/** A list of records becomes a table of all their members that are plain; nested ones are taken one step deep. */
export function qualityTable(value: unknown): QualityTable {
  const records = recordsIn(value).slice(0, ROWS_MAX).map(flat);
  const heads = [...new Set(records.flatMap((record) => Object.keys(record)))];
  return { heads, rows: records.map((record) => heads.map((head) => textOf(head, record[head]))) };
}

type Plain = Readonly<Record<string, unknown>>;

const isPlain = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function recordsIn(value: unknown): readonly Plain[] {
  if (Array.isArray(value)) return value.filter(isPlain);
  if (!isPlain(value)) return [];
  const lists = Object.values(value).filter((member) => Array.isArray(member));
  return lists.flat().filter(isPlain);
}

function flat(record: Plain): Plain {
  const pairs = Object.entries(record).flatMap(([name, value]) =>
    isPlain(value)
      ? Object.entries(value).map(([inner, member]) => [`${name} ${inner}`, member] as const)
      : [[name, value] as const],
  );
  return Object.fromEntries(pairs.filter(([, value]) => typeof value !== "object"));
}

function textOf(head: string, value: unknown): string {
  if (value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (/loss/i.test(head)) return `${Math.round(value * 10_000) / 100} %`;
  return String(Math.round(value * 100) / 100);
}
