/**
 * The messages of every session, one JSON object a line, in files that are bounded in size: what
 * `sluice trace` reads. Survives restarts. A disk that fails costs events, never a session.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, SYSTEM_CLOCK } from "../model/clock.js";
import { SystemError } from "../model/errors.js";
import type { MessageEvent, MessageLog } from "../model/event.js";
import type { Logger } from "../model/log.js";
import { parseSessionId, type SessionId } from "../model/session.js";
import { type Octets, octets, seconds } from "../model/units.js";
import { parseAliasLine, parseEventLine } from "./event-lines.js";
import { createLimitedWarn, type LimitedWarn } from "./limited.js";

export interface EventLogOptions {
  /** The role's state directory; made if missing. */
  readonly directory: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** A file that has grown to this is set aside. Default 8 MiB. */
  readonly maxFile?: Octets;
  /** Files kept beside the current one. Default 3. */
  readonly keep?: number;
}

const FILE = "events.jsonl";
const CHUNK = 256 * 1024;
/** No event is longer; a longer line is damage and is skipped. */
const LINE_MAX = 4096;
/** Most events that one query gives: a ladder has some fifty. */
const QUERY_MAX = 10_000;

export class EventLog {
  readonly #options: Required<EventLogOptions>;
  readonly #warn: LimitedWarn;
  #file: number | undefined;
  #size = 0;
  #pending: string[] = [];
  #flushing: NodeJS.Immediate | undefined;

  /** @throws SystemError if the directory or file cannot be made */
  constructor(options: EventLogOptions) {
    this.#options = { clock: SYSTEM_CLOCK, maxFile: octets(8 * 1024 * 1024), keep: 3, ...options };
    this.#warn = createLimitedWarn(options.log, { clock: this.#options.clock, every: seconds(60) });
    try {
      mkdirSync(options.directory, { recursive: true, mode: 0o700 });
      this.#open();
    } catch (error) {
      const remedy = "make the directory writable for this user, or correct `state:`";
      throw new SystemError("STATE_UNWRITABLE", `cannot write ${this.#path(0)}`, { remedy, cause: error });
    }
  }

  /** Takes a message; it is in the file before the event loop turns twice. */
  readonly record: MessageLog = (event) => {
    this.#push(JSON.stringify({ at: this.#options.clock.now(), ...event }));
  };

  /** Remembers which session a Call-ID belongs to, so that operators may ask by it. */
  alias(callId: string, session: SessionId): void {
    this.#push(JSON.stringify({ callId, is: session }));
  }

  /** The session that `text` names: an id, or a Call-ID told to `alias`. Of several dialogs the latest. */
  async resolve(text: string): Promise<SessionId | undefined> {
    const id = parseSessionId(text);
    if (id !== undefined) return id;
    let found: SessionId | undefined;
    await this.#scan(JSON.stringify(text), (line) => {
      const alias = parseAliasLine(line);
      if (alias?.callId === text) found = alias.session;
    });
    return found;
  }

  /** The events of a session, oldest first. */
  async query(session: SessionId): Promise<MessageEvent[]> {
    const events: MessageEvent[] = [];
    await this.#scan(`"${session}"`, (line) => {
      const event = parseEventLine(line);
      if (event?.session === session && events.length < QUERY_MAX) events.push(event);
    });
    return events;
  }

  /** Writes what is waiting, and closes the file. */
  close(): void {
    this.#flush();
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #path(age: number): string {
    return join(this.#options.directory, age === 0 ? FILE : `events.${age}.jsonl`);
  }

  #push(line: string): void {
    if (line.length > LINE_MAX) return;
    this.#pending.push(line);
    // One write for all messages of this turn of the event loop.
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  #open(): void {
    this.#file = openSync(this.#path(0), "a+", 0o600);
    this.#size = fstatSync(this.#file).size;
    if (this.#size === 0) return;
    // A process killed while writing leaves half a line: end it, or the next event would be lost with it.
    const last = Buffer.alloc(1);
    readSync(this.#file, last, 0, 1, this.#size - 1);
    if (last[0] !== 0x0a) this.#size += writeSync(this.#file, "\n");
  }

  #flush(): void {
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#pending.length === 0) return;
    const text = `${this.#pending.join("\n")}\n`;
    this.#pending = [];
    try {
      if (this.#file === undefined) this.#open();
      if (this.#size >= this.#options.maxFile) this.#rotate();
      if (this.#file !== undefined) this.#size += writeSync(this.#file, text);
    } catch (error) {
      this.#warn("events.lost", this.#path(0), { error });
    }
  }

  #rotate(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    rmSync(this.#path(this.#options.keep), { force: true });
    for (let age = this.#options.keep - 1; age >= 0; age -= 1) {
      try {
        renameSync(this.#path(age), this.#path(age + 1));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      }
    }
    this.#open();
  }

  async #scan(needle: string, take: (line: string) => void): Promise<void> {
    this.#flush();
    for (let age = this.#options.keep; age >= 0; age -= 1) await scanFile(this.#path(age), needle, take);
  }
}

/** Gives the lines that contain `needle`. Reads in pieces, so that the event loop goes on. */
async function scanFile(path: string, needle: string, take: (line: string) => void): Promise<void> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return;
  try {
    const buffer = Buffer.alloc(CHUNK + LINE_MAX);
    let held = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, held, CHUNK, null);
      if (bytesRead === 0) return;
      const end = held + bytesRead;
      const complete = buffer.lastIndexOf(0x0a, end - 1) + 1;
      takeLines(buffer.subarray(0, complete), needle, take);
      // Half a line waits for the next piece; one too long to be an event is dropped.
      held = end - complete > LINE_MAX ? 0 : end - complete;
      buffer.copyWithin(0, end - held, end);
    }
  } finally {
    await file.close();
  }
}

function takeLines(lines: Buffer, needle: string, take: (line: string) => void): void {
  let from = lines.indexOf(needle);
  while (from >= 0) {
    const start = lines.lastIndexOf(0x0a, from) + 1;
    const newline = lines.indexOf(0x0a, from);
    take(lines.toString("utf8", start, newline));
    from = lines.indexOf(needle, newline);
  }
}
