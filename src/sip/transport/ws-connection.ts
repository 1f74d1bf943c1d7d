/** One WebSocket: a message a frame (RFC 7118 §5), pings, and an end to it when its peer is gone or does not read. */
import { isUtf8 } from "node:buffer";
import type { WebSocket } from "ws";
import type { Clock, Timer } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import type { ConnectionCounters, ConnectionLimits } from "./limits.js";
import type { Flow, MessageHandler } from "./transport.js";

export interface WsConnectionParts {
  readonly flow: Flow;
  readonly socket: WebSocket;
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly counters: ConnectionCounters;
  readonly message: MessageHandler;
  /** Called once. */
  readonly closed: () => void;
}

const PONG = Buffer.from("\r\n");

export class WsConnection {
  private readonly parts: WsConnectionParts;
  private timer: Timer | undefined;
  /** Something came since the last ping. */
  private alive = true;

  constructor(parts: WsConnectionParts) {
    this.parts = parts;
    const { socket } = parts;
    // As one Buffer, whatever fragments it came in.
    socket.binaryType = "nodebuffer";
    socket.on("message", (data) => this.receive(data as Buffer));
    socket.on("pong", () => {
      this.alive = true;
    });
    // A frame that is too large or broken: `ws` closes with the status that RFC 6455 §7.4.1 has for it.
    socket.on("error", () => {
      parts.counters.broken += 1;
    });
    socket.on("close", () => {
      this.timer?.cancel();
      parts.closed();
    });
    this.armPing();
  }

  get flow(): Flow {
    return this.parts.flow;
  }

  send(octets: Buffer, failed: (cause: Error) => void): void {
    const { socket, limits, counters } = this.parts;
    if (socket.readyState !== socket.OPEN) {
      queueMicrotask(() => failed(new SystemError("SIP_CONNECTION_CLOSED", "the WebSocket is closed")));
      return;
    }
    if (socket.bufferedAmount + octets.length > limits.queueOctets) {
      counters.overflow += 1;
      socket.terminate();
      queueMicrotask(() => failed(new SystemError("SIP_PEER_SLOW", "the peer does not read what it is sent")));
      return;
    }
    // Text, unless it is not UTF-8 (RFC 7118 §4.2 has both; browsers' libraries like text).
    socket.send(octets, { binary: !isUtf8(octets) }, (error) => {
      if (error !== null && error !== undefined) failed(error);
    });
  }

  private receive(octets: Buffer): void {
    this.alive = true;
    const { flow, message } = this.parts;
    // RFC 5626 §3.5.1, as RFC 7118 §6 allows it besides pings.
    if (octets.length <= 4 && octets.equals(Buffer.from("\r\n\r\n"))) this.send(PONG, () => undefined);
    else message(octets, flow.remote, flow.local);
  }

  private armPing(): void {
    const { clock, limits, socket, counters } = this.parts;
    this.timer = clock.after(limits.ping, () => {
      if (!this.alive) {
        counters.idle += 1;
        socket.terminate();
        return;
      }
      this.alive = false;
      socket.ping();
      this.armPing();
    });
  }
}
