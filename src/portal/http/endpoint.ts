/** The HTTPS server: connections counted and bounded in time. What is asked is another's to answer. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import { formatEndpoint } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { seconds } from "../../model/units.js";

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

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
  listen({ address, port }: ListenAddress): Promise<ListenAddress> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, { address, port }));
      this.#server.once("error", failed);
      this.#server.listen({ port, host: address, backlog: 1024 }, () => {
        this.#server.off("error", failed);
        this.#server.on("error", (error) => this.#options.log.error("portal.http.failed", { error }));
        const bound = this.#server.address();
        resolve(
          typeof bound === "object" && bound !== null
            ? { address: bound.address, port: bound.port }
            : { address, port },
        );
      });
    });
  }

  /** Takes no more, lets what is being answered finish for a short while, then ends every connection. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const grace = this.#options.clock.after(CLOSE_GRACE, () => {
        for (const socket of this.#sockets) socket.destroy();
      });
      this.#server.close(() => {
        grace.cancel();
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  #connected(socket: Socket): void {
    const source = (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
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

const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: "stop the program that uses the port, or set another port under listen",
  EACCES: "use a port from 1024 up, or give the program the right to use low ports",
  EADDRNOTAVAIL: "set an address of this machine under listen",
};

function listenError(error: NodeJS.ErrnoException, { address, port }: ListenAddress): SystemError {
  const code = error.code ?? "UNKNOWN";
  const what = code === "EADDRINUSE" ? "the port is in use" : error.message;
  return new SystemError(`LISTEN_${code}`, `cannot listen on ${formatEndpoint(address, port)}: ${what}`, {
    cause: error,
    ...(REMEDIES[code] === undefined ? {} : { remedy: REMEDIES[code] }),
  });
}
