/** `sluice diff`: what a router wants of the kernel against what the kernel holds. Exit code 0 none, 1 differences, 2 error. */
import { z } from "zod";
import { loadConfig } from "../config/load.js";
import { SystemError } from "../model/errors.js";
import { SILENT_LOGGER } from "../model/log.js";
import { describeError } from "./describe-error.js";
import { type CliIo, EXIT, type OutputFormat, wantsColor, writeJson } from "./io.js";
import { askAll, findSockets, type RoleAnswer, readAnswer, realFailures, type TargetOptions } from "./roles.js";
import { renderSteps } from "./steps.js";
import { type Column, renderTable } from "./table.js";

const ROUTE = "/v1/diff";

const diffSchema = z.object({
  backend: z.string(),
  differences: z.array(
    z.object({
      kind: z.enum(["structure", "interface", "pool", "tunnel", "flow"]),
      object: z.string(),
      wanted: z.string(),
      found: z.string(),
    }),
  ),
  total: z.number(),
  kept: z.number(),
  steps: z.array(z.object({ tool: z.string(), args: z.array(z.string()), input: z.string() })).optional(),
});
type Diff = z.output<typeof diffSchema>;

export interface DiffOptions extends TargetOptions {
  readonly output: OutputFormat;
  /** Of the router: asked if it runs, else the configuration itself is compared. */
  readonly config?: string;
  /** Adds exactly what would mend it. */
  readonly dryRun?: boolean;
}

interface Told {
  readonly role: string;
  readonly diff: Diff;
}

export async function diff(options: DiffOptions, io: CliIo): Promise<number> {
  const { told, failures } = options.config === undefined ? await askRouters(options) : await ofConfig(options, io);
  for (const failure of failures) io.err(describeError(failure));
  if (options.output === "json") writeJson(io, "diff", asJson(told));
  else for (const one of told) io.out(asText(one, io));
  if (failures.length > 0) return EXIT.failed;
  return told.some(({ diff: { total } }) => total > 0) ? EXIT.findings : EXIT.ok;
}

interface Asked {
  readonly told: readonly Told[];
  readonly failures: readonly SystemError[];
}

async function askRouters(options: DiffOptions): Promise<Asked> {
  const found = await askAll(findSockets(options), ROUTE, query(options));
  const failures = realFailures(found.failures);
  if (found.answers.length === 0 && failures.length === 0) {
    const remedy = "name its socket with --socket, or its configuration with -c";
    throw new SystemError("CONTROL_ROUTE", "none of the roles asked is a router", { remedy });
  }
  return { told: found.answers.map(toldBy), failures };
}

async function ofConfig(options: DiffOptions, io: CliIo): Promise<Asked> {
  const config = loadConfig(options.config ?? "", "router", { env: io.env });
  const found = await askAll([config.control], ROUTE, query(options));
  const [answer] = found.answers;
  if (answer !== undefined) return { told: [toldBy(answer)], failures: [] };
  const failures = found.failures.filter(({ code }) => code !== "CONTROL_UNREACHABLE");
  if (failures.length > 0) return { told: [], failures };
  // Loaded here only: the other verbs need neither the native modules nor the time to load them.
  const { diffRouter } = await import("../daemon/diff-router.js");
  const view = await diffRouter(config, options.dryRun === true, SILENT_LOGGER);
  return { told: [toldBy({ role: config.name, value: view })], failures: [] };
}

const toldBy = (answer: Omit<RoleAnswer, "socket">): Told => ({
  role: answer.role,
  diff: readAnswer(diffSchema, answer),
});

const query = ({ dryRun }: DiffOptions): Readonly<Record<string, string>> => (dryRun === true ? { render: "1" } : {});

function asJson(told: readonly Told[]): object {
  const items = told.flatMap(({ role, diff: { differences } }) => differences.map((item) => ({ role, ...item })));
  const roles = told.map(({ role, diff: { backend, total, kept, steps } }) => ({ role, backend, total, kept, steps }));
  return { items, roles };
}

const COLUMNS: readonly Column<Diff["differences"][number]>[] = [
  { title: "KIND", align: "left", cell: ({ kind }) => kind },
  { title: "OBJECT", align: "left", cell: ({ object }) => object },
  { title: "WANTED", align: "left", cell: ({ wanted }) => wanted },
  { title: "FOUND", align: "left", cell: ({ found }) => found },
];

/** What is no shell command is a comment to the shell. */
function asText({ role, diff: { differences, total, kept, steps } }: Told, io: CliIo): string {
  const comment = steps === undefined ? "" : "# ";
  const count = total === 0 ? "the kernel holds what is wanted" : `${total} difference${total === 1 ? "" : "s"}`;
  const head = `${role}: ${count}; ${kept} flow${kept === 1 ? "" : "s"} kept\n`;
  const color = wantsColor(io) && steps === undefined;
  const table = total === 0 ? "" : renderTable(COLUMNS, differences, { color });
  const more = total > differences.length ? `… and ${total - differences.length} more\n` : "";
  const words = `${head}${table}${more}`.replaceAll(/^(?=.)/gm, comment);
  return `${words}${steps === undefined ? "" : renderSteps(steps)}`;
}
