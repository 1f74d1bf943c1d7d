/** A role's local API: HTTP with JSON on a Unix socket. File mode and group say who may ask. */
import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { SluiceError, SystemError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import { errnoOf, prepareSocketPath } from "./socket-path.js";
import { type ControlStream, ControlStreams } from "./stream.js";

export type ControlQuery = Readonly<Record<string, string>>;

/** Gives the answer's value; a string is sent as plain text; `undefined` says there is no such thing. */
export type ControlRoute = (query: ControlQuery) => Promise<unknown>;

export interface ControlServerOptions {
  readonly path: string;
  /** By path, such as `/v1/show/sessions`. */
  readonly routes: Readonly<Record<string, ControlRoute>>;
  /** Routes that change something: asked with POST, by path. */
  readonly actions?: Readonly<Record<string, ControlRoute>>;
  /** Asked with GET, and answered for as long as the asker listens. */
  readonly streams?: Readonly<Record<string, ControlStream>>;
  readonly log: Logger;
}

const URL_MAX = 2048;
const CONNECTIONS_MAX = 64;
const ROUTE_TIMEOUT_MS = 10_000;

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #streams: ControlStreams;
  readonly #server: Server;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#streams = new ControlStreams(options.streams ?? {}, options.log);
    this.#server = createServer(
      { maxHeaderSize: 8192, requestTimeout: ROUTE_TIMEOUT_MS, headersTimeout: ROUTE_TIMEOUT_MS },
      (request, response) => {
        this.#answer(request, response).catch((error: unknown) => {
          options.log.error("control.failed", { error });
          response.destroy();
        });
      },
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws SystemError `CONTROL_IN_USE` when the role is already running, `CONTROL_PATH` when it cannot listen */
  async listen(): Promise<void> {
    const { path, log } = this.#options;
    await prepareSocketPath(path);
    await new Promise<void>((resolve, reject) => {
      const refuse = (cause: Error): void => {
        const code = errnoOf(cause) === "EADDRINUSE" ? "CONTROL_IN_USE" : "CONTROL_PATH";
        const remedy = "make its directory writable for this user, or correct `control:`";
        reject(new SystemError(code, `cannot listen on ${path} (${errnoOf(cause)})`, { remedy, cause }));
      };
      this.#server.once("error", refuse);
      this.#server.listen(path, () => {
        this.#server.off("error", refuse);
        this.#server.on("error", (error) => log.error("control.failed", { error }));
        resolve();
      });
    });
    chmodSync(path, 0o660);
    log.debug("control.listening", { path });
  }

  /** Takes the socket away; streams end, and other questions on their way are cut off. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#streams.end();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      // What ends a stream has left by then, where its asker reads.
      setImmediate(() => this.#server.closeAllConnections());
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const target = request.url ?? "/";
    if (target.length > URL_MAX) return fail(response, 414, "CONTROL_URL", "the question is too long");
    const { method } = request;
    if (method !== "GET" && method !== "POST") {
      return fail(response, 405, "CONTROL_METHOD", "only GET and POST are known here");
    }
    const url = URL.canParse(target, "http://control") ? new URL(target, "http://control") : undefined;
    const name = url?.pathname ?? target;
    const { routes, actions = {} } = this.#options;
    const known = method === "GET" ? routes : actions;
    const other = method === "GET" ? actions : routes;
    if (Object.hasOwn(other, name) && !Object.hasOwn(known, name)) {
      return fail(response, 405, "CONTROL_METHOD", `${name} is not asked with ${method}`);
    }
    const stream = method === "GET" ? this.#streams.find(name) : undefined;
    const route = Object.hasOwn(known, name) ? known[name] : undefined;
    if (url === undefined || (route === undefined && stream === undefined)) {
      const answered = [...Object.keys(known), ...(method === "GET" ? this.#streams.names : [])];
      const remedy = `it answers ${answered.join(", ")}`;
      return fail(response, 404, "CONTROL_ROUTE", `this role does not answer ${name}`, remedy);
    }
    const query = Object.fromEntries(url.searchParams);
    try {
      if (stream !== undefined) return this.#stream(stream, query, response);
      const value = route === undefined ? undefined : await inTime(route(query), name);
      if (value === undefined) return fail(response, 404, "CONTROL_NOT_FOUND", "this role knows nothing of it");
      send(response, 200, value);
    } catch (error) {
      if (!(error instanceof SluiceError)) this.#options.log.error("control.route.failed", { route: name, error });
      if (error instanceof SluiceError) fail(response, 500, error.code, error.message, error.remedy);
      else fail(response, 500, "INTERNAL", "the role failed; see its log");
    }
  }

  #stream(stream: ControlStream, query: ControlQuery, response: ServerResponse): void {
    if (this.#streams.isFull) fail(response, 503, "CONTROL_BUSY", "as many are listening as may", "end one of them");
    else this.#streams.start(stream, query, response);
  }
}

function inTime(answer: Promise<unknown>, route: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new SystemError("CONTROL_TIMEOUT", `${route} took longer than ${ROUTE_TIMEOUT_MS} ms`));
    }, ROUTE_TIMEOUT_MS);
    timer.unref();
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const isText = typeof value === "string";
  const body = isText ? value : JSON.stringify(value);
  const type = isText ? "text/plain; charset=utf-8" : "application/json";
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}

function fail(response: ServerResponse, status: number, code: string, message: string, remedy?: string): void {
  send(response, status, { error: { code, message, ...(remedy === undefined ? {} : { remedy }) } });
}
