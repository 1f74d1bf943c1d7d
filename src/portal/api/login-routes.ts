/** Logging in and out. */
import { z } from "zod";
import type { Clock } from "../../model/clock.js";
import { sourceKey } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import type { Accounts } from "../accounts/accounts.js";
import { PASSWORD_MAX, type PasswordChecker } from "../accounts/password.js";
import { type JsonReply, ok, refusal, tooMany } from "../http/reply.js";
import type { ApiRequest, Route, UserRequest } from "../http/routes.js";
import type { LoginGuard } from "../login/login-guard.js";
import { CLEARED_COOKIE, sessionCookie } from "../sessions/cookie.js";
import type { Login, Sessions } from "../sessions/sessions.js";
import type { SessionAnswer, SipAccess } from "./shapes.js";

export interface LoginParts {
  readonly accounts: Accounts;
  readonly checker: PasswordChecker;
  readonly guard: LoginGuard;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the page is told of its session. */
  readonly describe: (login: Login) => SessionAnswer;
  readonly sip: (login: Login) => SipAccess;
  /** Nowhere logged in any more. */
  readonly onLeft: (login: Login) => void;
  readonly count: (what: "loginsAccepted" | "loginsRefused" | "loginsThrottled") => void;
}

const loginBody = z.strictObject({
  user: z.string().min(1).max(64),
  password: z
    .string()
    .min(1)
    .max(PASSWORD_MAX * 4),
});
const logoutBody = z.object({ everywhere: z.boolean().default(false) }).default({ everywhere: false });

/** The same for a name that is not known and for a password that is wrong. */
const WRONG = refusal(401, "wrongLogin", "the user name or the password is wrong");

/** `/api/login`, `/api/session`, `/api/logout` and `/api/sip-credentials`. */
export const loginRoutes = (parts: LoginParts): readonly Route[] => [
  { method: "POST", path: "/api/login", who: "anyone", handle: (request) => logIn(parts, request) },
  {
    method: "GET",
    path: "/api/session",
    who: "user",
    handle: async ({ login }) => ok(parts.describe(login)),
  },
  { method: "POST", path: "/api/logout", who: "user", handle: (request) => logOut(parts, request) },
  {
    method: "POST",
    path: "/api/sip-credentials",
    who: "user",
    handle: async ({ login }) => ok(parts.sip(login)),
  },
];

async function logIn(parts: LoginParts, { body, source, cookie }: ApiRequest): Promise<JsonReply> {
  const { accounts, guard, sessions, checker, count, log } = parts;
  const parsed = loginBody.safeParse(body);
  if (!parsed.success) return refusal(400, "body", "give user and password");
  const { user, password } = parsed.data;
  const from = sourceKey(source);
  const wait = guard.begin(from, user);
  if (wait > 0) {
    count("loginsThrottled");
    return tooMany("tooManyLogins", "too many wrong log-ins; wait before the next", wait / 1000);
  }
  accounts.refresh();
  const isRight = await checker.check(password, accounts.passwordOf(user), from);
  if (isRight === "busy") {
    guard.dropped(from, user);
    count("loginsThrottled");
    return tooMany("busy", "too many log in at once; try again", 5);
  }
  const account = accounts.find(user);
  if (!isRight || account === undefined) {
    count("loginsRefused");
    log.info("portal.login.refused", { source });
    return WRONG;
  }
  guard.succeeded(from, user);
  const login = await sessions.open(account, cookie);
  count("loginsAccepted");
  log.info("portal.login.accepted", { user, source });
  return ok(parts.describe(login), { "Set-Cookie": sessionCookie(login.id) });
}

async function logOut({ sessions, onLeft, log }: LoginParts, { login, body }: UserRequest): Promise<JsonReply> {
  const parsed = logoutBody.safeParse(body);
  if (!parsed.success) return refusal(400, "body", "everywhere is true or false");
  const { name: user } = login.account;
  if (parsed.data.everywhere) await sessions.closeAll(user);
  else await sessions.close(login.key);
  if (!sessions.has(user)) onLeft(login);
  log.info("portal.logout", { user, everywhere: parsed.data.everywhere });
  return ok({}, { "Set-Cookie": CLEARED_COOKIE });
}
