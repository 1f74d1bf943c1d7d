/** Server-sent events (HTML Living Standard §9.2): who listens, how many may, and what waits for one that does not read. */
import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../../model/clock.js";
import { seconds } from "../../model/units.js";
import type { AnswerHeaders } from "./headers.js";

/** One event as it is sent; made once for all who get it. */
export type Frame = string & { readonly __frame: true };

/** JSON has no line ends in it, so that one `data:` line is enough. */
export const frameOf = (event: string, value: unknown): Frame => frameOfJson(event, JSON.stringify(value));

/** @param json - the value, as JSON already */
export const frameOfJson = (event: string, json: string): Frame => `event: ${event}\ndata: ${json}\n\n` as Frame;

export interface EventStream {
  readonly user: string;
  /** Sends it now: for what is small, or seldom. */
  send(frame: Frame): void;
  /** Takes frames from `next` as fast as they are read, until there is none; then it is to be called again. For what is long. */
  feed(next: () => Frame | undefined): void;
  end(): void;
}

export interface EventStreamsOptions {
  readonly clock: Clock;
  readonly perUser: number;
  readonly total: number;
  /** Headers of every answer. */
  readonly headers: AnswerHeaders;
  /** Whether the log-in under which a stream was opened still holds. */
  readonly holds: (owner: string) => boolean;
}

export interface StreamOwner {
  readonly user: string;
  /** The log-in. */
  readonly owner: string;
  readonly onClose: () => void;
}

const HEARTBEAT = seconds(15);
const HEARTBEAT_FRAME = ": \n\n" as Frame;
/** Octets that were sent and not fed. */
const WAITING_MAX = 256 * 1024;
/** Heartbeats in a row in which nothing of what waits was read. */
const UNREAD_MAX = 4;

interface Open extends StreamOwner {
  readonly response: ServerResponse;
  unread: number;
  next: (() => Frame | undefined) | undefined;
  isEnding: boolean;
}

export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #open = new Set<Open>();
  readonly #perUser = new Map<string, number>();
  #heartbeat: Timer | undefined;
  #dropped = 0;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
    this.#arm();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Ended because nobody read them. */
  get dropped(): number {
    return this.#dropped;
  }

  mayOpen(user: string): boolean {
    const { perUser, total } = this.#options;
    return (this.#perUser.get(user) ?? 0) < perUser && this.#open.size < total;
  }

  /** Answers with a stream; `owner.onClose` is called once, when it ends for whatever reason. */
  open(response: ServerResponse, owner: StreamOwner): EventStream {
    const open: Open = { ...owner, response, unread: 0, next: undefined, isEnding: false };
    this.#open.add(open);
    this.#perUser.set(owner.user, (this.#perUser.get(owner.user) ?? 0) + 1);
    response.on("close", () => this.#closed(open));
    response.on("drain", () => {
      open.unread = 0;
      pump(open);
    });
    // The limit on silent connections is for requests.
    response.socket?.setTimeout(0);
    const headers = { "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
    response.writeHead(200, { ...this.#options.headers, ...headers });
    response.flushHeaders();
    return {
      user: owner.user,
      send: (frame) => this.#send(open, frame),
      feed: (next) => {
        open.next = next;
        pump(open);
      },
      end: () => end(open),
    };
  }

  /** Ends all of one log-in. */
  endOwner(owner: string): void {
    for (const open of this.#open) if (open.owner === owner) end(open);
  }

  close(): void {
    this.#heartbeat?.cancel();
    for (const open of this.#open) end(open);
  }

  #send(open: Open, frame: Frame): void {
    const { response } = open;
    if (response.destroyed || response.writableEnded) return;
    response.write(frame);
    if (response.writableLength > WAITING_MAX) this.#drop(open);
  }

  #drop({ response }: Open): void {
    if (response.destroyed) return;
    this.#dropped += 1;
    response.destroy();
  }

  #closed(open: Open): void {
    if (!this.#open.delete(open)) return;
    const left = (this.#perUser.get(open.user) ?? 1) - 1;
    if (left === 0) this.#perUser.delete(open.user);
    else this.#perUser.set(open.user, left);
    open.onClose();
  }

  #arm(): void {
    this.#heartbeat = this.#options.clock.after(HEARTBEAT, () => {
      for (const open of [...this.#open]) this.#beat(open);
      this.#arm();
    });
  }

  /** Shows the browser that the stream lives, and this end whether anybody reads and still may. */
  #beat(open: Open): void {
    // The end of it waits behind what is not read.
    if (open.isEnding) this.#drop(open);
    else if (!this.#options.holds(open.owner)) end(open);
    else {
      open.unread = open.response.writableLength > 0 ? open.unread + 1 : 0;
      if (open.unread > UNREAD_MAX) this.#drop(open);
      else this.#send(open, HEARTBEAT_FRAME);
    }
  }
}

/** As much as is read: the next frame is made when the one before has left. */
function pump(open: Open): void {
  const { response } = open;
  while (open.next !== undefined && !response.destroyed && !response.writableEnded && !response.writableNeedDrain) {
    const frame = open.next();
    if (frame === undefined) open.next = undefined;
    else response.write(frame);
  }
}

function end(open: Open): void {
  open.isEnding = true;
  open.response.end();
}
