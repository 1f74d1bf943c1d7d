/** The HTTPS server: connections counted and bounded in time. What is asked is another's to answer. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { closeGently, type ListenAddress, listenOn } from "../../http/listening.js";
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import { unmapped } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { seconds } from "../../model/units.js";

export interface EndpointOptions {
  /** PEM; `none` for plain HTTP. */
  readonly tls: { readonly key: Buffer; readonly certificate: Buffer } | "none";
  readonly connections: number;
  readonly connectionsPerSource: number;
  /** Addresses that may have all of them. */
  readonly trusted: ReadonlySet<string>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8192,
};
const HANDSHAKE_TIMEOUT = 10_000;
/** For a connection on which nothing moves while it is answered. */
const SILENCE = 60_000;
const CLOSE_GRACE = seconds(1);

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #server: Server;
  readonly #sources = new Map<string, number>();
  /** All that are open, also those that shake hands. */
  readonly #sockets = new Set<Socket>();
  #refused = 0;

  constructor(options: EndpointOptions) {
    this.#options = options;
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      options.serve(request, response).catch((error: unknown) => {
        options.log.error("portal.http.failed", { error });
        response.destroy();
      });
    };
    this.#server = createFor(options.tls, serve);
    this.#server.maxConnections = options.connections;
    this.#server.setTimeout(SILENCE);
    this.#server.on("connection", (socket: Socket) => this.#connected(socket));
    this.#server.on("drop", () => {
      this.#refused += 1;
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Connections that were one too many, since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** @throws SystemError LISTEN_* if the address cannot be had */
  async listen(place: ListenAddress): Promise<ListenAddress> {
    const bound = await listenOn(this.#server, place, { backlog: 1024 });
    this.#server.on("error", (error) => this.#options.log.error("portal.http.failed", { error }));
    return bound;
  }

  /** Takes no more, lets what is being answered finish for a short while, then ends every connection. */
  close(): Promise<void> {
    const cut = (): void => {
      for (const socket of this.#sockets) socket.destroy();
    };
    return closeGently(this.#server, { clock: this.#options.clock, grace: CLOSE_GRACE, cut });
  }

  #connected(socket: Socket): void {
    const source = unmapped(socket.remoteAddress ?? "");
    const { trusted, connectionsPerSource } = this.#options;
    const count = this.#sources.get(source) ?? 0;
    if (count >= connectionsPerSource && !trusted.has(source)) {
      this.#refused += 1;
      socket.destroy();
      return;
    }
    this.#sources.set(source, count + 1);
    this.#sockets.add(socket);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      const left = (this.#sources.get(source) ?? 1) - 1;
      if (left === 0) this.#sources.delete(source);
      else this.#sources.set(source, left);
    });
  }
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** @throws SystemError PORTAL_TLS */
function createFor(tls: EndpointOptions["tls"], listener: Listener): Server {
  if (tls === "none") return createServer(LIMITS, listener);
  const { key, certificate: cert } = tls;
  try {
    const options = { ...LIMITS, key, cert, minVersion: "TLSv1.2" as const, handshakeTimeout: HANDSHAKE_TIMEOUT };
    return createTlsServer(options, listener);
  } catch (cause) {
    const remedy = "`tls:` wants a PEM key, and the certificate that belongs to it";
    throw new SystemError("PORTAL_TLS", "key and certificate cannot be used", { remedy, cause });
  }
}
