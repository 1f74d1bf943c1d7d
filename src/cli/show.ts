/** `sluice show WHAT`: asks the running roles, and prints one table or one JSON document. */
import type { ShowTopic } from "../control/views.js";
import { SystemError } from "../model/errors.js";
import { type CliIo, type OutputFormat, wantsColor, writeJson } from "./io.js";
import {
  type Answers,
  askAll,
  findSockets,
  realFailures,
  type TargetOptions,
  tellFailures,
  wrongAnswer,
} from "./roles.js";
import type { ShowRow } from "./show-cells.js";
import { TOPICS } from "./show-columns.js";
import { renderTable } from "./table.js";

export async function show(
  topic: ShowTopic,
  options: TargetOptions & { readonly output: OutputFormat },
  io: CliIo,
): Promise<number> {
  const found = await askAll(findSockets(options), `/v1/show/${topic}`);
  const rows = rowsOf(topic, found);
  if (options.output === "json") writeJson(io, topic, { items: itemsOf(found) });
  else io.out(renderTable(TOPICS[topic].columns, rows, { color: wantsColor(io) }));
  return tellFailures(found.failures, io);
}

/** Every item of every role, each with the role that told it. */
function itemsOf({ answers }: Answers): readonly Record<string, unknown>[] {
  return answers.flatMap(({ role, value }) =>
    (Array.isArray(value) ? value : [value]).map((item: unknown) => ({ role, ...asRecord(role, item) })),
  );
}

function asRecord(role: string, item: unknown): Record<string, unknown> {
  if (typeof item === "object" && item !== null) return { ...item };
  throw wrongAnswer(role);
}

function rowsOf(topic: ShowTopic, found: Answers): readonly ShowRow[] {
  if (found.answers.length > 0) {
    return found.answers.flatMap(({ role, value }) =>
      TOPICS[topic].rows(value).map((item) => ({ role, item: asRecord(role, item) })),
    );
  }
  if (realFailures(found.failures).length > 0) return [];
  const remedy = "name the socket of a role that does with --socket";
  throw new SystemError("CONTROL_ROUTE", `none of the roles asked has ${topic} to show`, { remedy });
}
