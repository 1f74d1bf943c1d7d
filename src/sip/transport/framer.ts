/**
 * Cuts a stream into messages by Content-Length (RFC 3261 §18.3). Pure but for what it holds. Every octet is copied and
 * looked at a bounded number of times, however the stream is cut into segments; what is too large is refused before it
 * is held.
 */
import { parseNumber } from "../message/grammar.js";
import { parseHeaderLine } from "../message/header-line.js";
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from "../message/limits.js";

export type Frame =
  | { readonly kind: "message"; readonly octets: Buffer }
  /** Two line ends between messages: answered with one (RFC 5626 §3.5.1). */
  | { readonly kind: "ping" }
  /**
   * Nobody can tell where the next message begins: nothing follows this. `octets`: the head, if it can be answered; its
   * body is missing.
   */
  | { readonly kind: "broken"; readonly reason: FramingFault; readonly octets?: Buffer };

/** `head`: no end of the header fields within the limit. `length`: Content-Length missing, unreadable, or too large. */
export type FramingFault = "head" | "length";

export interface FramerLimits {
  /** Octets of start line and header fields. */
  readonly headOctets: number;
  /** Octets of the body. */
  readonly bodyOctets: number;
}

/** No datagram holds more, so that what comes by stream may go on over UDP. */
export const framerLimits = (limits: MessageLimits = DEFAULT_MESSAGE_LIMITS): FramerLimits => ({
  headOctets: Math.min(limits.messageOctets, 2 * limits.headerOctets),
  bodyOctets: limits.messageOctets,
});

const CR = 0x0d;
const LF = 0x0a;
const FIRST_CAPACITY = 4096;

export class StreamFramer {
  private readonly limits: FramerLimits;
  private held = Buffer.alloc(0);
  private start = 0;
  private end = 0;
  /** Where the search for the end of the head goes on. */
  private searched = 0;
  /** Octets of the message that begins at `start`, once its head is read. */
  private total: number | undefined;
  private broken = false;

  constructor(limits: FramerLimits = framerLimits()) {
    this.limits = limits;
  }

  /** A message has begun and is not whole; line ends before it do not count. */
  get isAmid(): boolean {
    return this.end - this.start > 3 || (this.end > this.start && this.held[this.start] !== CR);
  }

  /** What the stream's next octets complete. Nothing comes after `broken`. */
  *push(segment: Buffer): Generator<Frame> {
    if (this.broken) return;
    this.hold(segment);
    for (let frame = this.next(); frame !== undefined; frame = this.next()) {
      yield frame;
      if (frame.kind !== "broken") continue;
      this.broken = true;
      this.drop();
      return;
    }
    if (this.start === this.end) this.drop();
  }

  private next(): Frame | undefined {
    if (this.total === undefined) {
      const before = this.betweenMessages();
      if (before !== "message") return before;
      const head = this.findHead();
      if (typeof head !== "number") return head;
      const body = bodyLength(this.held.toString("latin1", this.start, head));
      if (body === undefined || body > this.limits.bodyOctets) {
        return { kind: "broken", reason: "length", octets: Buffer.from(this.held.subarray(this.start, head)) };
      }
      this.total = head - this.start + body;
    }
    if (this.end - this.start < this.total) return undefined;
    const octets = Buffer.from(this.held.subarray(this.start, this.start + this.total));
    this.skip(this.total);
    this.total = undefined;
    return { kind: "message", octets };
  }

  /** §7.5: line ends before a start line are no part of it. A single one is the answer to a ping of ours. */
  private betweenMessages(): Frame | "message" | undefined {
    while (this.end - this.start >= 2 && this.held[this.start] === CR && this.held[this.start + 1] === LF) {
      const left = this.end - this.start;
      // The second half of a ping may be in the next segment.
      if (left === 2 || (left === 3 && this.held[this.start + 2] === CR)) return undefined;
      const isPing = this.held[this.start + 2] === CR && this.held[this.start + 3] === LF;
      this.skip(isPing ? 4 : 2);
      if (isPing) return { kind: "ping" };
    }
    const isEmpty = this.start === this.end || (this.end - this.start === 1 && this.held[this.start] === CR);
    return isEmpty ? undefined : "message";
  }

  /** Index after the blank line. */
  private findHead(): number | Frame | undefined {
    const at = this.held.subarray(0, this.end).indexOf("\r\n\r\n", this.searched, "latin1");
    const length = (at < 0 ? this.end : at + 4) - this.start;
    if (length > this.limits.headOctets) return { kind: "broken", reason: "head" };
    this.searched = Math.max(this.start, this.end - 3);
    return at < 0 ? undefined : at + 4;
  }

  private skip(octets: number): void {
    this.start += octets;
    this.searched = this.start;
  }

  private hold(segment: Buffer): void {
    const kept = this.end - this.start;
    if (this.end + segment.length > this.held.length) {
      const needed = kept + segment.length;
      // Doubled, so that a message in many segments is copied a bounded number of times.
      const room = needed > this.held.length / 2 ? Buffer.alloc(Math.max(FIRST_CAPACITY, needed * 2)) : this.held;
      this.held.copy(room, 0, this.start, this.end);
      this.held = room;
      this.searched -= this.start;
      this.start = 0;
      this.end = kept;
    }
    segment.copy(this.held, this.end);
    this.end += segment.length;
  }

  /** An idle connection holds no memory. */
  private drop(): void {
    this.held = Buffer.alloc(0);
    this.start = 0;
    this.end = 0;
    this.searched = 0;
  }
}

/** The value of Content-Length; undefined if there is none, or if there are several that differ. */
function bodyLength(head: string): number | undefined {
  let found: string | undefined;
  for (const raw of head.split(/\r\n(?![ \t])/)) {
    if (!/^[cl]/i.test(raw)) continue;
    const line = parseHeaderLine(raw);
    if (line?.key !== "content-length") continue;
    if (found !== undefined && found !== line.value) return undefined;
    found = line.value;
  }
  return parseNumber(found ?? "", 0, Number.MAX_SAFE_INTEGER);
}
