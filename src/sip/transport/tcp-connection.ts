/** One TCP connection: messages out of its octets, and an end to it when its peer is slow, silent or wrong. */
import type { Socket } from "node:net";
import type { Timer } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import { type Millis, millis } from "../../model/units.js";
import { type ConnectionParts, failLater } from "./connections.js";
import { type Frame, type FramerLimits, StreamFramer } from "./framer.js";
import type { Flow } from "./transport.js";

export interface TcpConnectionParts extends ConnectionParts {
  readonly socket: Socket;
  /** The other side opened it, and has not said anything sensible yet. */
  readonly accepted: boolean;
  readonly framing: FramerLimits;
}

const PONG = Buffer.from("\r\n");

export class TcpConnection {
  private readonly parts: TcpConnectionParts;
  private readonly framer: StreamFramer;
  private messageTimer: Timer | undefined;
  private readerTimer: Timer | undefined;
  private idleTimer: Timer | undefined;
  /** Epoch ms. */
  private used: number;

  constructor(parts: TcpConnectionParts) {
    this.parts = parts;
    this.framer = new StreamFramer(parts.framing);
    this.used = parts.clock.now();
    const { socket, limits } = parts;
    socket.setNoDelay(true);
    // A peer that is gone without a word is found out before a request waits for it in vain.
    socket.setKeepAlive(true, limits.idle / 4);
    socket.on("data", (segment: Buffer) => this.receive(segment));
    socket.on("drain", () => this.readerTimer?.cancel());
    // What failed is told to each send, and `close` follows.
    socket.on("error", () => undefined);
    socket.on("close", () => this.onClosed());
    if (parts.accepted) this.armMessageTimer();
    this.armIdle(limits.idle);
  }

  get flow(): Flow {
    return this.parts.flow;
  }

  send(octets: Buffer, failed: (cause: Error) => void): void {
    const { socket, limits, counters } = this.parts;
    if (socket.destroyed || socket.writableEnded) {
      failLater(failed, new SystemError("SIP_CONNECTION_CLOSED", "the connection is closed"));
      return;
    }
    if (socket.writableLength + octets.length > limits.queueOctets) {
      counters.overflow += 1;
      socket.destroy();
      failLater(failed, new SystemError("SIP_PEER_SLOW", "the peer does not read what it is sent"));
      return;
    }
    this.used = this.parts.clock.now();
    const isTaken = socket.write(octets, (error) => {
      if (error !== null && error !== undefined) failed(error);
    });
    if (!isTaken) this.armReaderTimer();
  }

  destroy(): void {
    this.parts.socket.destroy();
  }

  private receive(segment: Buffer): void {
    for (const frame of this.framer.push(segment)) {
      if (this.parts.socket.destroyed) return;
      this.messageTimer?.cancel();
      this.messageTimer = undefined;
      this.used = this.parts.clock.now();
      this.take(frame);
    }
    if (this.framer.isAmid && !this.parts.socket.destroyed) this.armMessageTimer();
  }

  private take(frame: Frame): void {
    const { socket, flow, message, counters } = this.parts;
    switch (frame.kind) {
      case "ping":
        this.send(PONG, () => undefined);
        return;
      case "message":
        message(frame.octets, flow.remote, flow.local);
        return;
      case "broken":
        counters.broken += 1;
        if (frame.octets !== undefined) message(frame.octets, flow.remote, flow.local);
        // The answer, if there is one, is written before; what else comes is not looked at.
        socket.end();
        this.armMessageTimer();
    }
  }

  private armMessageTimer(): void {
    const { clock, limits, counters, socket } = this.parts;
    this.messageTimer ??= clock.after(limits.messageTime, () => {
      counters.slow += 1;
      socket.destroy();
    });
  }

  private armReaderTimer(): void {
    const { clock, limits, counters, socket } = this.parts;
    this.readerTimer?.cancel();
    this.readerTimer = clock.after(limits.messageTime, () => {
      counters.slow += 1;
      socket.destroy();
    });
  }

  /** One timer, not a new one for each message. */
  private armIdle(wait: Millis): void {
    const { clock, limits, counters, socket } = this.parts;
    this.idleTimer = clock.after(wait, () => {
      const left = this.used + limits.idle - clock.now();
      if (left > 0) return this.armIdle(millis(left));
      counters.idle += 1;
      socket.destroy();
    });
  }

  private onClosed(): void {
    for (const timer of [this.messageTimer, this.readerTimer, this.idleTimer]) timer?.cancel();
    this.parts.closed();
  }
}
