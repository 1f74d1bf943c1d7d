/** A lab whose policy servers know session classes: configs/game with classes for every row of the tests, and what it takes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { controlRequest } from "../../../src/control/client.js";
import type { QualityView } from "../../../src/control/quality-views.js";
import type { PolicyView, PoolView } from "../../../src/control/views.js";
import type { SessionId } from "../../../src/model/session.js";
import type { Edit } from "./configs.js";
import { ROOT } from "./root.js";
import { TestLab } from "./test-lab.js";
import { until } from "./until.js";

const GAME = join(ROOT, "configs/game");

/** Files of configs/game by name, with single values put in other places; `undefined` takes one away. */
export function gameFiles(edits: Readonly<Record<string, readonly Edit[]>> = {}): Readonly<Record<string, string>> {
  const files = readdirSync(GAME).map((name) => {
    const document = parseDocument(readFileSync(join(GAME, name), "utf8"));
    for (const [at, value] of edits[name.replace(".yaml", "")] ?? []) {
      if (value === undefined) document.deleteIn(at);
      else document.setIn(at, document.createNode(value));
    }
    return [name, document.toString()] as const;
  });
  return Object.fromEntries(files);
}

/** Budgets of the measured class are wide: a busy machine is no finding. */
const POLICY: readonly Edit[] = [
  [["links"], undefined],
  [["pools", 0, "measure"], false],
  [["pools", 0, "rate"], "1 Mbit/s"],
  [["pools", 1, "rate"], "1 Mbit/s"],
  [
    ["sessionClasses"],
    [
      { name: "fps", class: "game", latency: "500 ms" },
      { name: "rts", class: "game", maxRate: "200 kbit/s" },
      { name: "duel", class: "game", loss: "5 %" },
      { name: "talk", class: "voice", latency: "150 ms", jitter: "30 ms", loss: "1 %" },
      { name: "chat", class: "voice", ack: "direct" },
      { name: "safe", class: "voice", security: "dtls" },
      { name: "film", class: "voice" },
    ],
  ],
  [
    ["rules"],
    [
      { name: "games", from: "*@*", to: "*@*", treatment: "assured", sessionClasses: ["fps", "rts", "duel"] },
      {
        ...{ name: "calls", from: "*@*", to: "*@*", treatment: "assured", class: "voice" },
        sessionClasses: ["talk", "chat", "safe"],
      },
      { name: "teams", from: "*@*", to: "*@*", treatment: "assured", sessionClasses: ["fps", "talk"] },
      { name: "films", from: "*@*", to: "*@*", treatment: "bestEffort", sessionClasses: ["film"] },
    ],
  ],
  // Idle media are found by two reports, so by the second that one comes.
  [["liveness"], { accounting: "2 s", idleTimeout: "4 s" }],
];

/** Without portals there are no browsers, and no keys for them. */
const TELEPHONES_ONLY: readonly Edit[] = [
  [["sip", "websocket"], undefined],
  [["sip", "secret"], undefined],
  [["sip", "directory"], undefined],
  [["sip", "registrar"], undefined],
];

export interface NegotiationLabOptions {
  readonly idleTimeout?: "4 s" | "off";
  readonly more?: Readonly<Record<string, readonly Edit[]>>;
}

export async function negotiationLab({ idleTimeout = "off", more = {} }: NegotiationLabOptions = {}): Promise<TestLab> {
  const policy: readonly Edit[] = [...POLICY, [["liveness", "idleTimeout"], idleTimeout]];
  const all: Readonly<Record<string, readonly Edit[]>> = {
    ...{ pol1: policy, pol2: policy, sip1: TELEPHONES_ONLY, sip2: TELEPHONES_ONLY },
  };
  const edits = Object.fromEntries(Object.entries(all).map(([role, own]) => [role, [...own, ...(more[role] ?? [])]]));
  const lab = await TestLab.up({ files: gameFiles(edits), captures: false });
  await lab.connected();
  return lab;
}

export type Site = 1 | 2;

/** Both ways of the measured pool are known at both sides. */
export const measured = (lab: TestLab): Promise<void> =>
  until("the path of the game pool to be measured", async () => {
    const views = await Promise.all((["pol1", "pol2"] as const).map((role) => lab.view<QualityView>(role, "quality")));
    return views.flat().filter(({ pool, latency }) => pool === "game" && latency !== undefined).length === 4;
  });

/** kbit/s at layer 3 for packets at 50 a second, each with 14 octets of layer 2. */
const roomRate = (room: number): string => String(Math.round((room + 5.6) * 1000));

export async function setRoom(lab: TestLab, site: Site, pool: "voice" | "game", room: number): Promise<void> {
  const socket = join(lab.lab.directory, "run", `pol${site}.sock`);
  await controlRequest(socket, "/v1/pools/resize", { pool, rate: roomRate(room) }, { method: "POST" });
}

export const poolUse = async (lab: TestLab, site: Site): Promise<number> =>
  (await lab.view<PoolView>(`pol${site}`, "pools")).reduce((sum, { used }) => sum + used, 0);

/** What a router has for a session: `46 > 80` is 80 kbit/s towards the callee's network with DSCP 46. */
export async function rowsOf(lab: TestLab, site: Site, session: SessionId): Promise<readonly string[]> {
  const rows = (await lab.view<PolicyView>(`r${site}`, "policies")).filter((row) => row.session === session);
  return rows.map(({ flow, dscp, rate }) => `${dscp} ${toCallee(flow) ? ">" : "<"} ${rate / 1000}`).sort();
}

const toCallee = (flow: string): boolean => /> \[?(10\.3\.|fd03:)/.test(flow);

/** As a portal does when its user has left the page. */
export async function endAtServers(
  lab: TestLab,
  callId: string,
  servers: readonly string[] = ["pol1", "pol2"],
): Promise<void> {
  const ask = { method: "POST" } as const;
  for (const role of servers) {
    const socket = join(lab.lab.directory, "run", `${role}.sock`);
    await controlRequest(socket, "/v1/sessions/end", { callId, cause: "left" }, ask).catch(() => undefined);
  }
}
