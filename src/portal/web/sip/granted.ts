/** The header `Sluice-Granted`: what each policy server on the way granted to each medium. Read from hostile text, written as it came. */

/** One medium at one policy server. Rates in kbit/s at layer 3, times in ms. */
export interface Grant {
  readonly index: number;
  readonly sessionClass?: string;
  readonly phb: string;
  readonly result: "granted" | "reduced" | "bestEffort";
  readonly toCaller: number;
  readonly toCallee: number;
  readonly latency?: number;
  readonly jitter?: number;
  readonly loss?: number;
  readonly by: string;
}

const RESULTS = ["granted", "reduced", "bestEffort"] as const;
const VALUES_MAX = 64;
const TEXT_MAX = 8192;

/** @returns the values that can be read, each once, in the order of the headers */
export function parseGranted(headers: readonly string[]): readonly Grant[] {
  const text = headers.join(",").slice(0, TEXT_MAX);
  // An ACK may have what the proxies put there, and the same again from the other agent.
  const values = new Set(text.split(",", VALUES_MAX).map((value) => value.trim()));
  return [...values].flatMap((value) => parseValue(value) ?? []);
}

function parseValue(value: string): Grant | undefined {
  const [first = "", ...rest] = value.split(";").map((part) => part.trim());
  const fields = new Map(rest.map((part) => [part.slice(0, part.indexOf("=")).toLowerCase(), afterEquals(part)]));
  const index = numberOf(first);
  const result = RESULTS.find((known) => known === fields.get("result"));
  const toCaller = numberOf(fields.get("to-caller"));
  const toCallee = numberOf(fields.get("to-callee"));
  if (index === undefined || result === undefined || toCaller === undefined || toCallee === undefined) return undefined;
  const sessionClass = fields.get("class");
  return {
    index,
    ...(sessionClass === undefined ? {} : { sessionClass }),
    phb: fields.get("phb") ?? "",
    result,
    toCaller,
    toCallee,
    ...measuredOf(fields),
    by: fields.get("by") ?? "",
  };
}

function measuredOf(fields: ReadonlyMap<string, string>): Pick<Grant, "latency" | "jitter" | "loss"> {
  const names = ["latency", "jitter", "loss"] as const;
  const pairs = names.flatMap((name) => {
    const value = numberOf(fields.get(name));
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(pairs);
}

const afterEquals = (part: string): string => part.slice(part.indexOf("=") + 1).replace(/^"(.*)"$/, "$1");

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}(\.\d{1,8})?$/.test(text) ? Number(text) : undefined;
}

/** The least that all policy servers granted to a medium towards one side, in kbit/s; undefined where none reserved anything. */
export function leastRate(grants: readonly Grant[], index: number, towards: "caller" | "callee"): number | undefined {
  const rates = grants
    .filter((grant) => grant.index === index && grant.result !== "bestEffort")
    .map((grant) => (towards === "caller" ? grant.toCaller : grant.toCallee));
  return rates.length === 0 ? undefined : Math.min(...rates);
}

/** One sentence for a person. */
export function describeGrant({ result, sessionClass, toCaller, toCallee, phb, by }: Grant): string {
  const who = by === "" ? "A policy server" : by;
  const what = sessionClass === undefined ? "the medium" : sessionClass;
  if (result === "bestEffort") return `${who} serves ${what} as best effort: nothing is reserved.`;
  const rates = toCaller === toCallee ? `${toCaller} kbit/s each way` : `${toCallee} and ${toCaller} kbit/s`;
  const how = result === "reduced" ? "reduced, within what you accept" : "as wanted";
  return `${who} reserved ${rates} for ${what}${phb === "" ? "" : ` as ${phb}`}: ${how}.`;
}
