/** A portal on loopback with a certificate of its own, beside roles that answer at real control sockets. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ControlRoute, ControlServer } from "../../src/control/server.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { seconds } from "../../src/model/units.js";
import { accountOf, tableOf } from "../../src/portal/accounts/accounts.js";
import { hashPassword } from "../../src/portal/accounts/password.js";
import { parseHash } from "../../src/portal/accounts/phc.js";
import { Pages } from "../../src/portal/http/pages.js";
import { Portal, type PortalOptions } from "../../src/portal/portal.js";
import { RoleClient } from "../../src/portal/roles/role-client.js";
import { SessionStore } from "../../src/portal/sessions/session-store.js";
import { makeKey } from "../osp/support.js";

export const ORIGIN = "https://portal.a.example";
export const PASSWORD = "correct horse";
/** Cheap, so that tests log in fast. What it costs is tested by itself. */
export const CHEAP = { ln: 10, r: 8, p: 1 };

export interface FakeRole {
  readonly path: string;
  readonly routes: Record<string, ControlRoute>;
  readonly actions: Record<string, ControlRoute>;
  /** What was asked and done, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** A role's own control server, with routes that the test sets. */
export async function startRole(
  path: string,
  routes: Record<string, ControlRoute>,
  actions: Record<string, ControlRoute> = {},
): Promise<FakeRole> {
  const asked: string[] = [];
  const noted = (all: Record<string, ControlRoute>): Record<string, ControlRoute> =>
    Object.fromEntries(
      Object.entries(all).map(([name, route]) => [
        name,
        (query) => {
          asked.push(`${name} ${JSON.stringify(query)}`);
          return route(query);
        },
      ]),
    );
  const server = new ControlServer({ path, routes: noted(routes), actions: noted(actions), log: SILENT_LOGGER });
  await server.listen();
  return { path, routes, actions, asked, close: () => server.close() };
}

export const account = async (name: string, more: { nick?: string; operator?: boolean; password?: string } = {}) => {
  const password = parseHash(await hashPassword(more.password ?? PASSWORD, CHEAP));
  if (password === undefined) throw new Error("a hash that was just made is not read");
  return accountOf({ name, nick: more.nick ?? name, operator: more.operator ?? false, password });
};

export interface RunningPortal {
  readonly portal: Portal;
  readonly port: number;
  readonly directory: string;
  readonly store: SessionStore;
  readonly browser: () => Browser;
  close(): Promise<void>;
}

export const INDEX = "<!doctype html><title>Sluice</title><script type=module src=/assets/app-1a2b.js></script>";

export function writePages(directory: string): string {
  mkdirSync(join(directory, "assets"), { recursive: true });
  writeFileSync(join(directory, "index.html"), INDEX);
  writeFileSync(join(directory, "favicon.svg"), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  writeFileSync(join(directory, "assets", "app-1a2b.js"), `console.log(${"1+".repeat(1000)}1);`);
  // What a build leaves beside the page, and nobody may have.
  writeFileSync(join(directory, "portal.js"), "secret of the server");
  writeFileSync(join(directory, "assets", ".hidden"), "hidden");
  return directory;
}

export async function startPortal(options: Partial<PortalOptions> = {}): Promise<RunningPortal> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-portal-"));
  const files = await makeKey("localhost");
  const store = options.store ?? new SessionStore(":memory:");
  const nobody = new RoleClient(join(directory, "nobody.sock"));
  const portal = new Portal({
    tls: { key: files.keyPem, certificate: files.certificatePem },
    publicUrl: ORIGIN,
    trustedProxies: [],
    domain: "a.example",
    accounts: tableOf([
      await account("alice", { nick: "Al" }),
      await account("bob", { nick: "Bo" }),
      await account("olga", { operator: true }),
    ]),
    sip: { wss: "wss://sip1.a.example:5443", expires: seconds(3600) },
    credentials: (user, expires) => ({ username: `${expires / 1000}:${user}`, password: "p" }),
    classes: [],
    pdp: nobody,
    proxy: nobody,
    watch: [],
    directory: undefined,
    sessions: { idle: seconds(600), absolute: seconds(3600) },
    pages: new Pages(writePages(join(directory, "pages"))),
    limits: { connections: 200, connectionsPerSource: 100, streamsPerUser: 3 },
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
    ...options,
    store,
  });
  const { port } = await portal.listen({ address: "127.0.0.1", port: 0 });
  return {
    portal,
    port,
    directory,
    store,
    browser: () => new Browser(port, files.certificatePem),
    close: async () => {
      await portal.close();
      if (options.store === undefined) store.close();
      await files.remove();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly json: any;
}

export interface Ask {
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: string | Buffer;
  readonly headers?: Record<string, string>;
}

export interface Event {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  readonly data: any;
}

/** What a browser does of itself: keeps the cookie, and says where a request comes from. */
export class Browser {
  cookie = "";
  csrf = "";
  readonly #port: number;
  readonly #ca: Buffer;

  constructor(port: number, ca: Buffer) {
    this.#port = port;
    this.#ca = ca;
  }

  async get(path: string, ask: Ask = {}): Promise<Answer> {
    return this.ask("GET", path, { ...ask, headers: { "sec-fetch-site": "same-origin", ...ask.headers } });
  }

  async post(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Answer> {
    const own = { origin: ORIGIN, "sec-fetch-site": "same-origin", "content-type": "application/json" };
    const token = this.csrf === "" ? {} : { "x-csrf-token": this.csrf };
    return this.ask("POST", path, { body, headers: { ...own, ...token, ...headers } });
  }

  async login(user: string, password = PASSWORD): Promise<Answer> {
    const answer = await this.post("/api/login", { user, password });
    if (answer.status === 200) this.csrf = answer.json.csrf;
    return answer;
  }

  async ask(method: string, path: string, { body, raw, headers = {} }: Ask = {}): Promise<Answer> {
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await this.#open(method, path, headers, content);
    const [set] = response.headers["set-cookie"] ?? [];
    if (set !== undefined) this.cookie = set.split(";")[0] ?? "";
    response.setEncoding("utf8");
    let text = "";
    for await (const part of response) text += part;
    const isJson = response.headers["content-type"] === "application/json" && text !== "";
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  async events(path: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const response = await this.#open("GET", path, { "sec-fetch-site": "same-origin", ...headers });
    return new EventReader(response);
  }

  #open(
    method: string,
    path: string,
    headers: Record<string, string>,
    content?: string | Buffer,
  ): Promise<IncomingMessage> {
    const cookie = this.cookie === "" ? {} : { cookie: this.cookie };
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: "127.0.0.1",
          port: this.#port,
          servername: "localhost",
          ca: this.#ca,
          agent: false,
          method,
          path,
          headers: { ...cookie, ...headers },
        },
        resolve,
      );
      asked.on("error", reject);
      asked.end(content);
    });
  }
}

export class EventReader {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly events: Event[] = [];
  isOver = false;
  readonly #response: IncomingMessage;

  constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    let begun = "";
    response.setEncoding("utf8");
    response.on("data", (part: string) => {
      const blocks = `${begun}${part}`.split("\n\n");
      begun = blocks.pop() ?? "";
      for (const block of blocks) {
        const found = /^event: (\w+)\ndata: (.*)$/.exec(block);
        if (found !== null) this.events.push({ event: found[1]!, data: JSON.parse(found[2]!) });
      }
    });
    response.on("close", () => {
      this.isOver = true;
    });
    response.on("error", () => undefined);
  }

  of(name: string) {
    return this.events.filter(({ event }) => event === name).map(({ data }) => data);
  }

  close(): void {
    this.#response.destroy();
  }
}
