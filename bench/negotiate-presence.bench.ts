/**
 * What a portal pays for presence: 1,000 users with an open page each, over TLS. The portal is a process of its own, and all
 * of its processor time is counted. Users change their state ten times a second, two a second go and come back; the directory
 * is told of everybody each 20 s and read each 5 s, and the policy server is asked once a second for 100 sessions. The peer is
 * the same portal at rest: what open pages, the directory and the policy server cost by themselves.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { ControlServer } from "../src/control/server.js";
import { SYSTEM_CLOCK } from "../src/model/clock.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { seconds } from "../src/model/units.js";
import { accountOf, tableOf } from "../src/portal/accounts/accounts.js";
import { hashPassword } from "../src/portal/accounts/password.js";
import { parseHash } from "../src/portal/accounts/phc.js";
import { Pages } from "../src/portal/http/pages.js";
import { Portal } from "../src/portal/portal.js";
import { DirectoryClient } from "../src/portal/presence/directory-client.js";
import { RoleClient } from "../src/portal/roles/role-client.js";
import { SessionStore } from "../src/portal/sessions/session-store.js";
import { printFigure, rounded } from "./figure.js";

const USERS = 1000;
const WINDOW_S = 30;
const SETTLE_S = 8;
const CHANGES_PER_SECOND = 10;
const GOAL_PERCENT = 20;
const GOAL_DELAY_MS = 1500;
const ORIGIN = "https://portal.a.example";
const PASSWORD = "correct horse";
/** What a log-in costs is no part of this. */
const CHEAP = { ln: 10, r: 8, p: 1 };
const SESSIONS = 100;

interface Setting {
  readonly directory: string;
  readonly directoryUrl: string;
}

/** Answered by the portal's process. */
interface Told {
  readonly port?: number;
  /** Microseconds of the processor, of user and system. */
  readonly used?: number;
}

async function serve({ directory, directoryUrl }: Setting): Promise<void> {
  const hash = parseHash(await hashPassword(PASSWORD, CHEAP));
  if (hash === undefined) throw new Error("a hash that was just made is not read");
  const accounts = Array.from({ length: USERS }, (_, index) =>
    accountOf({ name: `u${index}`, nick: `Nick ${index}`, operator: false, password: hash }),
  );
  const pdp = new RoleClient(join(directory, "pdp.sock"));
  const portal = new Portal({
    tls: { key: readFileSync(join(directory, "key")), certificate: readFileSync(join(directory, "crt")) },
    publicUrl: ORIGIN,
    trustedProxies: [],
    domain: "a.example",
    accounts: tableOf(accounts),
    sip: { wss: "wss://sip1.a.example:5443", expires: seconds(3600) },
    credentials: (user, expires) => ({ username: `${expires}:${user}`, password: "" }),
    classes: [],
    pdp,
    proxy: pdp,
    watch: [],
    directory: new DirectoryClient(directoryUrl),
    sessions: { idle: seconds(3600), absolute: seconds(7200) },
    store: new SessionStore(join(directory, "portal.db")),
    pages: new Pages(join(directory, "pages")),
    limits: { connections: 10_000, connectionsPerSource: 10_000, streamsPerUser: 4 },
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
  });
  const { port } = await portal.listen({ address: "127.0.0.1", port: 0 });
  process.send?.({ port } satisfies Told);
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ used: user + system } satisfies Told);
  });
}

const told = (child: ChildProcess): Promise<Told> =>
  new Promise((resolve, reject) => {
    child.once("message", (value) => resolve(value as Told));
    child.once("exit", () => reject(new Error("the portal's process ended")));
  });

async function usedBy(child: ChildProcess): Promise<number> {
  const answer = told(child);
  child.send("used");
  return (await answer).used ?? Number.NaN;
}

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

/** In groups: no more at a time than one source may have wrong log-ins. */
async function inGroups<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (let index = 0; index < items.length; index += 8) await Promise.all(items.slice(index, index + 8).map(work));
}

async function startDirectory(): Promise<{
  readonly url: string;
  readonly close: () => void;
  readonly puts: () => number;
}> {
  const entries = new Map<string, unknown>();
  let puts = 0;
  const server = createServer((asked, response) => {
    let body = "";
    asked.on("data", (part) => {
      body += String(part);
    });
    asked.on("end", () => {
      const nick = asked.url?.slice("/directory/".length) ?? "";
      if (asked.method === "PUT") {
        puts += 1;
        entries.set(nick, { nick: decodeURIComponent(nick), since: 1, ...JSON.parse(body) });
        response.writeHead(204).end();
      } else response.end(JSON.stringify({ entries: [...entries.values()] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/directory`, close, puts: () => puts };
}

const sessionViews = Array.from({ length: SESSIONS }, (_, index) => ({
  session: index.toString(16).padStart(16, "0"),
  callId: `call${index}@a.example`,
  caller: `u${index}@a.example`,
  callee: `x${index}@b.example`,
  state: "reserved",
  since: 1,
}));

async function measured(child: ChildProcess, during: () => Promise<void>): Promise<number> {
  const [before, started] = [await usedBy(child), performance.now()];
  await during();
  const spent = ((await usedBy(child)) - before) / 1000;
  return (100 * spent) / (performance.now() - started);
}

async function churn(users: readonly User[], changed: Map<string, number>): Promise<void> {
  const states = ["busy", "away", "online"] as const;
  let change = 0;
  const until = performance.now() + WINDOW_S * 1000;
  while (performance.now() < until) {
    const tick = performance.now();
    const index = change % (USERS / 2);
    const user = users[index];
    const state = states[Math.floor(change / (USERS / 2)) % states.length];
    changed.set(`u${index}@a.example`, performance.now());
    await user?.post("/api/presence", { state });
    // Every fifth change, somebody's page is loaded anew after it was closed for longer than the grace.
    if (change % 5 === 0) users[USERS / 2 + (change % (USERS / 2))]?.close();
    const back = users[USERS / 2 + ((change - 100) % (USERS / 2))];
    if (change >= 100 && change % 5 === 0) await back?.open(() => undefined);
    change += 1;
    await sleep(Math.max(0, 1000 / CHANGES_PER_SECOND - (performance.now() - tick)));
  }
}

async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-presence-"));
  mkdirSync(join(directory, "pages", "assets"), { recursive: true });
  for (const name of ["index.html", "favicon.svg"]) writeFileSync(join(directory, "pages", name), name);
  await execa("ip", ["link", "set", "lo", "up"]);
  const [key, crt] = [join(directory, "key"), join(directory, "crt")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"];
  await execa("openssl", ["req", "-x509", ...kind, "-keyout", key, "-out", crt]);
  const shared = await startDirectory();
  const pdp = new ControlServer({
    path: join(directory, "pdp.sock"),
    routes: { "/v1/show/sessions": async () => sessionViews },
    log: SILENT_LOGGER,
  });
  await pdp.listen();
  const setting: Setting = { directory, directoryUrl: shared.url };
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(setting)]);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  try {
    const { port = 0 } = await told(child);
    const users = Array.from({ length: USERS }, (_, index) => new User(port, agent, `u${index}`));
    await inGroups(users, (user) => user.login());
    const changed = new Map<string, number>();
    const delays: number[] = [];
    const [watcher, ...others] = users.toReversed();
    await watcher?.open((text) => {
      for (const [aor, at] of changed) {
        if (!text.includes(`"${aor}"`)) continue;
        delays.push(performance.now() - at);
        changed.delete(aor);
      }
    });
    let frames = 0;
    const count = (text: string): void => {
      frames += text.split("event: presence").length - 1;
    };
    await inGroups(others, (user) => user.open(count));
    await sleep(SETTLE_S * 1000);
    const rest = await measured(child, () => sleep(WINDOW_S * 1000).then(() => undefined));
    const puts = shared.puts();
    frames = 0;
    const busy = await measured(child, () => churn(users, changed));
    // One a second and page: nobody was left out to save time.
    if (frames < 0.8 * WINDOW_S * USERS) throw new Error(`only ${frames} frames were received`);
    if (shared.puts() - puts < USERS) throw new Error("the directory was not told of everybody");
    // As many as there were changes, but those of the last second.
    if (delays.length < 0.5 * WINDOW_S * CHANGES_PER_SECOND) throw new Error(`only ${delays.length} changes were told`);
    report(
      rest,
      busy,
      delays.sort((one, other) => one - other),
    );
  } finally {
    agent.destroy();
    child.kill();
    shared.close();
    await pdp.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function report(rest: number, busy: number, delays: readonly number[]): void {
  const figure = `portal, ${USERS} users on-line, ${CHANGES_PER_SECOND} changes/s`;
  printFigure({
    bench: "negotiate",
    figure: `${figure}, processor`,
    value: rounded(busy),
    unit: "% of a core",
    baseline: rounded(rest),
    ratio: rounded(rest / busy),
    goal: `<= ${GOAL_PERCENT} % of a core`,
    ok: busy <= GOAL_PERCENT,
  });
  const p99 = delays[Math.floor(delays.length * 0.99)] ?? Number.NaN;
  const p50 = delays[Math.floor(delays.length / 2)] ?? Number.NaN;
  printFigure({
    bench: "negotiate",
    figure: `${figure}, until a page knows, p99 against p50`,
    value: rounded(p99),
    unit: "ms",
    baseline: rounded(p50),
    ratio: rounded(p50 / p99),
    goal: `<= ${GOAL_DELAY_MS} ms`,
    ok: p99 <= GOAL_DELAY_MS,
  });
}

const [, , argument] = process.argv;
if (argument === undefined) {
  await run();
  process.exit(0);
} else await serve(JSON.parse(argument) as Setting);
