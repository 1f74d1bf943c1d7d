/** `sluice show WHAT`: asks the running roles, and prints one table or one JSON document. */
import type { ShowTopic } from "../control/views.js";
import { SystemError } from "../model/errors.js";
import { describeError } from "./describe-error.js";
import { API_VERSION, type CliIo, EXIT, type OutputFormat, writeJson } from "./io.js";
import { type Answers, askAll, findSockets, realFailures, type TargetOptions } from "./roles.js";
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
  if (options.output === "json") writeJson(io, { apiVersion: API_VERSION, kind: topic, items: itemsOf(found) });
  else io.out(renderTable(TOPICS[topic].columns, rows, { color: io.isTerminal && io.env.NO_COLOR === undefined }));
  const failures = realFailures(found.failures);
  for (const failure of failures) io.err(describeError(failure));
  return failures.length > 0 ? EXIT.failed : EXIT.ok;
}

/** Every item of every role, each with the role that told it. */
function itemsOf({ answers }: Answers): readonly Record<string, unknown>[] {
  return answers.flatMap(({ role, value }) =>
    (Array.isArray(value) ? value : [value]).map((item: unknown) => ({ role, ...asRecord(item) })),
  );
}

function asRecord(item: unknown): Record<string, unknown> {
  if (typeof item === "object" && item !== null) return { ...item };
  throw new SystemError("CONTROL_ANSWER", "a role answered something else than was asked", {
    remedy: "use the same version of sluice for the role and for this command",
  });
}

function rowsOf(topic: ShowTopic, found: Answers): readonly ShowRow[] {
  if (found.answers.length > 0) {
    return found.answers.flatMap(({ role, value }) =>
      TOPICS[topic].rows(value).map((item) => ({ role, item: asRecord(item) })),
    );
  }
  if (realFailures(found.failures).length > 0) return [];
  const remedy = "name the socket of a role that does with --socket";
  throw new SystemError("CONTROL_ROUTE", `none of the roles asked has ${topic} to show`, { remedy });
}
