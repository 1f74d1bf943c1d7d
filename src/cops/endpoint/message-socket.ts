/** A TCP connection that carries COPS messages: framing, decoding and a bound on what waits to be sent. */
import type { Socket } from "node:net";
import type { Clock, Timer } from "../../model/clock.js";
import { formatEndpoint } from "../../model/ip.js";
import { millis } from "../../model/units.js";
import { decodeMessage } from "../codec/decode.js";
import { encodeMessage } from "../codec/encode.js";
import { CopsDecodeError } from "../codec/errors.js";
import { FrameReader } from "../codec/frame-reader.js";
import type { CopsMessage } from "../codec/message.js";
import type { CopsLimits } from "./limits.js";

/** `address:port` of the two ends. */
export interface ConnectionEnds {
  readonly local: string;
  readonly remote: string;
}

export interface MessageSocketHandlers {
  message(message: CopsMessage): void;
  /** A message that could not be read; if framing is lost no more will come. */
  unreadable(error: CopsDecodeError): void;
  /** The connection is gone; said once, and not after `destroy`. */
  closed(reason: string): void;
}

/** Notices a dead host even where keep-alive messages are off. */
const TCP_KEEP_ALIVE_MS = 10_000;

/** How long a closed connection may take to hand over what was sent last. */
const LINGER = millis(1000);

export interface MessageSocketOptions {
  readonly limits: CopsLimits;
  readonly clock: Clock;
}

export class MessageSocket {
  /** As they were when the connection began: a socket forgets its remote end when it is gone. */
  readonly ends: ConnectionEnds;
  readonly #socket: Socket;
  readonly #limits: CopsLimits;
  readonly #clock: Clock;
  readonly #reader: FrameReader;
  /** Resolves when the TCP connection is gone. */
  readonly #gone: Promise<void>;
  #linger: Timer | undefined;
  #open = true;
  #reason = "closed by the peer";

  constructor(socket: Socket, { limits, clock }: MessageSocketOptions, handlers: MessageSocketHandlers) {
    this.ends = endsOf(socket);
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.#reader = new FrameReader(limits.maxMessage);
    // A decision holds a call up: nothing waits for more to send.
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk, handlers));
    socket.on("error", (error: Error) => {
      this.#reason = error.message;
    });
    this.#gone = new Promise((resolve) => {
      socket.on("close", () => {
        resolve();
        this.#linger?.cancel();
        if (!this.#open) return;
        this.#open = false;
        handlers.closed(this.#reason);
      });
    });
  }

  /**
   * False if nothing was sent: the connection is gone, or the peer has stopped reading and is given up.
   * @throws InternalError if an object cannot hold what it is given
   */
  send(message: CopsMessage): boolean {
    const octets = encodeMessage(message);
    if (!this.#open || this.#socket.destroyed) return false;
    this.#socket.write(octets);
    if (this.#socket.writableLength <= this.#limits.maxPending) return true;
    this.#reason = "the peer does not read";
    this.#socket.destroy();
    return false;
  }

  /**
   * Sends what waits, then closes; `closed` is not called any more. A peer that does not take the rest is not
   * waited for. Resolves when the connection is gone.
   */
  destroy(): Promise<void> {
    this.#open = false;
    if (!this.#socket.closed) this.#linger ??= this.#clock.after(LINGER, () => this.#socket.destroy());
    this.#socket.destroySoon();
    return this.#gone;
  }

  #receive(chunk: Buffer, handlers: MessageSocketHandlers): void {
    const { frames, error } = this.#reader.push(chunk);
    for (const frame of frames) {
      if (!this.#open) return;
      const message = decode(frame);
      if (message instanceof CopsDecodeError) handlers.unreadable(message);
      else handlers.message(message);
    }
    if (error !== undefined && this.#open) handlers.unreadable(error);
  }
}

function endsOf(socket: Socket): ConnectionEnds {
  const { localAddress = "0.0.0.0", localPort = 0, remoteAddress = "0.0.0.0", remotePort = 0 } = socket;
  return { local: formatEndpoint(localAddress, localPort), remote: formatEndpoint(remoteAddress, remotePort) };
}

function decode(frame: Buffer): CopsMessage | CopsDecodeError {
  try {
    return decodeMessage(frame);
  } catch (error) {
    if (error instanceof CopsDecodeError) return error;
    throw error;
  }
}
