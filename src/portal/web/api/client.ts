/** The portal's HTTP API, same origin. The cookie goes by itself; what changes something carries the session's token. */
import type {
  ApiErrorBody,
  ChosenState,
  ExplainView,
  PoolSeriesView,
  PortalSession,
  RecordsAnswer,
  SessionDetail,
  SipAccess,
} from "./types.js";

/** An answer that is not 2xx, or none at all (`status` 0). The message is for people. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** Seconds. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const TIMEOUT = 15_000;

export class ApiClient {
  #csrf = "";
  readonly #onLoggedOut: () => void;

  /** @param onLoggedOut - the server does not know the session any longer */
  constructor(onLoggedOut: () => void) {
    this.#onLoggedOut = onLoggedOut;
  }

  /** @throws ApiError 401 for a wrong name or password, 429 with `retryAfter` */
  async login(user: string, password: string): Promise<PortalSession> {
    return this.#keep(await this.#ask<PortalSession>("POST", "/api/login", { user, password }));
  }

  /** The session of the cookie, if it still holds. */
  async session(): Promise<PortalSession | undefined> {
    try {
      return this.#keep(await this.#ask<PortalSession>("GET", "/api/session"));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return undefined;
      throw error;
    }
  }

  async logout(): Promise<void> {
    await this.#ask("POST", "/api/logout", {});
    this.#csrf = "";
  }

  sipCredentials(): Promise<SipAccess> {
    return this.#asUser("POST", "/api/sip-credentials", {});
  }

  presence(state: ChosenState): Promise<void> {
    return this.#asUser("POST", "/api/presence", { state });
  }

  sessionDetail(callId: string): Promise<SessionDetail> {
    return this.#asUser("GET", `/api/sessions/${encodeURIComponent(callId)}`);
  }

  records(before: string | null, limit: number): Promise<RecordsAnswer> {
    const query = new URLSearchParams({ limit: String(limit), ...(before === null ? {} : { before }) });
    return this.#asUser("GET", `/api/records?${query}`);
  }

  /** Leaves by a way that outlives the page: the token goes in the body. */
  leave(callId: string): void {
    const body = new Blob([JSON.stringify({ callId, csrf: this.#csrf })], { type: "application/json" });
    navigator.sendBeacon("/api/leave", body);
  }

  show<View>(host: string, topic: string): Promise<View> {
    return this.#asUser("GET", `/api/ops/${encodeURIComponent(host)}/show/${topic}`);
  }

  explain(host: string, session: string): Promise<ExplainView> {
    return this.#asUser("GET", `/api/ops/${encodeURIComponent(host)}/explain?${new URLSearchParams({ session })}`);
  }

  events<View>(host: string, session: string): Promise<View> {
    return this.#asUser("GET", `/api/ops/${encodeURIComponent(host)}/events?${new URLSearchParams({ session })}`);
  }

  series(host: string, pool: string, since: number): Promise<PoolSeriesView> {
    const query = new URLSearchParams({ pool, since: String(since) });
    return this.#asUser("GET", `/api/ops/${encodeURIComponent(host)}/series?${query}`);
  }

  #keep(session: PortalSession): PortalSession {
    this.#csrf = session.csrf;
    return session;
  }

  async #asUser<Answer>(method: Method, path: string, body?: object): Promise<Answer> {
    try {
      return await this.#ask<Answer>(method, path, body);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#onLoggedOut();
      throw error;
    }
  }

  async #ask<Answer>(method: Method, path: string, body?: object): Promise<Answer> {
    const response = await this.#fetch(method, path, body);
    const text = await response.text();
    const value: unknown = text === "" ? undefined : parse(text);
    if (response.ok) return value as Answer;
    const told = value as Partial<ApiErrorBody> | undefined;
    const after = Number(response.headers.get("retry-after") ?? Number.NaN);
    const message = told?.error?.message ?? `the server answered ${response.status}`;
    throw new ApiError(response.status, told?.error?.code ?? "", message, Number.isFinite(after) ? after : undefined);
  }

  async #fetch(method: Method, path: string, body: object | undefined): Promise<Response> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (method !== "GET" && this.#csrf !== "") headers["x-csrf-token"] = this.#csrf;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const signal = AbortSignal.timeout(TIMEOUT);
    try {
      return await fetch(path, { method, headers, credentials: "same-origin", cache: "no-store", signal, ...content });
    } catch (error) {
      const detail = error instanceof Error ? error.message : "";
      throw new ApiError(0, "NETWORK", `the server does not answer (${detail})`);
    }
  }
}

type Method = "GET" | "POST";

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
