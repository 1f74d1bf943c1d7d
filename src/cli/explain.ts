/** `sluice explain SESSION`: why a session was admitted or refused, as each role decided it. */
import { z } from "zod";
import { SystemError } from "../model/errors.js";
import type { BitsPerSecond, Timestamp } from "../model/units.js";
import { showRate, showTime } from "./format.js";
import { type CliIo, type OutputFormat, writeJson } from "./io.js";
import { askAll, findSockets, readAnswer, type TargetOptions, tellFailures } from "./roles.js";
import { type Column, renderTable } from "./table.js";

const stepSchema = z.object({ at: z.number(), what: z.string(), detail: z.string() });
const refusalSchema = z.object({
  reason: z.string(),
  text: z.string(),
  pool: z.string().optional(),
  needed: z.number().optional(),
  free: z.number().optional(),
});
const explainSchema = z.object({
  session: z.string(),
  outcome: z.string(),
  steps: z.array(stepSchema),
  moved: z.number().optional(),
  refusal: refusalSchema.optional(),
});
type Explanation = z.output<typeof explainSchema>;

export async function explain(
  session: string,
  options: TargetOptions & { readonly output: OutputFormat },
  io: CliIo,
): Promise<number> {
  const { answers, failures } = await askAll(findSockets(options), "/v1/explain", { session });
  const code = tellFailures(failures, io);
  if (answers.length === 0) {
    const remedy = "`sluice show sessions` lists those that are known; use its id or the Call-ID";
    throw new SystemError("SESSION_UNKNOWN", `no role that was asked knows session ${session}`, { remedy });
  }
  const told = answers.map((answer) => ({ role: answer.role, explanation: readAnswer(explainSchema, answer) }));
  if (options.output === "json") {
    const items = answers.map(({ role, value }) => ({ role, ...(value as object) }));
    writeJson(io, "explanation", { items });
  } else {
    io.out(told.map(({ role, explanation }) => renderExplanation(role, explanation)).join("\n"));
  }
  return code;
}

const COLUMNS: readonly Column<Explanation["steps"][number]>[] = [
  { title: "TIME", align: "left", cell: (step) => showTime(step.at as Timestamp) },
  { title: "STEP", align: "left", cell: (step) => step.what },
  { title: "DETAIL", align: "left", cell: (step) => step.detail },
];

function renderExplanation(role: string, { session, outcome, steps, moved, refusal }: Explanation): string {
  const head = `${role}: session ${session}: ${outcome}\n`;
  const why = refusal === undefined ? "" : `refused: ${refusal.reason}: ${refusal.text}${numbers(refusal)}\n`;
  const media = moved === undefined ? "" : `media was last seen to move at ${showTime(moved as Timestamp)}\n`;
  return `${head}${why}${media}${steps.length === 0 ? "" : renderTable(COLUMNS, steps)}`;
}

function numbers({ pool, needed, free }: NonNullable<Explanation["refusal"]>): string {
  const parts = [
    ...(pool === undefined ? [] : [`pool ${pool}`]),
    ...(needed === undefined ? [] : [`needed ${showRate(needed as BitsPerSecond)}`]),
    ...(free === undefined ? [] : [`free ${showRate(free as BitsPerSecond)}`]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}
