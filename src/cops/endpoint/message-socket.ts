/** A TCP connection that carries COPS messages: framing, decoding and a bound on what waits to be sent. */
import type { Socket } from "node:net";
import { formatEndpoint } from "../../model/ip.js";
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

export class MessageSocket {
  readonly #socket: Socket;
  readonly #limits: CopsLimits;
  readonly #reader: FrameReader;
  #open = true;
  #reason = "closed by the peer";

  constructor(socket: Socket, limits: CopsLimits, handlers: MessageSocketHandlers) {
    this.#socket = socket;
    this.#limits = limits;
    this.#reader = new FrameReader(limits.maxMessage);
    // A decision holds a call up: nothing waits for more to send.
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk, handlers));
    socket.on("error", (error: Error) => {
      this.#reason = error.message;
    });
    socket.on("close", () => {
      if (!this.#open) return;
      this.#open = false;
      handlers.closed(this.#reason);
    });
  }

  get ends(): ConnectionEnds {
    const { localAddress = "0.0.0.0", localPort = 0, remoteAddress = "0.0.0.0", remotePort = 0 } = this.#socket;
    return { local: formatEndpoint(localAddress, localPort), remote: formatEndpoint(remoteAddress, remotePort) };
  }

  /** False if the peer has stopped reading: the connection is then given up. */
  send(message: CopsMessage): boolean {
    if (!this.#open) return false;
    this.#socket.write(encodeMessage(message));
    if (this.#socket.writableLength <= this.#limits.maxPending) return true;
    this.#reason = "the peer does not read";
    this.#socket.destroy();
    return false;
  }

  /** Sends what waits, then closes; `closed` is not called any more. */
  destroy(): void {
    this.#open = false;
    this.#socket.end();
    this.#socket.destroySoon();
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

function decode(frame: Buffer): CopsMessage | CopsDecodeError {
  try {
    return decodeMessage(frame);
  } catch (error) {
    if (error instanceof CopsDecodeError) return error;
    throw error;
  }
}
