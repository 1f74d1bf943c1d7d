/** What the statements of an nft rule do to the things that we use, from their JSON (libnftables-json(5)). Pure. */
import { type Touch, touchesOfTarget } from "./rules.js";

const ALL_BITS = 0xffffffff;
/** Deeper is no rule that anybody wrote. */
const MAX_DEPTH = 32;

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
const isMark = (value: unknown): boolean => fieldsOf(fieldsOf(value)?.meta)?.key === "mark";
const pairOf = (value: unknown): readonly [unknown, unknown] | undefined =>
  Array.isArray(value) && value.length === 2 ? [value[0], value[1]] : undefined;

/** Calls `visit` for every object in it. */
function walk(value: unknown, visit: (fields: Fields) => void, depth = 0): void {
  if (depth > MAX_DEPTH) return;
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit, depth + 1);
    return;
  }
  const fields = fieldsOf(value);
  if (fields === undefined) return;
  visit(fields);
  for (const item of Object.values(fields)) walk(item, visit, depth + 1);
}

/** Names of the chains of the same table that a rule leads to. */
export function jumpsOf(expressions: readonly unknown[]): readonly string[] {
  const targets: string[] = [];
  walk(expressions, (fields) => {
    for (const verb of ["jump", "goto"]) {
      const target = fieldsOf(fields[verb])?.target;
      if (typeof target === "string") targets.push(target);
    }
  });
  return targets;
}

export function touchesOf(expressions: readonly unknown[]): readonly Touch[] {
  return expressions.flatMap((statement): readonly Touch[] => {
    const fields = fieldsOf(statement);
    if (fields === undefined) return [];
    const mangle = fieldsOf(fields.mangle);
    if (mangle !== undefined) return writeOf(mangle);
    const target = fieldsOf(fields.xt)?.name;
    if (typeof target === "string" && fieldsOf(fields.xt)?.type === "target") return foreignTarget(target);
    if ("snat" in fields || "masquerade" in fields) return [{ kind: "sourceNat" }];
    if (fieldsOf(fields.flow)?.op === "add") return [{ kind: "offload" }];
    const bits = bitsRead(statement);
    return bits === 0 ? [] : [{ kind: "mark", access: "read", bits }];
  });
}

function writeOf({ key, value }: Fields): readonly Touch[] {
  const meta = fieldsOf(fieldsOf(key)?.meta)?.key;
  if (meta === "mark") return [{ kind: "mark", access: "write", bits: bitsWritten(value) }];
  if (meta === "priority") return [{ kind: "priority" }];
  return fieldsOf(fieldsOf(key)?.payload)?.field === "dscp" ? [{ kind: "dscp" }] : [];
}

/** Targets of iptables, which nft names and does not explain. */
const foreignTarget = (name: string): readonly Touch[] =>
  name === "MARK" || name === "CONNMARK" ? [{ kind: "mark", access: "write", bits: ALL_BITS }] : touchesOfTarget(name);

/**
 * Bits that `meta mark set VALUE` can change. `mark | n`, `mark & n` and `mark ^ n` leave the others as they were; so do
 * these inside each other. Any other value replaces the whole mark.
 */
function bitsWritten(value: unknown): number {
  if (isMark(value)) return 0;
  const fields = fieldsOf(value) ?? {};
  for (const operator of ["|", "&", "^"] as const) {
    const [left, right] = pairOf(fields[operator]) ?? [];
    if (typeof right !== "number") continue;
    const own = operator === "&" ? ~right : right;
    return (bitsWritten(left) | own) >>> 0;
  }
  return ALL_BITS;
}

/** Bits of the mark that decide a match, a verdict map or a map's lookup. */
function bitsRead(statement: unknown): number {
  let bits = 0;
  let masked = 0;
  let marks = 0;
  walk(statement, (fields) => {
    if (isMark(fields)) marks += 1;
    const [left, right] = pairOf(fields["&"]) ?? [];
    if (isMark(left) && typeof right === "number") {
      masked += 1;
      bits = (bits | right) >>> 0;
    }
    const length = fieldsOf(fieldsOf(fields.right)?.prefix)?.len;
    if (isMark(fields.left) && typeof length === "number") {
      masked += 1;
      bits = (bits | leadingBits(length)) >>> 0;
    }
  });
  return marks > masked ? ALL_BITS : bits;
}

const leadingBits = (count: number): number => (count <= 0 ? 0 : (ALL_BITS << (32 - count)) >>> 0);
