/** Looking into a zod schema: for "did you mean" and for the generated reference. */
import { z } from "zod";
import type { KeyPath } from "./document.js";

export type Schema = z.core.$ZodType;

const isWrapper = (schema: Schema): schema is z.ZodOptional | z.ZodDefault | z.ZodPrefault =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;

/** The schema without the wrappers that do not change which keys there are. */
export function bare(schema: Schema): Schema {
  if (isWrapper(schema)) return bare(schema.unwrap());
  if (schema instanceof z.ZodPipe) return bare(schema.in);
  return schema;
}

/** Of alternatives the one with keys, if there is one. */
export function groupOf(schema: Schema): Schema {
  const inner = bare(schema);
  if (!(inner instanceof z.ZodUnion)) return inner;
  return inner.options.map(bare).find((option) => option instanceof z.ZodObject) ?? inner;
}

/** The schema of what stands at `path`. */
export function schemaAt(schema: Schema, path: KeyPath): Schema | undefined {
  const [first, ...rest] = path;
  if (first === undefined) return schema;
  const group = groupOf(schema);
  const next: Schema | undefined =
    group instanceof z.ZodObject
      ? group.shape[String(first)]
      : group instanceof z.ZodArray
        ? group.element
        : group instanceof z.ZodRecord
          ? group.valueType
          : undefined;
  return next === undefined ? undefined : schemaAt(next, rest);
}

/** The keys that may stand at `path`. */
export function keysAt(schema: Schema, path: KeyPath): readonly string[] {
  const found = schemaAt(schema, path);
  const group = found === undefined ? undefined : groupOf(found);
  return group instanceof z.ZodObject ? Object.keys(group.shape) : [];
}

/** What the author said about a schema, also under its wrappers. */
export function metaOf(schema: Schema, key: string): string | undefined {
  const value = schema instanceof z.ZodType ? schema.meta()?.[key] : undefined;
  if (typeof value === "string") return value;
  if (isWrapper(schema)) return metaOf(schema.unwrap(), key);
  return schema instanceof z.ZodPipe ? metaOf(schema.in, key) : undefined;
}
