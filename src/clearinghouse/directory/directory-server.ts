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
 * Who asks is known by the address: connections of others end before anything of them is read. What a client may enter is known by
 * its domains.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { readBody } from "../../http/body.js";
import { ConnectionGate } from "../../http/connection-gate.js";
import { closeGently, type ListenAddress, listenOn } from "../../http/listening.js";
import { domainOf } from "../../model/address-of-record.js";
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import { formatEndpoint, type IpPrefix, prefixContains, sourceKey, unmapped } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { type Millis, millis } from "../../model/units.js";
import { Throttle } from "../throttle.js";
import { type EntryBody, readCondition, readEntry, readTarget } from "./directory-requests.js";
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

const LIMITS = {
  keepAliveTimeout: 65_000,
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8192,
};
const BODY_MAX = 1024;
const BODY_TIMEOUT: Millis = millis(5000);
const CONNECTIONS_MAX = 1024;
/** A proxy asks 64 questions at once, a portal four. */
const CONNECTIONS_OF_SOURCE = 128;
/** For a client that does not read its answer; longer than any waits for news. */
const SILENCE = 60_000;
const CLOSE_GRACE: Millis = millis(2000);
const DEFAULT_RATE = 500;

interface Answer {
  readonly status: number;
  /** Sent as JSON. */
  readonly value?: unknown;
  /** JSON already. */
  readonly json?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Since the start. */
export interface DirectoryCounters {
  /** Of strangers, and beyond what one source may have. */
  readonly connectionsRefused: number;
  readonly requests: number;
  /** Asked too often. */
  readonly throttled: number;
  /** Names that could not be entered: of others, too many, or of a domain that is not the client's. */
  readonly entriesRefused: number;
}

export class DirectoryServer {
  readonly #options: DirectoryServerOptions;
  readonly #rates: Throttle;
  readonly #complaints: Throttle;
  readonly #server: Server;
  readonly #readers: WaitingReaders;
  readonly #gate: ConnectionGate;
  readonly #counts = { requests: 0, throttled: 0, entriesRefused: 0 };
  /** The list as it was sent last. */
  #list: { readonly version: number; readonly json: Buffer } | undefined;
  /** Versions of before a restart are others than ours. */
  readonly #epoch = randomBytes(6).toString("base64url");

  constructor(options: DirectoryServerOptions) {
    this.#options = options;
    this.#rates = new Throttle(options.clock);
    this.#complaints = new Throttle(options.clock);
    this.#readers = new WaitingReaders(options.clock, () => options.names.version);
    this.#server = createServer(LIMITS, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        options.log.error("clearinghouse.directory.failed", { error: String(error) });
        response.destroy();
      });
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.setTimeout(SILENCE);
    this.#gate = new ConnectionGate(this.#server, {
      mostOf: (address) => (this.#clientAt(address) === undefined ? 0 : CONNECTIONS_OF_SOURCE),
      onRefused: (address) => this.#complain(address, "it is not configured, or has too many connections"),
    });
  }

  /** Resolves with the port in use, which tells it where 0 was asked for. @throws SystemError LISTEN_* */
  async listen(): Promise<number> {
    const { port } = await listenOn(this.#server, this.#options.listen, { failure });
    return port;
  }

  get counters(): DirectoryCounters {
    return { connectionsRefused: this.#gate.refused, ...this.#counts };
  }

  close(): Promise<void> {
    this.#readers.close();
    return closeGently(this.#server, { clock: this.#options.clock, grace: CLOSE_GRACE });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, value, json, headers = {} } = await this.#answer(request, response);
    this.#count(status, request.method);
    if (response.destroyed) return;
    const body = json ?? (value === undefined ? undefined : Buffer.from(JSON.stringify(value)));
    const isRefusal = status === 403 || status === 429;
    // What is left of a body that was refused is not read.
    const end: Record<string, string> =
      isRefusal || (status >= 400 && request.method === "PUT") ? { Connection: "close" } : {};
    const type: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
    const length = status === 204 || status === 304 ? {} : { "Content-Length": String(body?.length ?? 0) };
    response.writeHead(status, { ...headers, ...end, ...type, ...length, "Cache-Control": "no-store" });
    response.end(body);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { names, requestsPerSecond = DEFAULT_RATE } = this.#options;
    const address = unmapped(request.socket.remoteAddress ?? "");
    const client = this.#clientAt(address);
    // The connection has been let in: its other end may have gone meanwhile.
    if (client === undefined) return fault(403, "this client is not configured");
    if (!this.#rates.take(sourceKey(address), requestsPerSecond, requestsPerSecond * 2)) {
      return { ...fault(429, "too many requests"), headers: { "Retry-After": "1" } };
    }
    const target = readTarget(request.url ?? "");
    if (target === undefined) return fault(404, "there is no such resource");
    switch (request.method) {
      case "GET":
        if (target.nick === undefined) return this.#online(sourceKey(address), request, response);
        return found(names.find(target.nick));
      case "PUT":
        if (target.nick === undefined) return fault(405, "name whom it is about", { Allow: "GET" });
        return this.#put(request, target.nick, client);
      default:
        return fault(405, "this is not done here", { Allow: target.nick === undefined ? "GET" : "GET, PUT" });
    }
  }

  #clientAt(address: string): DirectoryClientRule | undefined {
    return this.#options.clients.find(({ prefix }) => prefixContains(prefix, address));
  }

  /** Who is on-line; for a reader that knows that already, as soon as it is not so any more. */
  async #online(source: string, request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { names } = this.#options;
    const { tags, wait } = readCondition(request.headers);
    const known = names.version;
    if (tags.includes(this.#tag(known))) {
      await this.#readers.wait(source, known, wait, (listener) => response.once("close", listener));
    }
    const version = names.version;
    const headers = { ETag: this.#tag(version) };
    if (tags.includes(headers.ETag)) return { status: 304, headers };
    if (this.#list?.version !== version) {
      this.#list = { version, json: Buffer.from(JSON.stringify({ entries: names.online() })) };
    }
    return { status: 200, json: this.#list.json, headers };
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
      this.#complain(unmapped(request.socket.remoteAddress ?? ""), `it does not speak for ${domain}`);
      return fault(403, `this client does not speak for ${domain}`);
    }
    return this.#claim(nick, entry);
  }

  async #claim(nick: string, { aor, online }: EntryBody): Promise<Answer> {
    const claim = await this.#options.names.put(nick, aor, online).catch((error: unknown) => {
      if (this.#complaints.take("store", 1 / 10, 5)) {
        this.#options.log.error("clearinghouse.directory.failed", { error: String(error) });
      }
      return "failed" as const;
    });
    this.#readers.look();
    switch (claim) {
      case "kept":
        return { status: 204 };
      case "taken":
        return fault(409, "another domain has this name");
      case "full":
        return { ...fault(503, "there is no room for more"), headers: { "Retry-After": "30" } };
      case "failed":
        return { ...fault(503, "it could not be written down"), headers: { "Retry-After": "5" } };
    }
  }

  #count(status: number, method: string | undefined): void {
    this.#counts.requests += 1;
    if (status === 429) this.#counts.throttled += 1;
    else if (method === "PUT" && (status === 403 || status === 409 || status === 503)) this.#counts.entriesRefused += 1;
  }

  #complain(address: string, why: string): void {
    if (!this.#complaints.take(sourceKey(address), 1 / 10, 5)) return;
    this.#options.log.warn("clearinghouse.directory.refused", { address, why });
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
