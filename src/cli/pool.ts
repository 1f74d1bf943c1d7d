/** `sluice pool resize POOL RATE`: gives a pool of a policy server another rate until that starts again. */
import { z } from "zod";
import { parseRate } from "../config/quantities.js";
import { controlRequest } from "../control/client.js";
import { SystemError } from "../model/errors.js";
import type { BitsPerSecond } from "../model/units.js";
import { showRate } from "./format.js";
import { type CliIo, EXIT, type OutputFormat, writeJson } from "./io.js";
import { askAll, findSockets, readAnswer, roleOf, type TargetOptions } from "./roles.js";
import { type Column, renderTable } from "./table.js";

export interface ResizeOptions extends TargetOptions {
  readonly output: OutputFormat;
  readonly dryRun?: boolean;
}

const poolsSchema = z.array(z.object({ name: z.string() }));
const resizeSchema = z.object({
  pool: z.string(),
  rate: z.number(),
  room: z.number(),
  heldUp: z.number(),
  heldDown: z.number(),
  shed: z.array(z.object({ session: z.string(), treatment: z.string() })),
  dryRun: z.boolean(),
});
type Resize = z.output<typeof resizeSchema>;

/** @param rate - with its unit, such as `170 kbit/s` */
export async function resizePool(pool: string, rate: string, options: ResizeOptions, io: CliIo): Promise<number> {
  const wanted = parseRate(rate);
  if ("fault" in wanted) {
    throw new SystemError("POOL_RATE", wanted.fault.message, { remedy: wanted.fault.remedy });
  }
  const socket = await findPool(pool, options);
  const dryRun: Readonly<Record<string, string>> = options.dryRun === true ? { dryRun: "1" } : {};
  const query = { pool, rate: String(wanted.value), ...dryRun };
  const role = roleOf(socket);
  const value = await controlRequest(socket, "/v1/pools/resize", query, { method: "POST" });
  if (options.output === "json") writeJson(io, "poolResize", { items: [{ role, ...(value as object) }] });
  else io.out(render(role, readAnswer(resizeSchema, { role, value })));
  return EXIT.ok;
}

/** The only role that has such a pool: two policy servers may have one of the same name. */
export async function findPool(pool: string, options: TargetOptions): Promise<string> {
  const { answers } = await askAll(findSockets(options), "/v1/show/pools");
  const having = answers.filter(({ value }) => poolsSchema.safeParse(value).data?.some(({ name }) => name === pool));
  const [first, second] = having;
  if (first === undefined) {
    const remedy = "`sluice show pools` lists those that there are";
    throw new SystemError("POOL_UNKNOWN", `no role that was asked has a pool ${pool}`, { remedy });
  }
  if (second === undefined) return first.socket;
  const remedy = "name the one that is meant with --socket";
  const roles = having.map(({ role }) => role).join(", ");
  throw new SystemError("POOL_AMBIGUOUS", `there is a pool ${pool} at each of ${roles}`, { remedy });
}

const COLUMNS: readonly Column<Resize["shed"][number]>[] = [
  { title: "SESSION", align: "left", cell: ({ session }) => session },
  { title: "TREATMENT", align: "left", cell: ({ treatment }) => treatment },
];

function render(role: string, { pool, rate, room, heldUp, heldDown, shed, dryRun }: Resize): string {
  const show = (value: number): string => showRate(value as BitsPerSecond);
  const done = dryRun ? "would get" : "has";
  const sheds = dryRun ? "sessions that would be shed" : "sessions shed";
  const held = `held: ${show(heldUp)} up, ${show(heldDown)} down`;
  const head = `${role}: pool ${pool} ${done} ${show(rate)}, ${show(room)} of it for sessions; ${held}; ${sheds}: ${shed.length}\n`;
  return shed.length === 0 ? head : `${head}${renderTable(COLUMNS, shed)}`;
}
