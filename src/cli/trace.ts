/** `sluice trace SESSION`: the session's ladder, from the event logs of all roles that are asked. */
import { z } from "zod";
import { SystemError } from "../model/errors.js";
import type { MessageEvent } from "../model/event.js";
import { type CliIo, type OutputFormat, wantsColor, writeJson } from "./io.js";
import { lookupOf, type RoleEvents } from "./ladder-hosts.js";
import { type LadderPhase, missingSteps, type TraceLine, traceOf } from "./ladder-match.js";
import { askAll, findSockets, type RoleAnswer, readAnswer, type TargetOptions, tellFailures } from "./roles.js";
import { type Column, renderTable } from "./table.js";

const eventsSchema = z.object({
  session: z.string().nullable(),
  events: z.array(
    z.object({
      at: z.number(),
      session: z.string(),
      protocol: z.enum(["SIP", "COPS", "OSP", "RTP"]),
      message: z.string(),
      action: z.enum(["sent", "received"]),
      from: z.string(),
      to: z.string(),
    }),
  ),
});

export interface TraceOptions extends TargetOptions {
  readonly output: OutputFormat;
  /** `UAC=10.1.0.10`, each. */
  readonly hosts: readonly string[];
}

export async function trace(session: string, options: TraceOptions, io: CliIo): Promise<number> {
  const sockets = findSockets(options);
  const given = parseHosts(options.hosts);
  const { id, answers, failures } = await eventsOf(sockets, session);
  const code = tellFailures(failures, io);
  const roles = await Promise.all(answers.map(async (answer) => withHost(answer)));
  const lines = traceOf(roles, lookupOf(roles, given));
  if (lines.length === 0) {
    const remedy = "use the session's id or its Call-ID; event logs are kept for a limited time";
    throw new SystemError("SESSION_UNKNOWN", `no role that was asked saw messages of session ${session}`, { remedy });
  }
  if (options.output === "json") writeJson(io, "trace", jsonOf(id, lines));
  else io.out(render(id, lines, wantsColor(io)));
  return code;
}

interface Found {
  readonly id: string;
  readonly answers: readonly RoleAnswer[];
  readonly failures: readonly SystemError[];
}

/** A Call-ID is known to SIP roles only: what they say it means is what the others are asked for. */
async function eventsOf(sockets: readonly string[], session: string): Promise<Found> {
  const first = await askAll(sockets, "/v1/events", { session });
  const parsed = first.answers.map((answer) => ({ answer, view: readAnswer(eventsSchema, answer) }));
  const id = parsed.find(({ view }) => view.session !== null)?.view.session ?? session;
  if (id === session) return { id, ...first };
  const others = parsed.filter(({ view }) => view.session !== id).map(({ answer }) => answer.socket);
  const unknowing = sockets.filter((socket) => !first.answers.some((answer) => answer.socket === socket));
  const second = await askAll([...others, ...unknowing], "/v1/events", { session: id });
  const knowing = parsed.filter(({ view }) => view.session === id).map(({ answer }) => answer);
  return { id, answers: [...knowing, ...second.answers], failures: second.failures };
}

/** The host is the first label of the device's name: `sip1.a.example` is SIP1. */
async function withHost(answer: RoleAnswer): Promise<RoleEvents> {
  const { answers } = await askAll([answer.socket], "/v1/health");
  const health = z.object({ name: z.string() }).safeParse(answers[0]?.value);
  const host = (health.data?.name.split(".")[0] ?? answer.role).toUpperCase();
  // Checked by the schema; the model's brands are names for the same texts and numbers.
  return { host, events: readAnswer(eventsSchema, answer).events as unknown as readonly MessageEvent[] };
}

function parseHosts(texts: readonly string[]): ReadonlyMap<string, string> {
  const pairs = texts.flatMap((text) => text.split(",")).filter((text) => text !== "");
  return new Map(
    pairs.map((pair): [string, string] => {
      const [host = "", address = "", ...rest] = pair.split("=");
      if (/^[A-Za-z0-9.-]+$/.test(host) && address !== "" && rest.length === 0) return [address, host.toUpperCase()];
      const remedy = "write such as --hosts UAC=10.1.0.10,UAS=10.3.0.10";
      throw new SystemError("CLI_HOSTS", `"${pair}" is not a host with its address`, { remedy });
    }),
  );
}

const COLUMNS: readonly Column<TraceLine>[] = [
  { title: "N", align: "right", cell: (line) => (line.n === undefined ? "" : String(line.n)) },
  { title: "MS", align: "right", cell: (line) => line.ms.toFixed(3) },
  { title: "FROM", align: "left", cell: (line) => line.from },
  { title: "TO", align: "left", cell: (line) => line.to },
  { title: "PROTOCOL", align: "left", cell: (line) => line.protocol },
  { title: "MESSAGE", align: "left", cell: (line) => line.message },
];

const TITLES: Readonly<Record<LadderPhase, string>> = { setup: "set-up", teardown: "teardown" };

function render(id: string, lines: readonly TraceLine[], color: boolean): string {
  const parts = (["setup", "teardown"] as const).flatMap((phase) => {
    const own = lines.filter((line) => line.phase === phase);
    if (own.length === 0) return [];
    const missing = missingSteps(lines, phase);
    const note = missing.length === 0 ? "complete" : `not seen: ${missing.join(", ")}`;
    return [`${TITLES[phase]} (${note})\n${renderTable(COLUMNS, own, { color })}`];
  });
  return `session ${id}\n\n${parts.join("\n")}`;
}

function jsonOf(id: string, lines: readonly TraceLine[]): object {
  const part = (phase: LadderPhase) => ({
    steps: lines
      .filter((line) => line.phase === phase)
      .map(({ n = null, from, to, protocol, message, ms }) => ({ n, from, to, protocol, message, ms })),
    missing: missingSteps(lines, phase),
  });
  return { session: id, setup: part("setup"), teardown: part("teardown") };
}
