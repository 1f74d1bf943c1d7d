/** What roles answer, as far as users are told of it. Checked, since a role may be of another version, or another's product. */
import { z } from "zod";
import { SystemError } from "../../model/errors.js";
import type { MediaGrant, PathQuality } from "../../model/quality.js";
import type { BitsPerSecond, Millis, Timestamp } from "../../model/units.js";

/** Numbers keep their unit: what a role answers is in base units. */
const number = <Unit extends number>() => z.number().transform((value) => value as Unit);

const measured = z.object({ latency: number<Millis>(), jitter: number<Millis>(), loss: z.number() });

const grant = z
  .object({
    index: z.number(),
    sessionClass: z.string().optional(),
    phb: z.string(),
    result: z.enum(["granted", "reduced", "bestEffort"]),
    toCaller: number<BitsPerSecond>(),
    toCallee: number<BitsPerSecond>(),
    measured: measured.optional(),
  })
  .transform(
    ({ sessionClass, measured: quality, ...rest }): MediaGrant => ({
      ...rest,
      ...(sessionClass === undefined ? {} : { sessionClass }),
      ...(quality === undefined ? {} : { measured: quality satisfies PathQuality }),
    }),
  );

const session = z.object({
  session: z.string(),
  callId: z.string().optional(),
  caller: z.string(),
  callee: z.string(),
  side: z.string().optional(),
  state: z.string(),
  class: z.string().optional(),
  rate: z.number().optional(),
  since: number<Timestamp>(),
  grants: z.array(grant).optional(),
});

const explain = z.object({
  session: z.string(),
  outcome: z.string(),
  steps: z.array(z.object({ at: number<Timestamp>(), what: z.string(), detail: z.string() })),
  grants: z.array(grant).optional(),
});

const event = z.object({
  at: number<Timestamp>(),
  protocol: z.string(),
  message: z.string(),
  action: z.enum(["sent", "received"]),
  from: z.string(),
  to: z.string(),
});

const counter = z.object({ packets: z.number(), octets: z.number() });
const flow = z.object({ inProfile: counter, outOfProfile: counter });

const usage = z.object({
  session: z.string(),
  caller: z.string(),
  callee: z.string(),
  start: number<Timestamp>(),
  duration: z.number(),
  up: flow,
  down: flow,
});

/** Amounts are decimal text, so that nothing is rounded on the way. */
const amount = z.union([z.string(), z.number()]).transform(String);

const record = z.object({
  session: z.string(),
  at: number<Timestamp>(),
  user: z.string().optional(),
  peer: z.string(),
  class: z.string().nullish(),
  rate: z.number().nullish(),
  seconds: z.number(),
  octetsIn: z.number(),
  octetsOut: z.number(),
  outOfProfile: z.number(),
  price: z.object({ amount, currency: z.string() }).nullish(),
  shares: z.array(z.object({ provider: z.string(), amount })).nullish(),
});

export type RoleSession = z.output<typeof session>;
export type RoleEvent = z.output<typeof event>;
export type RoleUsage = z.output<typeof usage>;
export type RoleRecord = z.output<typeof record>;

/** @throws SystemError CONTROL_ANSWER for what is not such a view */
const reader =
  <Output>(what: string, schema: z.ZodType<Output>) =>
  (value: unknown): Output => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new SystemError("CONTROL_ANSWER", `a role's view of ${what} is not understood`, { cause: parsed.error });
  };

/** `/v1/show/sessions`. */
export const readSessions = reader("sessions", z.array(session));
/** `/v1/explain`. */
export const readExplain = reader("a session", explain);
/** `/v1/events`: its messages. */
export const readEvents = reader(
  "messages",
  z.object({ events: z.array(event) }).transform(({ events }) => events),
);
/** `/v1/show/usage`. */
export const readUsage = reader("usage", z.array(usage));
/** The list of `/v1/show/records`. */
export const readRecords = reader("records", z.array(record));
