/** Users of a portal with an open page each, who come, go and change their state. */
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

export const ORIGIN = "https://portal.a.example";
export const PASSWORD = "correct horse";

/** A user's browser: one connection for its page's events, and one for what it asks. */
class User {
  readonly #port: number;
  readonly #agent: Agent;
  readonly #name: string;
  #cookie = "";
  #csrf = "";
  #stream: IncomingMessage | undefined;

  constructor(port: number, agent: Agent, name: string) {
    this.#port = port;
    this.#agent = agent;
    this.#name = name;
  }

  async login(): Promise<void> {
    const response = await this.post("/api/login", { user: this.#name, password: PASSWORD });
    this.#cookie = response.cookie;
    this.#csrf = String(JSON.parse(response.text).csrf);
  }

  async post(path: string, body: unknown): Promise<{ readonly text: string; readonly cookie: string }> {
    const content = JSON.stringify(body);
    const headers = { origin: ORIGIN, "content-type": "application/json", "x-csrf-token": this.#csrf };
    const response = await this.#ask("POST", path, headers, content);
    let text = "";
    for await (const part of response) text += String(part);
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${text}`);
    return { text, cookie: response.headers["set-cookie"]?.[0]?.split(";")[0] ?? "" };
  }

  async open(onData: (text: string) => void): Promise<void> {
    const stream = await this.#ask("GET", "/api/events", {}, undefined);
    if (stream.statusCode !== 200) throw new Error(`/api/events: ${stream.statusCode}`);
    stream.on("data", (part) => onData(String(part)));
    stream.on("error", () => undefined);
    this.#stream = stream;
  }

  close(): void {
    this.#stream?.destroy();
  }

  #ask(method: string, path: string, headers: Record<string, string>, body: string | undefined) {
    const isStream = body === undefined;
    return new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request(
        {
          host: "127.0.0.1",
          port: this.#port,
          servername: "localhost",
          agent: isStream ? false : this.#agent,
          rejectUnauthorized: false,
          method,
          path,
          headers: { ...headers, cookie: this.#cookie },
        },
        resolve,
      );
      asked.on("error", reject);
      asked.end(body);
    });
  }
}

/** Log-ins at a time: one is looked at, and two of one source may wait. */
const AT_ONCE = 3;

export class Crowd {
  /** Of the pages, but for the last user's: changes of presence that they have heard of. */
  frames = 0;
  /** Milliseconds from each change to the last user's page. */
  readonly delays: number[] = [];
  readonly #users: readonly User[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  /** What the last user's page has not heard of: when it was changed. */
  readonly #changed = new Map<string, number>();

  constructor(port: number, users: number) {
    this.#users = Array.from({ length: users }, (_, index) => new User(port, this.#agent, `u${index}`));
  }

  /** All of them log in and open their pages. */
  async come(): Promise<void> {
    await this.#inGroups((user) => user.login());
    const last = this.#users.at(-1);
    await this.#inGroups((user) =>
      user.open((text) => {
        if (user === last) this.#watch(text);
        else this.frames += text.split("event: presence").length - 1;
      }),
    );
  }

  /** So many changes of state a second, by the first half of the users; of the others, one goes and one comes with every fifth. */
  async churn(seconds: number, perSecond: number): Promise<void> {
    const states = ["busy", "away", "online"] as const;
    const half = this.#users.length / 2;
    const until = performance.now() + seconds * 1000;
    for (let change = 0; performance.now() < until; change += 1) {
      const tick = performance.now();
      const index = change % half;
      const state = states[Math.floor(change / half) % states.length];
      this.#changed.set(`u${index}@a.example`, performance.now());
      await this.#users[index]?.post("/api/presence", { state });
      // Somebody's page is loaded anew after it was closed for longer than the grace.
      if (change % 5 === 0) {
        this.#users[half + (change % half)]?.close();
        if (change >= 100) await this.#users[half + ((change - 100) % half)]?.open(() => undefined);
      }
      await sleep(Math.max(0, 1000 / perSecond - (performance.now() - tick)));
    }
  }

  leave(): void {
    this.#agent.destroy();
    for (const user of this.#users) user.close();
  }

  #watch(text: string): void {
    for (const [aor, at] of this.#changed) {
      if (!text.includes(`"${aor}"`)) continue;
      this.delays.push(performance.now() - at);
      this.#changed.delete(aor);
    }
  }

  async #inGroups(work: (user: User) => Promise<void>): Promise<void> {
    for (let index = 0; index < this.#users.length; index += AT_ONCE) {
      await Promise.all(this.#users.slice(index, index + AT_ONCE).map(work));
    }
  }
}
