/**
 * Nick names that a directory knows: whose they are, and whether they are on-line. Asked over HTTP, `GET <url>/<nick>`, with
 * limits on everything that its answer can cost.
 */
import type { Clock } from "../../model/clock.js";
import { ProtocolError } from "../../model/errors.js";
import { type Millis, seconds, type Timestamp } from "../../model/units.js";
import { aorOf } from "../registrar/register-request.js";

export interface DirectoryEntry {
  /** SIP URI of the user. */
  readonly aor: string;
  readonly online: boolean;
}

export interface Directory {
  /**
   * Undefined if nobody has the name.
   * @throws ProtocolError SIP_DIRECTORY if it cannot be asked, or says nothing that can be used
   */
  find(nick: string): Promise<DirectoryEntry | undefined>;
}

export interface HttpDirectoryOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly timeout?: Millis;
  /** How long an answer holds, also that there is nobody. */
  readonly keep?: Millis;
  /** Answers kept, and questions under way. */
  readonly limits?: { readonly kept: number; readonly asked: number };
}

const TIMEOUT = seconds(2);
const KEEP = seconds(5);
const LIMITS = { kept: 10_000, asked: 64 };
const MAX_ANSWER = 4096;
const MAX_NICK = 64;

interface Kept {
  readonly until: Timestamp;
  readonly entry: DirectoryEntry | undefined;
}

export class HttpDirectory implements Directory {
  private readonly options: HttpDirectoryOptions;
  private readonly kept = new Map<string, Kept>();
  private readonly asked = new Map<string, Promise<DirectoryEntry | undefined>>();

  constructor(options: HttpDirectoryOptions) {
    this.options = options;
  }

  async find(nick: string): Promise<DirectoryEntry | undefined> {
    // Dots alone are no name but a way to another path.
    if (nick.length > MAX_NICK || /^\.*$/.test(nick)) return undefined;
    const known = this.kept.get(nick);
    if (known !== undefined && known.until > this.options.clock.now()) return known.entry;
    const { asked: limit } = this.options.limits ?? LIMITS;
    const before = this.asked.get(nick);
    if (before !== undefined) return before;
    if (this.asked.size >= limit) throw unusable("too many questions are under way");
    const question = this.ask(nick).finally(() => this.asked.delete(nick));
    this.asked.set(nick, question);
    return question;
  }

  private async ask(nick: string): Promise<DirectoryEntry | undefined> {
    const { url, timeout = TIMEOUT } = this.options;
    const signal = AbortSignal.timeout(timeout);
    try {
      const place = `${url.replace(/\/+$/, "")}/${encodeURIComponent(nick)}`;
      const headers = { accept: "application/json" };
      const response = await fetch(place, { signal, redirect: "error", headers });
      if (response.status === 404) {
        await response.body?.cancel();
        return this.remember(nick, undefined);
      }
      if (!response.ok) {
        await response.body?.cancel();
        throw unusable(`it answered ${response.status}`);
      }
      return this.remember(nick, entryOf(await limitedText(response)));
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      throw unusable(error instanceof Error ? error.message : String(error), error);
    }
  }

  private remember(nick: string, entry: DirectoryEntry | undefined): DirectoryEntry | undefined {
    const { clock, keep = KEEP, limits = LIMITS } = this.options;
    this.kept.delete(nick);
    const [oldest] = this.kept.keys();
    if (this.kept.size >= limits.kept && oldest !== undefined) this.kept.delete(oldest);
    this.kept.set(nick, { until: (clock.now() + keep) as Timestamp, entry });
    return entry;
  }
}

async function limitedText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > MAX_ANSWER) throw unusable("its answer is too long");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function entryOf(text: string): DirectoryEntry {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unusable("its answer is no JSON", cause);
  }
  const { aor, online } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof aor !== "string" || typeof online !== "boolean") throw unusable("its answer names no user");
  const uri = aor.startsWith("sip:") ? aor : `sip:${aor}`;
  if (aorOf(uri) === undefined) throw unusable("what it names is no SIP user");
  return { aor: uri, online };
}

const unusable = (why: string, cause?: unknown): ProtocolError =>
  new ProtocolError("SIP_DIRECTORY", `the directory cannot be used: ${why}`, {
    cause,
    remedy: "check `sip.directory`, and that its server runs",
  });
