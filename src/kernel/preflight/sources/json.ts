/** Reads what tools print as JSON: by a schema, or not at all. */
import type { ZodType } from "zod";

/** Undefined for text that is no JSON, or not of this shape. `ip` prints nothing at all for an empty list. */
export function parseJson<Value>(text: string, schema: ZodType<Value>): Value | undefined {
  try {
    const parsed = schema.safeParse(text.trim() === "" ? [] : JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
