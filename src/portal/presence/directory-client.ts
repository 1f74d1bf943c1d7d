/**
 * Asks a directory of nick names: PUT <url>/<nick> {aor, online}; GET <url>?online=1 → {entries: [{nick, aor, online, since}]}. Where
 * the answer has an ETag, the next question waits at the directory until there is something new.
 */
import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import { request as requestTls, Agent as TlsAgent } from "node:https";
import { z } from "zod";
import { domainOf } from "../../model/address-of-record.js";
import { SystemError } from "../../model/errors.js";
import { isNickName } from "../../model/nick-name.js";
import { type Millis, millis, type Timestamp } from "../../model/units.js";

export interface DirectoryEntry {
  readonly nick: string;
  readonly aor: string;
  readonly since: Timestamp;
}

export interface Directory {
  /** `taken`: the nick name is another provider's. @throws SystemError DIRECTORY_* */
  put(nick: string, entry: { readonly aor: string; readonly online: boolean }): Promise<"kept" | "taken">;
  /**
   * Who is on-line anywhere; the same list as before where nothing has changed, then after `wait` if the directory can wait.
   * @throws SystemError DIRECTORY_*
   */
  online(wait?: Millis): Promise<readonly DirectoryEntry[]>;
  /** Whether it waits: then it may be asked again as soon as it has answered. */
  readonly waits: boolean;
  close(): void;
}

const TIMEOUT = millis(4000);
/** Users of all domains, and of one: no provider hides those of others by having too many. */
const ENTRIES_MAX = 20_000;
const ENTRIES_OF_DOMAIN = 10_000;
/** Octets: as many entries as there may be, each as long as it may be. */
const ANSWER_MAX = 12 * 1024 * 1024;
const SOCKETS = 4;

/** Of other providers, and so not to be trusted. */
const entryKeys = z.object({
  nick: z.string().max(256).refine(isNickName),
  aor: z.string().regex(/^[^\s@<>"]{1,64}@[^\s@<>"]{1,253}$/),
  online: z.literal(true),
  since: z.number().nonnegative().default(0),
});
const answerKeys = z.object({ entries: z.array(z.unknown()) });

interface Question {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the directory may take to answer it beyond what any answer takes. */
  readonly wait?: Millis;
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly tag: string | undefined;
}

export class DirectoryClient implements Directory {
  readonly #url: URL;
  readonly #agent: Agent | TlsAgent;
  readonly #timeout: Millis;
  #known: { readonly tag: string; readonly entries: readonly DirectoryEntry[] } | undefined;

  constructor(url: string, timeout: Millis = TIMEOUT) {
    this.#url = new URL(url);
    this.#timeout = timeout;
    const pool = { keepAlive: true, maxSockets: SOCKETS };
    this.#agent = this.#url.protocol === "https:" ? new TlsAgent(pool) : new Agent(pool);
  }

  get waits(): boolean {
    return this.#known !== undefined;
  }

  async put(
    nick: string,
    { aor, online }: { readonly aor: string; readonly online: boolean },
  ): Promise<"kept" | "taken"> {
    const path = `${this.#url.pathname.replace(/\/$/, "")}/${encodeURIComponent(nick)}`;
    const { status } = await this.#ask({ method: "PUT", path, body: JSON.stringify({ aor, online }) });
    if (status === 409) return "taken";
    if (status >= 200 && status < 300) return "kept";
    throw new SystemError("DIRECTORY_REFUSED", `the directory answered ${status}`);
  }

  async online(wait: Millis = millis(0)): Promise<readonly DirectoryEntry[]> {
    const known = this.#known;
    const headers =
      known === undefined ? {} : { "if-none-match": known.tag, prefer: `wait=${Math.floor(wait / 1000)}` };
    const path = `${this.#url.pathname}?online=1`;
    const { status, text, tag } = await this.#ask({ method: "GET", path, headers, wait });
    if (status === 304 && known !== undefined) return known.entries;
    if (status !== 200) throw new SystemError("DIRECTORY_REFUSED", `the directory answered ${status}`);
    const entries = readEntries(text);
    this.#known = tag === undefined ? undefined : { tag, entries };
    return entries;
  }

  close(): void {
    this.#agent.destroy();
  }

  #ask({ method, path, body, headers = {}, wait = millis(0) }: Question): Promise<Reply> {
    const { protocol, hostname, port } = this.#url;
    const content =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const options: RequestOptions = {
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port,
      path,
      method,
      agent: this.#agent,
      headers: { ...headers, ...content },
    };
    return new Promise((resolve, reject) => {
      const failed = (cause: unknown): void =>
        reject(new SystemError("DIRECTORY_UNREACHABLE", "the directory does not answer", { cause }));
      const open = protocol === "https:" ? requestTls : request;
      const asked = open(options, (response) => {
        const { statusCode: status = 0, headers: answered } = response;
        readText(response).then((text) => resolve({ status, text, tag: answered.etag }), failed);
      });
      // For the whole exchange: one that dribbles is as good as none.
      const deadline = setTimeout(() => asked.destroy(new Error("it took too long")), this.#timeout + wait);
      deadline.unref();
      asked.on("error", failed);
      asked.on("close", () => clearTimeout(deadline));
      asked.end(body);
    });
  }
}

function readEntries(text: string): readonly DirectoryEntry[] {
  const parsed = answerKeys.safeParse(parseJson(text));
  if (!parsed.success) throw new SystemError("DIRECTORY_ANSWER", "the directory's answer is not understood");
  const ofDomain = new Map<string, number>();
  const entries: DirectoryEntry[] = [];
  for (const each of parsed.data.entries) {
    // One provider's nonsense hides nobody of another's.
    const { data: entry } = entryKeys.safeParse(each);
    if (entry === undefined) continue;
    const { nick, aor, since } = entry;
    const domain = domainOf(aor).toLowerCase();
    const count = ofDomain.get(domain) ?? 0;
    if (count >= ENTRIES_OF_DOMAIN) continue;
    if (entries.length >= ENTRIES_MAX) break;
    ofDomain.set(domain, count + 1);
    entries.push({ nick, aor, since: since as Timestamp });
  }
  return entries;
}

async function readText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > ANSWER_MAX) throw new Error("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
