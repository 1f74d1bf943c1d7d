/** `sluice reservations withdraw`: has policy servers take reservations of a router back. */
import { z } from "zod";
import { controlRequest } from "../control/client.js";
import { SystemError } from "../model/errors.js";
import { parseAddress } from "../model/ip.js";
import type { BitsPerSecond } from "../model/units.js";
import { showRate } from "./format.js";
import { type CliIo, type OutputFormat, writeJson } from "./io.js";
import { askAll, findSockets, readAnswer, roleOf, type TargetOptions, tellFailures } from "./roles.js";
import { type Column, renderTable } from "./table.js";

export interface WithdrawOptions extends TargetOptions {
  readonly output: OutputFormat;
  /** Name of the router that made them. */
  readonly router: string;
  /** Destination; all of the router's if it is left out. */
  readonly to?: string;
}

const shownSchema = z.object({ reservations: z.array(z.object({ router: z.string() })) });
const takenSchema = z.array(z.object({ flow: z.string(), rate: z.number(), rule: z.string() }));

interface Taken {
  readonly role: string;
  readonly flow: string;
  readonly rate: number;
  readonly rule: string;
}

/** Of every policy server that has granted the router any: after it has changed servers, that can be more than one. */
export async function withdrawReservations(options: WithdrawOptions, io: CliIo): Promise<number> {
  const { router, to } = options;
  if (to !== undefined && parseAddress(to) === undefined) {
    const remedy = "give the destination as an IPv4 or IPv6 address";
    throw new SystemError("RESERVATION_ADDRESS", `"${to}" is not an address`, { remedy });
  }
  const { answers, failures } = await askAll(findSockets(options), "/v1/show/reservations");
  const having = answers.filter(({ value }) =>
    shownSchema.safeParse(value).data?.reservations.some((shown) => shown.router === router),
  );
  const taken: Taken[] = [];
  for (const { socket } of having)
    taken.push(...(await withdrawAt(socket, { router, ...(to === undefined ? {} : { to }) })));
  const code = tellFailures(failures, io);
  if (taken.length === 0) throw nothingTaken(options);
  if (options.output === "json") writeJson(io, "reservationsWithdrawn", { items: taken });
  else io.out(`reservations taken back: ${taken.length}\n${renderTable(COLUMNS, taken)}`);
  return code;
}

async function withdrawAt(socket: string, query: Readonly<Record<string, string>>): Promise<readonly Taken[]> {
  const role = roleOf(socket);
  const value = await controlRequest(socket, "/v1/reservations/withdraw", query, { method: "POST" });
  return readAnswer(takenSchema, { role, value }).map((each) => ({ role, ...each }));
}

function nothingTaken({ router, to }: WithdrawOptions): SystemError {
  const where = to === undefined ? "" : ` to ${to}`;
  const remedy = "`sluice show reservations` lists those that there are";
  return new SystemError(
    "RESERVATION_UNKNOWN",
    `nobody who was asked has granted router ${router} a reservation${where}`,
    {
      remedy,
    },
  );
}

const COLUMNS: readonly Column<Taken>[] = [
  { title: "ROLE", align: "left", cell: ({ role }) => role },
  { title: "FLOW", align: "left", cell: ({ flow }) => flow },
  { title: "RATE", align: "right", cell: ({ rate }) => showRate(rate as BitsPerSecond) },
  { title: "RULE", align: "left", cell: ({ rule }) => rule },
];
