/** One OSP route over HTTP: sizes and times bounded, everything but a POST to it refused. No OSP inside. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { readBody } from "../http/body.js";
import { ConnectionGate } from "../http/connection-gate.js";
import { closeGently, type ListenAddress, listenOn } from "../http/listening.js";
import type { Clock } from "../model/clock.js";
import { unmapped } from "../model/ip.js";
import type { Logger } from "../model/log.js";
import type { Millis } from "../model/units.js";
import { endOf, type MessageEnds } from "../osp/message-hook.js";

export interface HttpEndpointOptions {
  readonly path: string;
  readonly maxBodyOctets: number;
  /** For a whole body to come in. */
  readonly bodyTimeout: Millis;
  /** Of all; a source may have a quarter of them. */
  readonly maxConnections: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Gives the body of the 200 that answers `body`; what it does after `sent` resolves nothing waits for. */
  readonly answer: (body: Buffer, ends: MessageEnds, address: string) => Promise<{ body: Buffer; sent: () => void }>;
}

/** Clients keep a connection for 60 s: longer here, so that they and not we end it. */
const KEEP_ALIVE = 65_000;
const CLOSE_GRACE = 2000 as Millis;

export class HttpEndpoint {
  readonly #options: HttpEndpointOptions;
  readonly #server: Server;

  constructor(options: HttpEndpointOptions) {
    this.#options = options;
    const limits = {
      keepAliveTimeout: KEEP_ALIVE,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 5000,
      maxHeaderSize: 8192,
    };
    this.#server = createServer(limits, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        options.log.error("clearinghouse.http.failed", { error: String(error) });
        response.destroy();
      });
    });
    this.#server.maxConnections = options.maxConnections;
    const most = Math.ceil(options.maxConnections / 4);
    new ConnectionGate(this.#server, { mostOf: () => most });
  }

  /** @throws SystemError LISTEN_* if the address cannot be had */
  listen(place: ListenAddress): Promise<ListenAddress> {
    return listenOn(this.#server, place);
  }

  /** Takes no more, lets what is being answered finish for a short while, then ends every connection. */
  close(): Promise<void> {
    return closeGently(this.#server, { clock: this.#options.clock, grace: CLOSE_GRACE });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, maxBodyOctets, bodyTimeout, clock } = this.#options;
    const target = request.url?.split("?")[0];
    if (target !== path) return refuse(response, 404);
    if (request.method !== "POST") return refuse(response, 405, { Allow: "POST" });
    if (request.headers["content-encoding"] !== undefined) return refuse(response, 415);
    if (Number(request.headers["content-length"] ?? 0) > maxBodyOctets) return refuse(response, 413);
    const body = await readBody(request, { most: maxBodyOctets, time: bodyTimeout, clock });
    if (typeof body === "number") return refuse(response, body);
    const { socket } = request;
    const peerEnd = endOf(socket.remoteAddress, socket.remotePort);
    const ends = { from: peerEnd, to: endOf(socket.localAddress, socket.localPort) };
    const address = unmapped(socket.remoteAddress ?? "");
    const answer = await this.#options.answer(body, ends, address);
    // Exactly these: deployed clients take no other type, no chunks, and no header past 1024 octets.
    const headers = { "Content-Type": "text/plain", "Content-Length": String(answer.body.length) };
    if (response.destroyed) return;
    response.writeHead(200, headers).end(answer.body);
    answer.sent();
  }
}

/** A transport-level refusal ends the connection: what is left of the request is not read. */
function refuse(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { "Content-Length": "0", Connection: "close", ...headers });
  response.end();
}
