/** What `sluice show` tables are made of: how a value of an answer becomes a cell. */
import type { BitsPerSecond, Octets, Timestamp } from "../model/units.js";
import { showOctets, showRate, showTime } from "./format.js";
import type { Column } from "./table.js";

/** An item of an answer, as it came over the socket, with the role that sent it. */
export interface ShowRow {
  readonly role: string;
  readonly item: Readonly<Record<string, unknown>>;
}

export interface Topic {
  readonly columns: readonly Column<ShowRow>[];
  /** The answer's value as rows. */
  readonly rows: (value: unknown) => readonly unknown[];
}

/** What stands at a dotted path of an item; a role of another version may lack it. */
export function valueAt(row: ShowRow, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    if (typeof value !== "object" || value === null) return undefined;
    return Object.entries(value).find(([name]) => name === key)?.[1];
  }, row.item);
}

export const word = (title: string, path: string): Column<ShowRow> => ({
  title,
  align: "left",
  cell: (row) => {
    const value = valueAt(row, path);
    return value === undefined || value === null ? "" : String(value);
  },
});

/** A list; of things with a key that tells which they are, that. */
export const words = (title: string, path: string, key?: string): Column<ShowRow> => ({
  title,
  align: "left",
  cell: (row) =>
    list(valueAt(row, path))
      .map((item) => String(key === undefined ? item : valueAt({ ...row, item: { item } }, `item.${key}`)))
      .join(", "),
});

export const figure = (title: string, path: string, write: (value: number) => string = String): Column<ShowRow> => ({
  title,
  align: "right",
  cell: (row) => {
    const value = valueAt(row, path);
    return typeof value === "number" ? write(value) : "";
  },
});

export const rate = (title: string, path: string) => figure(title, path, (value) => showRate(value as BitsPerSecond));
export const size = (title: string, path: string) => figure(title, path, (value) => showOctets(value as Octets));
export const time = (title: string, path: string): Column<ShowRow> => ({
  ...figure(title, path, (value) => showTime(value as Timestamp)),
  align: "left",
});

export const ROLE: Column<ShowRow> = { title: "ROLE", align: "left", cell: (row) => row.role };

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const COUNTERS: readonly Column<ShowRow>[] = [
  figure("IN PKTS", "counters.inProfile.packets"),
  size("IN OCTETS", "counters.inProfile.octets"),
  figure("OUT PKTS", "counters.outOfProfile.packets"),
  size("OUT OCTETS", "counters.outOfProfile.octets"),
];
