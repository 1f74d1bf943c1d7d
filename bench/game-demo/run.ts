/** Runs the demo of the game in a lab that is up: two players agree on quality under a flood, play, and hang up. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type RunningCaptures, startCaptures } from "../../src/lab/captures.js";
import { type FloodControl, startFlood } from "../../src/lab/demo/congestion.js";
import { sessionElements } from "../../src/lab/kernel-left.js";
import type { Lab } from "../../src/lab/lab.js";
import { type HostCapture, malformed, wireMessages } from "../../src/lab/tshark.js";
import { SystemError } from "../../src/model/errors.js";
import { type Player, type PlayerBrowser, startBrowser } from "./browsers.js";
import type { Evidence, PaidRecord } from "./evidence.js";
import { openDashboard, takePictures } from "./pictures.js";
import { agree, askRecords, compare, hangUp, pageFigures, play, shownGrants, since } from "./play.js";
import { callIdOf, dialogMessages, hopEvidence, proxyMessages } from "./signalling.js";
import {
  type Connection,
  connectionOf,
  measureConnection,
  otherConnection,
  type Period,
  readDatagrams,
} from "./streams.js";
import { paidRecords, pathFigures, routerEvidence, serverSessions } from "./views.js";

export interface GameDemoOptions {
  readonly lab: Lab;
  /** Of the game. */
  readonly seconds: number;
  /** Where captures go; must exist. */
  readonly work: string;
  /** Where pictures of both pages go; must exist. */
  readonly pictures: string;
  readonly progress: (text: string) => void;
}

const HOSTS = { caller: "10.1.0.10", callee: "10.3.0.10" } as const;
const PORTALS = { alice: "https://10.1.0.8:8443/", bob: "https://10.3.0.8:8443/" } as const;
const POLICY_SERVERS = ["pol1", "pol2"] as const;
const ROUTERS = ["r1", "r2"] as const;
/** Of src/lab/demo/congestion.ts. */
const FLOOD_TIMES = 3;
const COMPARE_PATIENCE_MS = 20_000;
/** The queues fill, and the second connection's congestion control finds what it may send. */
const WARM_UP_MS = 2000;
const SETTLE_MS = 10_000;
/** What game-fps wants, and more than the window of the policy servers' measurements. */
const PATH_LOSS = 0.005;
const PATH_PATIENCE_MS = 20_000;

export async function runGameDemo(options: GameDemoOptions): Promise<Evidence> {
  const { lab, work, progress } = options;
  const stops: (() => Promise<unknown>)[] = [];
  try {
    progress("two browsers, each in a namespace of its own, log in at the portals of their providers");
    const browsers = await Promise.all([startBrowser(lab, "uac"), startBrowser(lab, "uas")]);
    stops.push(...browsers.map(({ close }) => close));
    const players = await logIn(browsers);
    const dashboard = await openDashboard(browsers[0], PORTALS.alice);
    progress("the routers measure the path for a while");
    await pathMeasured(lab);
    const directory = join(work, "captures");
    mkdirSync(directory, { recursive: true });
    const captures = await startCaptures(lab, directory);
    stops.push(captures.stop);
    progress(`flooding the core link at ${FLOOD_TIMES} times its rate, both ways`);
    const beginning = await startFlood(lab);
    stops.push(beginning.stop);
    const agreed = await negotiate(options, players);
    const flood = await addComparison(options, players, beginning);
    stops.push(flood.stop);
    const game = { ...agreed, ...(await playGame(options, players, dashboard)) };
    progress("hung up; the records");
    const after = await afterwards(lab, players, game.session);
    await flood.stop();
    return { ...(await fromCaptures(options, captures, players, game)), ...after };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** A class with a latency is only granted once both edges have measured the path between them. */
async function pathMeasured(lab: Lab): Promise<void> {
  const isGood = async (server: string): Promise<boolean> => {
    const paths = await pathFigures(lab, server).catch(() => []);
    return paths.length > 0 && paths.every(({ samples, loss }) => samples > 0 && loss <= PATH_LOSS);
  };
  await until(async () => (await Promise.all(POLICY_SERVERS.map(isGood))).every(Boolean), PATH_PATIENCE_MS);
}

type Players = readonly [caller: Player, callee: Player];

async function logIn([one, other]: readonly [PlayerBrowser, PlayerBrowser]): Promise<Players> {
  const players = await Promise.all([
    one.logIn(PORTALS.alice, "alice", "alice-in-the-lab"),
    other.logIn(PORTALS.bob, "bob", "bob-in-the-lab"),
  ]);
  const [{ page }] = players;
  await page.getByRole("button", { name: "Invite Bobby" }).waitFor();
  return players;
}

type Agreed = Pick<Evidence, "session" | "answerMs" | "granted">;

async function negotiate({ lab, progress }: GameDemoOptions, [caller, callee]: Players): Promise<Agreed> {
  progress("alice invites bob to a fast game; bob accepts");
  const answerMs = await agree(caller, callee, "Bobby");
  const [session] = (await lab.ask("pol1", "/v1/show/sessions")).map(({ session: id }) => String(id));
  if (session === undefined) throw new SystemError("LAB_CALL", "POL1 has no session of the game");
  return { answerMs, session, granted: await shownGrants(caller.page) };
}

/** Through this flood the handshake of a connection without reservation does not end within a minute: the flood pauses for it. */
async function addComparison(
  { lab, progress }: GameDemoOptions,
  [caller, callee]: Players,
  flood: FloodControl,
): Promise<FloodControl> {
  progress("the flood pauses, so that a second connection without reservation comes about at all; then it goes on");
  await flood.stop();
  await compare(caller, callee, COMPARE_PATIENCE_MS);
  const again = await startFlood(lab);
  await sleep(WARM_UP_MS);
  return again;
}

type During = Pick<Evidence, "floodTimes" | "seconds" | "sessions" | "pages" | "routers" | "paths">;

interface PlayedGame extends During {
  readonly connection: Connection;
  readonly period: Period;
}

async function playGame(options: GameDemoOptions, players: Players, dashboard: Player): Promise<PlayedGame> {
  const { lab, seconds, pictures, progress } = options;
  progress(`playing (${seconds} s)`);
  const before = await Promise.all(players.map(pageFigures));
  const from = Date.now();
  await play(players, seconds);
  const period = { from, to: Date.now() };
  const pages = (await Promise.all(players.map(pageFigures))).map((after, index) => since(before[index], after));
  const routers = await Promise.all(ROUTERS.map((router) => routerEvidence(lab, router)));
  const connection = connectionOf(routers[0]?.flows[0]?.flow ?? "", HOSTS.caller);
  if (connection === undefined) throw new SystemError("LAB_CALL", "R1 has no flow of the game");
  const sessions = (await Promise.all(POLICY_SERVERS.map((server) => serverSessions(lab, server)))).flat();
  const paths = (await Promise.all(POLICY_SERVERS.map((server) => pathFigures(lab, server)))).flat();
  await takePictures(pictures, players, dashboard);
  await hangUp(players[0], players[1]);
  return { floodTimes: FLOOD_TIMES, seconds, sessions, pages, routers, paths, connection, period };
}

/** What is left, once it has had time to go; and what was written down. */
async function afterwards(lab: Lab, players: Players, session: string): Promise<Pick<Evidence, "left" | "records">> {
  const elements = async (): Promise<number> => {
    const listed = ROUTERS.map((router) => lab.exec(router, ["nft", "-j", "list", "table", "inet", "sluice"]));
    return (await Promise.all(listed)).reduce((sum, json) => sum + sessionElements(json), 0);
  };
  const sessions = async (): Promise<number> => {
    const shown = await Promise.all(POLICY_SERVERS.map((server) => lab.ask(server, "/v1/show/sessions")));
    return shown.flat().filter(({ state }) => state !== "closed" && state !== "refused").length;
  };
  await until(async () => (await elements()) === 0 && (await sessions()) === 0);
  const records = async (): Promise<readonly PaidRecord[]> => {
    const answers = await Promise.all(
      players.map(async (player) => paidRecords(player.user, await askRecords(player))),
    );
    return answers.flat().filter((record) => record.session === session);
  };
  await until(async () => (await records()).filter(({ price }) => price !== "").length >= players.length);
  return { left: { elements: await elements(), sessions: await sessions() }, records: await records() };
}

/** Polls until it is so or the time is over; the caller looks for itself which. */
async function until(isSo: () => Promise<boolean>, patienceMs = SETTLE_MS): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await isSo()) && performance.now() < end) await sleep(500);
}

async function fromCaptures(
  { progress }: GameDemoOptions,
  running: RunningCaptures,
  [caller, callee]: Players,
  { connection, period, ...game }: Agreed & PlayedGame,
): Promise<Omit<Evidence, "left" | "records">> {
  const captures = await running.stop();
  progress("reading the captures");
  const pathOf = (wanted: HostCapture["host"]): string => captures.find(({ host }) => host === wanted)?.path ?? "";
  const seen = { caller: await readDatagrams(pathOf("UAC")), callee: await readDatagrams(pathOf("UAS")) };
  const beside = otherConnection(seen.caller, HOSTS, connection);
  if (beside === undefined) throw new SystemError("LAB_CALL", "no second connection is in the captures");
  const wire = {
    assured: measureConnection(connection, seen, period),
    bestEffort: measureConnection(beside, seen, period),
  };
  const callId = callIdOf(caller.messages) ?? "";
  const between = proxyMessages(await wireMessages(captures), callId);
  const hops = [
    hopEvidence("caller-SIP1", dialogMessages(caller.messages, callId)),
    hopEvidence("SIP1-SIP2", between),
    hopEvidence("SIP2-callee", dialogMessages(callee.messages, callId)),
  ];
  const complaints: string[] = [];
  // What browsers say is encrypted; of its handshakes tshark notes each repetition as malformed.
  for (const { host, path } of captures.filter((capture) => capture.host !== "UAC" && capture.host !== "UAS")) {
    complaints.push(...(await malformed(path)).map((line) => `${host}: ${line}`));
  }
  return { ...game, wire, hops, malformed: complaints };
}
