/** Asks a directory of nick names: PUT <url>/<nick> {aor, online}; GET <url>?online=1 → {entries: [{nick, aor, online, since}]}. */
import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import { request as requestTls, Agent as TlsAgent } from "node:https";
import { z } from "zod";
import { SystemError } from "../../model/errors.js";
import { type Millis, millis, type Timestamp } from "../../model/units.js";

export interface DirectoryEntry {
  readonly nick: string;
  readonly aor: string;
  readonly since: Timestamp;
}

export interface Directory {
  /** `taken`: the nick name is another provider's. @throws SystemError DIRECTORY_* */
  put(nick: string, entry: { readonly aor: string; readonly online: boolean }): Promise<"kept" | "taken">;
  /** Who is on-line anywhere. @throws SystemError DIRECTORY_* */
  online(): Promise<readonly DirectoryEntry[]>;
  close(): void;
}

const TIMEOUT = millis(4000);
const ANSWER_MAX = 4 * 1024 * 1024;
const SOCKETS = 4;

/** Of other providers, and so not to be trusted: control characters and marks up have no place in either. */
const entryKeys = z.object({
  nick: z.string().regex(/^[^\p{Cc}<>"]{1,64}$/u),
  aor: z.string().regex(/^[^\s@<>"]{1,64}@[^\s@<>"]{1,253}$/),
  online: z.literal(true),
  since: z.number().nonnegative().default(0),
});
const answerKeys = z.object({ entries: z.array(z.unknown()).max(20_000) });

export class DirectoryClient implements Directory {
  readonly #url: URL;
  readonly #agent: Agent | TlsAgent;
  readonly #timeout: Millis;

  constructor(url: string, timeout: Millis = TIMEOUT) {
    this.#url = new URL(url);
    this.#timeout = timeout;
    const pool = { keepAlive: true, maxSockets: SOCKETS };
    this.#agent = this.#url.protocol === "https:" ? new TlsAgent(pool) : new Agent(pool);
  }

  async put(
    nick: string,
    { aor, online }: { readonly aor: string; readonly online: boolean },
  ): Promise<"kept" | "taken"> {
    const path = `${this.#url.pathname.replace(/\/$/, "")}/${encodeURIComponent(nick)}`;
    const { status } = await this.#ask("PUT", path, JSON.stringify({ aor, online }));
    if (status === 409) return "taken";
    if (status >= 200 && status < 300) return "kept";
    throw new SystemError("DIRECTORY_REFUSED", `the directory answered ${status}`);
  }

  async online(): Promise<readonly DirectoryEntry[]> {
    const { status, text } = await this.#ask("GET", `${this.#url.pathname}?online=1`);
    if (status !== 200) throw new SystemError("DIRECTORY_REFUSED", `the directory answered ${status}`);
    const parsed = answerKeys.safeParse(parseJson(text));
    if (!parsed.success) throw new SystemError("DIRECTORY_ANSWER", "the directory's answer is not understood");
    // One provider's nonsense hides nobody of another's.
    return parsed.data.entries.flatMap((each) => {
      const { data: entry } = entryKeys.safeParse(each);
      return entry === undefined ? [] : [{ nick: entry.nick, aor: entry.aor, since: entry.since as Timestamp }];
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #ask(method: string, path: string, body?: string): Promise<{ readonly status: number; readonly text: string }> {
    const { protocol, hostname, port } = this.#url;
    const content =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const options: RequestOptions = {
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port,
      path,
      method,
      agent: this.#agent,
      headers: content,
    };
    return new Promise((resolve, reject) => {
      const failed = (cause: unknown): void =>
        reject(new SystemError("DIRECTORY_UNREACHABLE", "the directory does not answer", { cause }));
      const open = protocol === "https:" ? requestTls : request;
      const asked = open(options, (response) => {
        readText(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), failed);
      });
      // For the whole exchange: one that dribbles is as good as none.
      const deadline = setTimeout(() => asked.destroy(new Error("it took too long")), this.#timeout);
      deadline.unref();
      asked.on("error", failed);
      asked.on("close", () => clearTimeout(deadline));
      asked.end(body);
    });
  }
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
