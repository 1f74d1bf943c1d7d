/** `sluice rsvp watch`: what befalls the reservations of routers, a line each, as it happens. */
import { z } from "zod";
import { controlListen } from "../control/listen.js";
import { SystemError } from "../model/errors.js";
import { describeDscp } from "../model/phb.js";
import type { BitsPerSecond, Dscp } from "../model/units.js";
import { showRate } from "./format.js";
import { type CliIo, EXIT, type OutputFormat } from "./io.js";
import { parseSpan } from "./parse-span.js";
import { failuresOf, findSockets, roleOf, type TargetOptions, tellFailures } from "./roles.js";
import { clean } from "./table.js";

export interface WatchOptions extends TargetOptions {
  readonly output: OutputFormat;
  readonly for?: string;
  /** Lines. */
  readonly count?: number;
}

const WATCH_ROUTE = "/v1/rsvp/watch";

const flow = { sender: z.string(), destination: z.string(), dscp: z.number().optional() };
const lineSchema = z.discriminatedUnion("what", [
  z.object({
    at: z.number(),
    what: z.literal("reservation"),
    change: z.string(),
    direction: z.string(),
    ...flow,
    before: z.number(),
    after: z.number(),
    failure: z.string().optional(),
  }),
  z.object({
    at: z.number(),
    what: z.literal("neighbour"),
    change: z.string(),
    address: z.string(),
    interface: z.string(),
  }),
  z.object({ at: z.number(), what: z.literal("interface"), change: z.string(), interface: z.string() }),
  z.object({
    at: z.number(),
    what: z.literal("path"),
    change: z.string(),
    ...flow,
    previousHop: z.string().optional(),
    interface: z.string().optional(),
  }),
  z.object({ at: z.number(), what: z.literal("refusedMessages"), counter: z.string(), count: z.number() }),
]);
type Line = z.output<typeof lineSchema>;

/**
 * Until the time is over, or so many lines were printed, or `stop` says so; a role that ends before is a failure.
 * @param stop - such as SIGINT
 */
export async function watchRsvp(options: WatchOptions, io: CliIo, stop: AbortSignal): Promise<number> {
  const span = options.for === undefined ? [] : [AbortSignal.timeout(parseSpan("--for", options.for))];
  const enough = new AbortController();
  const signal = AbortSignal.any([stop, enough.signal, ...span]);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  const print = (role: string, value: unknown): void => {
    if (signal.aborted) return;
    io.out(options.output === "json" ? `${JSON.stringify({ role, ...(value as object) })}\n` : textOf(role, value));
    left -= 1;
    if (left <= 0) enough.abort();
  };
  const sockets = findSockets(options);
  const results = await Promise.allSettled(sockets.map((socket) => listen(socket, print, signal)));
  return verdict(results, io);
}

async function listen(socket: string, print: (role: string, value: unknown) => void, signal: AbortSignal) {
  const role = roleOf(socket);
  const end = await controlListen(socket, WATCH_ROUTE, { onValue: (value) => print(role, value), signal });
  if (end === "stopped") return;
  const remedy = "watch again when it is back";
  throw new SystemError("CONTROL_ENDED", `${role} has stopped`, { remedy });
}

function verdict(results: readonly PromiseSettledResult<void>[], io: CliIo): number {
  const failures = failuresOf(results);
  const code = tellFailures(failures, io);
  if (code !== EXIT.ok || failures.length < results.length) return code;
  const remedy = "name the socket of a router with `rsvp:` with --socket";
  throw new SystemError("CONTROL_ROUTE", "none of the roles asked speaks RSVP", { remedy });
}

/** What this version does not know is printed as it came. */
function textOf(role: string, value: unknown): string {
  const line = lineSchema.safeParse(value).data;
  if (line === undefined) return `${role}  ${clean(JSON.stringify(value))}\n`;
  return `${new Date(line.at).toISOString()}  ${role}  ${clean(describe(line))}\n`;
}

function describe(line: Line): string {
  switch (line.what) {
    case "reservation": {
      const { change, direction, before, after, failure } = line;
      const rates = `${showRate(before as BitsPerSecond)} > ${showRate(after as BitsPerSecond)}`;
      return `${direction} reservation ${flowOf(line)} ${WORDS[change] ?? change}: ${rates}${failure === undefined ? "" : ` (${failure})`}`;
    }
    case "neighbour":
      return `neighbour ${line.address} on ${line.interface} ${line.change}`;
    case "interface":
      return `interface ${line.interface} ${line.change}`;
    case "path": {
      const from = line.previousHop === undefined ? "begins here" : `from ${line.previousHop}`;
      const to = line.interface === undefined ? "ends here" : `out of ${line.interface}`;
      return `path ${flowOf(line)} ${line.change}: ${from}, ${to}`;
    }
    case "refusedMessages":
      return `messages not taken (${line.counter}): ${line.count}`;
  }
}

const WORDS: Readonly<Record<string, string>> = { takenBack: "taken back" };

function flowOf({ sender, destination, dscp }: Extract<Line, { readonly sender: string }>): string {
  const name = dscp === undefined ? "" : `${describeDscp(dscp as Dscp)} `;
  return `${name}${sender} to ${destination}`;
}
