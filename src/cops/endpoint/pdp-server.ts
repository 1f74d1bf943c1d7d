/** The PDP's end: accepts connections on TCP 3288 (RFC 2748 §1.2) and tells its role of peers and their messages. */
import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import { formatEndpoint } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { COPS_ERROR } from "../codec/codes.js";
import type { CopsLimits } from "./limits.js";
import { PdpConnectionDriver } from "./pdp-connection-driver.js";
import type { PdpHandlers } from "./pdp-handlers.js";
import type { PdpPeer } from "./pdp-peer.js";
import { RareWarning } from "./rare-warning.js";

export interface PdpServerOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: CopsLimits;
  readonly clientTypes: readonly number[];
}

export class PdpServer {
  readonly #options: PdpServerOptions;
  readonly #handlers: PdpHandlers;
  readonly #server: Server;
  /** Of all connections together: one that breaks and comes back is no new reason to write. */
  readonly #unreadable: RareWarning;
  readonly #drivers = new Set<PdpConnectionDriver>();
  readonly #peers = new Map<string, PdpPeer>();

  constructor(options: PdpServerOptions, handlers: PdpHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = options.limits.maxConnections;
    this.#unreadable = new RareWarning("cops.unreadable", options.clock, options.log);
    const dropped = new RareWarning("cops.too-many-connections", options.clock, options.log);
    this.#server.on("drop", (connection) => dropped.warn({ from: connection?.remoteAddress }));
  }

  /** Resolves with the port in use. @throws SystemError COPS_ADDRESS_IN_USE, COPS_BIND */
  async listen(): Promise<number> {
    const { address, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) => reject(bindError(formatEndpoint(address, port), cause)));
      this.#server.listen({ host: address, port }, resolve);
    });
    this.#server.on("error", (error) => this.#options.log.error("cops.listen-failed", { error }));
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? bound.port : port;
  }

  /** Tells every PEP (RFC 2748 §4.7). Resolves when no connection is left. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const driver of [...this.#drivers]) driver.stop({ code: COPS_ERROR.shuttingDown, subCode: 0 });
    await closed;
  }

  #accept(socket: Socket): void {
    const { limits, clock, log, clientTypes } = this.#options;
    const driver = new PdpConnectionDriver(socket, {
      rules: { clientTypes, openTimeout: limits.openTimeout },
      limits,
      clock,
      log,
      unreadable: this.#unreadable,
      handlers: this.#handlers,
      opened: (peer) => this.#supersede(peer),
      left: (peer) => {
        if (this.#peers.get(nameOf(peer)) === peer) this.#peers.delete(nameOf(peer));
      },
      closed: (ended) => this.#drivers.delete(ended),
    });
    this.#drivers.add(driver);
  }

  /** A PEP that was killed leaves a TCP connection that nobody closed: the new one stands for it (RFC 2748 §2.2.11). */
  #supersede(peer: PdpPeer): void {
    const before = this.#peers.get(nameOf(peer));
    this.#peers.set(nameOf(peer), peer);
    if (before === undefined || before === peer) return;
    this.#options.log.info("cops.superseded", { peer: peer.pepId, by: peer.remote });
    before.close({ code: COPS_ERROR.communicationFailure, subCode: 0 }, "the same PEP has connected again");
  }
}

const nameOf = ({ clientType, pepId }: PdpPeer): string => `${clientType} ${pepId}`;

function bindError(at: string, cause: Error): SystemError {
  const code = "code" in cause ? String(cause.code) : "unknown";
  if (code === "EADDRINUSE") {
    const remedy = "stop the other program (`ss -ltnp` names it), or correct `cops.listen`";
    return new SystemError("COPS_ADDRESS_IN_USE", `${at} is in use`, { remedy, cause });
  }
  const remedy = "correct `cops.listen`: the address must be one of this host's";
  return new SystemError("COPS_BIND", `cannot listen on ${at} (${code})`, { remedy, cause });
}
