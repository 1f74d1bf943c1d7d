/** The HTTPS server: connections counted and bounded in time. What is asked is another's to answer. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { Server as TlsServer } from "node:tls";
import { ConnectionGate } from "../../http/connection-gate.js";
import { closeGently, type ListenAddress, listenOn } from "../../http/listening.js";
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { secureOptions, type TlsMaterial } from "../../model/tls.js";
import { seconds } from "../../model/units.js";

export interface EndpointOptions {
  /** `none` for plain HTTP. */
  readonly tls: TlsMaterial | "none";
  readonly connections: number;
  /** Of an IPv4 address, or of an IPv6 /64. */
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
  readonly #gate: ConnectionGate;

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
    const { trusted, connections, connectionsPerSource } = options;
    const mostOf = (address: string): number => (trusted.has(address) ? connections : connectionsPerSource);
    this.#gate = new ConnectionGate(this.#server, { mostOf });
  }

  get connections(): number {
    return this.#gate.size;
  }

  /** Connections that were one too many, since the start. */
  get refused(): number {
    return this.#gate.refused;
  }

  /** @throws SystemError LISTEN_* if the address cannot be had */
  async listen(place: ListenAddress): Promise<ListenAddress> {
    const bound = await listenOn(this.#server, place, { backlog: 1024 });
    this.#server.on("error", (error) => this.#options.log.error("portal.http.failed", { error }));
    return bound;
  }

  /** Of connections to come: those that are open stay. */
  replaceTls(tls: TlsMaterial): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(secureOptions(tls));
  }

  /** Takes no more, lets what is being answered finish for a short while, then ends every connection. */
  close(): Promise<void> {
    return closeGently(this.#server, {
      clock: this.#options.clock,
      grace: CLOSE_GRACE,
      cut: () => this.#gate.cut(),
    });
  }
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** @throws SystemError PORTAL_TLS */
function createFor(tls: EndpointOptions["tls"], listener: Listener): Server {
  if (tls === "none") return createServer(LIMITS, listener);
  try {
    return createTlsServer({ ...LIMITS, ...secureOptions(tls), handshakeTimeout: HANDSHAKE_TIMEOUT }, listener);
  } catch (cause) {
    const remedy = "`tls:` wants a PEM key, and the certificate that belongs to it";
    throw new SystemError("PORTAL_TLS", "key and certificate cannot be used", { remedy, cause });
  }
}
