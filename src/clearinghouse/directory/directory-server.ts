/**
 * Nick names over HTTP, for the portals and proxies of all providers:
 *
 * ```
 *  PUT /directory/<nick> {aor, online}   204, or 409: another domain has the name
 *  GET /directory/<nick>                 {nick, aor, online, since}, or 404
 *  GET /directory?online=1               {entries: [{nick, aor, online, since}]}, with an ETag
 *      If-None-Match: <etag>             304 if nobody has come or gone since;
 *      Prefer: wait=8                    then only after so many seconds (RFC 7240 §4.3), and 200 as soon as somebody does
 * ```
 * Who asks is known by the address; what a client may enter, by its domains.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { readBody } from "../../http/body.js";
import { closeGently, type ListenAddress, listenOn } from "../../http/listening.js";
import { domainOf } from "../../model/address-of-record.js";
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import { formatEndpoint, type IpPrefix, prefixContains, unmapped } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { type Millis, millis } from "../../model/units.js";
import { Throttle } from "../throttle.js";
import { readCondition, readEntry, readTarget } from "./directory-requests.js";
import type { NickNames } from "./nick-names.js";
import { WaitingReaders } from "./waiting-readers.js";

export interface DirectoryClientRule {
  readonly prefix: IpPrefix;
  /** Domains whose users it may enter; absent: any. */
  readonly domains?: readonly string[] | undefined;
}

export interface DirectoryServerOptions {
  readonly listen: ListenAddress;
  readonly clients: readonly DirectoryClientRule[];
  /** Stays its owner's: close it after the server. */
  readonly names: NickNames;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of one address; default 500. */
  readonly requestsPerSecond?: number;
}

const BODY_MAX = 1024;
const BODY_TIMEOUT: Millis = millis(5000);
const CONNECTIONS_MAX = 512;
const CLOSE_GRACE: Millis = millis(2000);
const DEFAULT_RATE = 500;

interface Answer {
  readonly status: number;
  readonly value?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class DirectoryServer {
  readonly #options: DirectoryServerOptions;
  readonly #rates: Throttle;
  readonly #complaints: Throttle;
  readonly #server: Server;
  readonly #readers: WaitingReaders;
  /** Versions of before a restart are others than ours. */
  readonly #epoch = randomBytes(6).toString("base64url");

  constructor(options: DirectoryServerOptions) {
    this.#options = options;
    this.#rates = new Throttle(options.clock);
    this.#complaints = new Throttle(options.clock);
    this.#readers = new WaitingReaders(options.clock, () => options.names.version);
    const limits = { keepAliveTimeout: 65_000, headersTimeout: 5000, requestTimeout: 10_000, maxHeaderSize: 8192 };
    this.#server = createServer(limits, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        options.log.error("clearinghouse.directory.failed", { error: String(error) });
        response.destroy();
      });
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Resolves with the port in use, which tells it where 0 was asked for. @throws SystemError LISTEN_* */
  async listen(): Promise<number> {
    const { port } = await listenOn(this.#server, this.#options.listen, { failure });
    return port;
  }

  close(): Promise<void> {
    this.#readers.close();
    return closeGently(this.#server, { clock: this.#options.clock, grace: CLOSE_GRACE });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, value, headers = {} } = await this.#answer(request, response);
    if (response.destroyed) return;
    const body = value === undefined ? "" : JSON.stringify(value);
    // What is left of a body that was refused is not read.
    const end: Record<string, string> = status >= 400 && request.method === "PUT" ? { Connection: "close" } : {};
    const type: Record<string, string> = value === undefined ? {} : { "Content-Type": "application/json" };
    const length = status === 204 || status === 304 ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
    response.writeHead(status, { ...headers, ...end, ...type, ...length, "Cache-Control": "no-store" });
    response.end(body);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { clients, names, requestsPerSecond = DEFAULT_RATE } = this.#options;
    const address = unmapped(request.socket.remoteAddress ?? "");
    const client = clients.find(({ prefix }) => prefixContains(prefix, address));
    if (client === undefined) return this.#refuse(address, 403, "this client is not configured");
    if (!this.#rates.take(address, requestsPerSecond, requestsPerSecond * 2)) {
      return { ...fault(429, "too many requests"), headers: { "Retry-After": "1" } };
    }
    const target = readTarget(request.url ?? "");
    if (target === undefined) return fault(404, "there is no such resource");
    switch (request.method) {
      case "GET":
        if (target.nick === undefined) return this.#list(address, request, response);
        return found(names.find(target.nick));
      case "PUT":
        if (target.nick === undefined) return fault(405, "name whom it is about", { Allow: "GET" });
        return this.#put(request, target.nick, client);
      default:
        return fault(405, "this is not done here", { Allow: target.nick === undefined ? "GET" : "GET, PUT" });
    }
  }

  /** Who is on-line; for a reader that knows that already, as soon as it is not so any more. */
  async #list(address: string, request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { names } = this.#options;
    const { tags, wait } = readCondition(request.headers);
    const known = names.version;
    if (tags.includes(this.#tag(known))) {
      await this.#readers.wait(address, known, wait, (listener) => response.once("close", listener));
    }
    const version = names.version;
    const headers = { ETag: this.#tag(version) };
    if (tags.includes(headers.ETag)) return { status: 304, headers };
    return { status: 200, value: { entries: names.online() }, headers };
  }

  #tag(version: number): string {
    return `"${this.#epoch}.${version}"`;
  }

  async #put(request: IncomingMessage, nick: string, { domains }: DirectoryClientRule): Promise<Answer> {
    const body = await readBody(request, { most: BODY_MAX, time: BODY_TIMEOUT, clock: this.#options.clock });
    if (typeof body === "number") return fault(body, "the body is too long, or did not come");
    const entry = readEntry(body);
    if (entry === undefined) return fault(400, "the body is not {aor, online}");
    const domain = domainOf(entry.aor);
    if (domains !== undefined && !domains.includes(domain)) {
      return this.#refuse(request.socket.remoteAddress ?? "", 403, `it does not speak for ${domain}`);
    }
    const claim = this.#options.names.put(nick, entry.aor, entry.online);
    this.#readers.look();
    switch (claim) {
      case "kept":
        return { status: 204 };
      case "taken":
        return fault(409, "another domain has this name");
      case "full":
        return { ...fault(503, "there is no room for more"), headers: { "Retry-After": "30" } };
    }
  }

  #refuse(address: string, status: number, why: string): Answer {
    if (this.#complaints.take(address, 1 / 10, 5)) {
      this.#options.log.warn("clearinghouse.directory.refused", { address, why });
    }
    return fault(status, why);
  }
}

function failure(cause: NodeJS.ErrnoException, { address, port }: ListenAddress): SystemError {
  const what = `cannot listen on ${formatEndpoint(address, port)}: ${cause.message}`;
  const remedy = "set a free port and an address of this machine under `directory.listen`";
  return new SystemError(`LISTEN_${cause.code ?? "UNKNOWN"}`, what, { cause, remedy });
}

const fault = (status: number, message: string, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  value: { error: { message } },
  headers,
});

const found = (entry: unknown): Answer =>
  entry === undefined ? fault(404, "nobody has this name") : { status: 200, value: entry };
