/**
 * One WebSocket: a message a frame (RFC 7118 §5), pings, and an end to it when its peer is gone, says nothing, does not
 * read, or is nobody's.
 */
import { isUtf8 } from "node:buffer";
import type { WebSocket } from "ws";
import type { Timer } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import { millis } from "../../model/units.js";
import { type ConnectionParts, failLater } from "./connections.js";
import type { Flow } from "./transport.js";

export interface WsConnectionParts extends ConnectionParts {
  readonly socket: WebSocket;
  /** Somebody is registered by it, or nobody need be. */
  readonly isUsed: () => boolean;
}

const PONG = Buffer.from("\r\n");

export class WsConnection {
  private readonly parts: WsConnectionParts;
  private readonly silence: Timer;
  private pingTimer: Timer | undefined;
  private useTimer: Timer | undefined;
  /** Something came since the last ping. */
  private alive = true;

  constructor(parts: WsConnectionParts) {
    this.parts = parts;
    const { socket, clock, limits } = parts;
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
      for (const timer of [this.silence, this.pingTimer, this.useTimer]) timer?.cancel();
      parts.closed();
    });
    this.silence = clock.after(limits.messageTime, () => this.end("slow"));
    this.armPing();
    this.armUse(0);
  }

  get flow(): Flow {
    return this.parts.flow;
  }

  send(octets: Buffer, failed: (cause: Error) => void): void {
    const { socket, limits } = this.parts;
    if (socket.readyState !== socket.OPEN) {
      failLater(failed, new SystemError("SIP_CONNECTION_CLOSED", "the WebSocket is closed"));
      return;
    }
    if (socket.bufferedAmount + octets.length > limits.queueOctets) {
      this.end("overflow");
      failLater(failed, new SystemError("SIP_PEER_SLOW", "the peer does not read what it is sent"));
      return;
    }
    // Text, unless it is not UTF-8 (RFC 7118 §4.2 has both; browsers' libraries like text).
    socket.send(octets, { binary: !isUtf8(octets) }, (error) => {
      if (error !== null && error !== undefined) failed(error);
    });
  }

  private receive(octets: Buffer): void {
    this.alive = true;
    this.silence.cancel();
    const { flow, message } = this.parts;
    // RFC 5626 §3.5.1, as RFC 7118 §6 allows it besides pings.
    if (octets.length <= 4 && octets.equals(Buffer.from("\r\n\r\n"))) this.send(PONG, () => undefined);
    else message(octets, flow.remote, flow.local);
  }

  private armPing(): void {
    const { clock, limits, socket } = this.parts;
    this.pingTimer = clock.after(limits.ping, () => {
      if (!this.alive) return this.end("idle");
      this.alive = false;
      socket.ping();
      this.armPing();
    });
  }

  /** Looked at twice in the time, so that whoever registers again a moment late stays. */
  private armUse(missed: number): void {
    const { clock, limits, isUsed } = this.parts;
    this.useTimer = clock.after(millis(limits.unregistered / 2), () => {
      const now = isUsed() ? 0 : missed + 1;
      if (now === 2) this.end("unregistered");
      else this.armUse(now);
    });
  }

  private end(why: "slow" | "overflow" | "idle" | "unregistered"): void {
    this.parts.counters[why] += 1;
    this.parts.socket.terminate();
  }
}
