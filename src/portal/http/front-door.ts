/** Takes requests apart, keeps out what must not come in, and has the rest answered. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../model/clock.js";
import { SluiceError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { readCookie } from "../sessions/cookie.js";
import { isCsrfToken } from "../sessions/session-id.js";
import type { Login, Sessions } from "../sessions/sessions.js";
import { readJson } from "./body.js";
import type { EventStreams } from "./event-streams.js";
import type { AnswerHeaders } from "./headers.js";
import { isUnchanged, type Pages } from "./pages.js";
import { type JsonReply, notFound, refusal, tooMany } from "./reply.js";
import type { RequestRate } from "./request-rate.js";
import type { ApiRequest, FoundRoute, Route, RouteTable } from "./routes.js";
import { isOwnChange, isOwnReading } from "./same-origin.js";
import { sourceOf } from "./source.js";

export interface FrontDoorOptions {
  readonly routes: RouteTable;
  readonly pages: Pages;
  readonly sessions: Sessions;
  readonly streams: EventStreams;
  readonly rate: RequestRate;
  readonly publicUrl: string;
  readonly trusted: ReadonlySet<string>;
  /** Headers of every answer. */
  readonly headers: AnswerHeaders;
  readonly clock: Clock;
  readonly log: Logger;
  /** Counts what was refused, by its code. */
  readonly onRefused: (code: string) => void;
}

const FORBIDDEN = refusal(403, "forbidden", "this is not for you");
const FOREIGN = refusal(403, "foreignOrigin", "only the portal's own page may ask this");
const UNKNOWN = refusal(401, "notLoggedIn", "log in first");
const FORGED = refusal(403, "csrf", "the token against forged requests is missing or wrong");

type Asked = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly query: URLSearchParams };

export class FrontDoor {
  readonly #options: FrontDoorOptions;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method === "HEAD" ? "GET" : (request.method ?? "");
    const [path = "", search = ""] = splitTarget(request.url ?? "");
    const asked = { request, response, query: new URLSearchParams(search) };
    if (method === "GET" && !path.startsWith("/api/")) return this.#page(asked, path);
    const found = this.#options.routes.find(method, path);
    if (found === undefined) return this.#refuse(asked, notFound());
    if ("methods" in found) {
      const reply = refusal(405, "method", "this is not asked so", { Allow: found.methods.join(", ") });
      return this.#refuse(asked, reply);
    }
    return this.#route(asked, found);
  }

  async #route(asked: Asked, { route, params }: FoundRoute): Promise<void> {
    const { request, response, query } = asked;
    const { sessions, streams, publicUrl, trusted, clock } = this.#options;
    const { headers } = request;
    const isOwn = route.method === "POST" ? isOwnChange(headers, publicUrl) : isOwnReading(headers);
    if (!isOwn) return this.#refuse(asked, FOREIGN);
    const cookie = readCookie(headers.cookie);
    const login = cookie === undefined || route.who === "anyone" ? undefined : sessions.use(cookie);
    const refused = this.#refusalFor(route, login);
    if (refused !== undefined) return this.#refuse(asked, refused);
    const isBeacon = "isBeacon" in route && route.isBeacon === true;
    const read = route.method === "POST" ? await readJson(request, clock) : { value: undefined };
    if ("refused" in read) return this.#refuse(asked, read.refused);
    const { value: body } = read;
    const given: ApiRequest = { params, query, body, source: sourceOf(request, trusted), cookie };
    if (route.who === "anyone") return this.#send(asked, await this.#handled(route.handle(given)));
    if (login === undefined) return this.#refuse(asked, UNKNOWN);
    if (route.method === "POST" && !isCsrfToken(login.id, csrfOf(request, isBeacon ? body : undefined))) {
      return this.#refuse(asked, FORGED);
    }
    if ("handle" in route) return this.#send(asked, await this.#handled(route.handle({ ...given, login })));
    const { name: user } = login.account;
    if (request.method === "HEAD")
      return this.#refuse(asked, refusal(405, "method", "a stream has no head", { Allow: "GET" }));
    if (!streams.mayOpen(user)) return this.#refuse(asked, tooMany("streams", "too many pages are open", 15));
    route.stream({ ...given, login }, (onClose) => streams.open(response, { user, owner: login.key, onClose }));
  }

  /** Why this log-in may not ask this now. */
  #refusalFor({ who }: Route, login: Login | undefined): JsonReply | undefined {
    if (who === "anyone") return undefined;
    if (login === undefined) return UNKNOWN;
    if (!this.#options.rate.take(login.key)) return tooMany("rate", "too much is asked at once", 1);
    return who === "operator" && !login.account.operator ? FORBIDDEN : undefined;
  }

  async #handled(reply: Promise<JsonReply>): Promise<JsonReply> {
    try {
      return await reply;
    } catch (error) {
      this.#options.log.error("portal.route.failed", { error });
      const isBusy = error instanceof SluiceError && error.code === "STORE_BUSY";
      return isBusy
        ? refusal(503, "busy", "too much is going on; try again", { "Retry-After": "5" })
        : refusal(500, "failed", "the portal failed; its log says why");
    }
  }

  #refuse(asked: Asked, reply: JsonReply): void {
    // What is left of a body is not read.
    const { request } = asked;
    const isWhole = request.complete || request.method === "GET" || request.method === "HEAD";
    this.#send(asked, isWhole ? reply : { ...reply, headers: { ...reply.headers, Connection: "close" } });
  }

  #send({ request, response }: Asked, { status, value, headers }: JsonReply): void {
    if (status >= 400) this.#options.onRefused(codeOf(value));
    if (response.destroyed) return;
    const body = Buffer.from(JSON.stringify(value));
    response.writeHead(status, {
      ...this.#options.headers,
      "Content-Type": "application/json",
      "Content-Length": String(body.length),
      "Cache-Control": "no-store",
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  #page(asked: Asked, path: string): void {
    const { request, response } = asked;
    const { "if-none-match": condition, "accept-encoding": accepts } = request.headers;
    const found = this.#options.pages.find(path, typeof accepts === "string" ? accepts : undefined);
    if (found === undefined) {
      this.#refuse(asked, notFound());
      return;
    }
    const { body, headers } = found;
    if (isUnchanged(condition, headers.ETag)) {
      response.writeHead(304, { ...this.#options.headers, ...headers }).end();
      return;
    }
    response.writeHead(200, { ...this.#options.headers, ...headers, "Content-Length": String(body.length) });
    response.end(request.method === "HEAD" ? undefined : body);
  }
}

/** Origin-form only (RFC 9112 §3.2.1), taken as it is: nothing is resolved in it. */
function splitTarget(target: string): readonly [string, string] {
  const at = target.indexOf("?");
  return at === -1 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}

function csrfOf(request: IncomingMessage, body: unknown): string {
  const header = request.headers["x-csrf-token"];
  if (typeof header === "string") return header;
  const inBody = typeof body === "object" && body !== null && "csrf" in body ? body.csrf : undefined;
  return typeof inBody === "string" ? inBody : "";
}

function codeOf(value: unknown): string {
  const error = typeof value === "object" && value !== null && "error" in value ? value.error : undefined;
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "unknown";
}
