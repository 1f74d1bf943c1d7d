/** Cuts a TCP stream into COPS messages, at any segmentation, in time linear in the octets. */
import { CopsDecodeError } from "./errors.js";
import { type CopsHeader, HEADER_LENGTH, readHeader } from "./header.js";

export interface FrameReaderOutput {
  /** Complete messages, in order. Each is a copy: nothing of the chunk is kept alive by it. */
  readonly frames: readonly Buffer[];
  /** Set once framing is lost; the frames before it are good, and no more will come. */
  readonly error?: CopsDecodeError;
}

const FIRST_ALLOCATION = 4096;

/**
 * The length is checked as soon as the header is there. Memory follows what has arrived, never what
 * is announced, so that a peer cannot make us hold more than twice what it sent.
 */
export class FrameReader {
  readonly #maxMessage: number;
  #buffer: Buffer = Buffer.alloc(HEADER_LENGTH);
  #filled = 0;
  #header: CopsHeader | undefined;
  #error: CopsDecodeError | undefined;

  /** @param maxMessage - octets, header included */
  constructor(maxMessage: number) {
    this.#maxMessage = maxMessage;
  }

  /** Octets of a message that has begun and is not complete. */
  get pending(): number {
    return this.#filled;
  }

  push(chunk: Buffer): FrameReaderOutput {
    const frames: Buffer[] = [];
    let offset = 0;
    try {
      while (this.#error === undefined && offset < chunk.length) offset = this.#take(chunk, offset, frames);
    } catch (error) {
      if (!(error instanceof CopsDecodeError)) throw error;
      this.#error = error;
      this.#buffer = Buffer.alloc(0);
    }
    return this.#error === undefined ? { frames } : { frames, error: this.#error };
  }

  /** Moves octets towards the end of the header or of the message, whichever comes next. */
  #take(chunk: Buffer, offset: number, frames: Buffer[]): number {
    const goal = this.#header?.length ?? HEADER_LENGTH;
    const count = Math.min(goal - this.#filled, chunk.length - offset);
    this.#reserve(this.#filled + count, goal);
    chunk.copy(this.#buffer, this.#filled, offset, offset + count);
    this.#filled += count;
    if (this.#filled === goal) this.#header ??= readHeader(this.#buffer, this.#maxMessage);
    if (this.#header !== undefined && this.#filled === this.#header.length) {
      frames.push(this.#buffer.subarray(0, this.#filled));
      this.#buffer = Buffer.alloc(HEADER_LENGTH);
      this.#filled = 0;
      this.#header = undefined;
    }
    return offset + count;
  }

  #reserve(needed: number, goal: number): void {
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.alloc(Math.min(goal, Math.max(needed, this.#buffer.length * 2, FIRST_ALLOCATION)));
    this.#buffer.copy(grown, 0, 0, this.#filled);
    this.#buffer = grown;
  }
}
