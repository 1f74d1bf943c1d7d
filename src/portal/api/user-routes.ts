/** What users ask of themselves and of their sessions. */
import { z } from "zod";
import type { Logger } from "../../model/log.js";
import type { Account } from "../accounts/accounts.js";
import type { CallWatch } from "../calls/call-watch.js";
import type { Calls } from "../calls/calls.js";
import { parsePlace, recordsOf } from "../calls/records.js";
import type { EventStream } from "../http/event-streams.js";
import { type JsonReply, notFound, ok, refusal } from "../http/reply.js";
import type { OpenStream, Route, UserRequest } from "../http/routes.js";
import { controlRefusal } from "../ops/watched.js";
import type { Presence } from "../presence/presence.js";
import type { RolePort } from "../roles/role-client.js";
import { CHOSEN_STATES } from "./shapes.js";

export interface UserParts {
  readonly presence: Presence;
  readonly calls: Calls;
  readonly watch: CallWatch;
  readonly pdp: RolePort;
  readonly aorOf: (account: Account) => string;
  readonly log: Logger;
}

const callId = z.string().min(1).max(256);
const presenceBody = z.object({ state: z.enum(CHOSEN_STATES) });
const leaveBody = z.object({ callId });
const recordsQuery = z.object({
  before: z
    .string()
    .transform((text, context) => {
      const place = parsePlace(text);
      if (place !== undefined) return place;
      context.addIssue({ code: "custom", message: "this is no place in the list" });
      return z.NEVER;
    })
    .optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
});

/** `/api/events`, `/api/sessions/:callId`, `/api/records`, `/api/presence` and `/api/leave`. */
export const userRoutes = (parts: UserParts): readonly Route[] => [
  { method: "GET", path: "/api/events", who: "user", stream: (request, open) => events(parts, request, open) },
  { method: "GET", path: "/api/sessions/:callId", who: "user", handle: (request) => detail(parts, request) },
  { method: "GET", path: "/api/records", who: "user", handle: (request) => records(parts, request) },
  { method: "POST", path: "/api/presence", who: "user", handle: async (request) => choose(parts, request) },
  { method: "POST", path: "/api/leave", who: "user", isBeacon: true, handle: (request) => leave(parts, request) },
];

function events({ presence, watch, aorOf }: UserParts, { login }: UserRequest, open: OpenStream): void {
  const { account } = login;
  const { name: user, nick } = account;
  const aor = aorOf(account);
  const stream: EventStream = open(() => {
    presence.closed(user, stream);
    watch.unlisten(aor, stream);
  });
  presence.opened({ user, nick, aor }, stream);
  watch.listen(aor, stream);
}

async function detail({ calls, aorOf }: UserParts, { params, login }: UserRequest): Promise<JsonReply> {
  const parsed = callId.safeParse(params.callId);
  if (!parsed.success) return notFound();
  return answered(async () => {
    const found = await calls.detail(parsed.data, aorOf(login.account));
    return found === undefined ? notFound() : ok(found);
  });
}

async function records({ pdp, aorOf }: UserParts, { query, login }: UserRequest): Promise<JsonReply> {
  const parsed = recordsQuery.safeParse(Object.fromEntries(query));
  if (!parsed.success) return refusal(400, "query", "before is the next of a page, limit a number from 1 to 100");
  const { before, limit } = parsed.data;
  return answered(async () => ok(await recordsOf(pdp, aorOf(login.account), { before, limit })));
}

function choose({ presence }: UserParts, { body, login }: UserRequest): JsonReply {
  const parsed = presenceBody.safeParse(body);
  if (!parsed.success) return refusal(400, "body", `state is one of ${CHOSEN_STATES.join(", ")}`);
  const isOnline = presence.chose(login.account.name, parsed.data.state);
  return isOnline ? ok({}) : refusal(409, "offline", "open the event stream first");
}

async function leave({ calls, aorOf, log }: UserParts, { body, login }: UserRequest): Promise<JsonReply> {
  const parsed = leaveBody.safeParse(body);
  if (!parsed.success) return refusal(400, "body", "give the callId");
  return answered(async () => {
    const isEnded = await calls.leave(parsed.data.callId, aorOf(login.account));
    if (isEnded) log.info("portal.left", { user: login.account.name, callId: parsed.data.callId });
    return isEnded ? ok({}) : notFound();
  });
}

async function answered(ask: () => Promise<JsonReply>): Promise<JsonReply> {
  try {
    return await ask();
  } catch (error) {
    return controlRefusal(error);
  }
}
