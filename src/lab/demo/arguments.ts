/** What can be asked of a demo on its command line. */
import { parseArgs } from "node:util";

export interface DemoArgs<Option extends string> {
  /** One JSON document instead of the report. */
  readonly json: boolean;
  /** Name of the demo's own lab. */
  readonly prefix: string;
  /** Where its files stay; undefined: they go with the lab. */
  readonly keep: string | undefined;
  /** What this demo takes besides, as it was written. */
  readonly own: Readonly<Partial<Record<Option, string>>>;
}

/**
 * Undefined if something else is there, or help is asked for: then the usage is to be shown.
 * @param prefix - unless another is given
 * @param options - names of the options that this demo takes besides, each with a value
 */
export function readDemoArgs<Option extends string = never>(
  prefix: string,
  options: readonly Option[] = [],
  args: readonly string[] = process.argv.slice(2),
): DemoArgs<Option> | undefined {
  const own = Object.fromEntries(options.map((name) => [name, { type: "string" } as const]));
  const all = { json: { type: "boolean" }, prefix: { type: "string" }, keep: { type: "string" } } as const;
  try {
    const { values } = parseArgs({ args: [...args], options: { ...all, ...own, help: { type: "boolean" } } });
    const { json = false, prefix: given = prefix, keep, help, ...rest } = values;
    return help === true ? undefined : { json, prefix: given, keep, own: rest as DemoArgs<Option>["own"] };
  } catch {
    return undefined;
  }
}

/** Whole seconds, 10 if nothing is written; undefined if it is no such number, or not between these. */
export function readSeconds(text: string | undefined, least: number, most: number): number | undefined {
  const value = Number(text ?? "10");
  return Number.isInteger(value) && value >= least && value <= most ? value : undefined;
}
