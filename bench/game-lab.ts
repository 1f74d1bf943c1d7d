/** The lab of the game benchmarks: two sites with portals, and a scripted player at each. */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Lab, openLab } from "../src/lab/lab.js";
import type { Order, Setting, Told } from "./game-agent.js";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PATIENCE_MS = 15_000;
const STOP_MS = 20;
/** Classes bound to a latency are admitted once paths have been measured. */
const QUALITY_MS = 30_000;

export const CALLER: Setting = { user: "alice-phone", domain: "a.example", address: "10.1.0.10", proxy: "10.1.0.5" };
export const CALLEE: Setting = { user: "bob-phone", domain: "b.example", address: "10.3.0.10", proxy: "10.3.0.5" };
export const FAST_GAME = "game-fps";

export const GAME_CONFIGS = `${ROOT}/configs/game`;

/** Runs `work` in a lab of its own, and takes it away whatever happens. */
export async function inGameLab(
  name: string,
  work: (lab: Lab) => Promise<void>,
  configs: string = GAME_CONFIGS,
): Promise<void> {
  const lab = openLab({ prefix: `${process.env.BENCH_PREFIX ?? "bench"}-${name}`, root: ROOT });
  const interrupted = (): void => void lab.down().finally(() => process.exit(130));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  try {
    await lab.up(["--configs", configs, "--portals"]);
    await untilMeasured(lab);
    await work(lab);
  } finally {
    await lab.down();
  }
}

type Heard<Kind extends Told["kind"]> = Extract<Told, { kind: Kind }>;

/** A scripted player's process, and what it told. */
export class Agent {
  readonly #process: ChildProcess;
  readonly #heard: Told[] = [];
  #wake: () => void = () => undefined;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.on("message", (told) => {
      this.#heard.push(told as Told);
      this.#wake();
    });
  }

  static async start(lab: Lab, host: string, setting: Setting): Promise<Agent> {
    const program = fileURLToPath(new URL("game-agent.js", import.meta.url));
    // Before others in turn: what is late here would be taken for the network's delay.
    const first = ["nice", "-n", "-10", process.execPath];
    const inside = ["netns", "exec", `${lab.prefix}-${host}`, ...first, program, JSON.stringify(setting)];
    const agent = new Agent(spawn("ip", inside, { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
    await agent.next("ready");
    return agent;
  }

  send(order: Order): void {
    this.#process.send(order);
  }

  /** The next of its kind; others that came before it are dropped. @throws Error if it does not come in time */
  async next<Kind extends Told["kind"]>(kind: Kind): Promise<Heard<Kind>> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const at = this.#heard.findIndex((told) => told.kind === kind);
      if (at >= 0) return this.#heard.splice(0, at + 1)[at] as Heard<Kind>;
      if (performance.now() > end) throw new Error(`a player did not tell of '${kind}'`);
      await Promise.race([
        new Promise<void>((resolve) => (this.#wake = resolve)),
        sleep(PATIENCE_MS, undefined, { ref: false }),
      ]);
    }
  }

  stop(): void {
    this.#process.kill("SIGTERM");
  }
}

export interface Call {
  /** Milliseconds from the INVITE's leaving. */
  readonly answered: number;
  readonly mediaAtCallee: number;
  readonly mediaAtBoth: number;
}

export interface Players {
  readonly caller: Agent;
  readonly callee: Agent;
}

let nextPort = 20_000;

/** One session, up to the first packet at both. @throws Error if it is not as wished */
export async function call(
  { caller, callee }: Players,
  sessionClass?: string,
): Promise<Call & { readonly port: number }> {
  nextPort = nextPort >= 29_998 ? 20_000 : nextPort + 2;
  const port = nextPort;
  const to = `${CALLEE.user}@${CALLEE.domain}`;
  caller.send({ kind: "invite", to, mediaPort: port, ...(sessionClass === undefined ? {} : { sessionClass }) });
  const invited = await caller.next("invited");
  const answered = await caller.next("answered");
  checkAnswer(answered, sessionClass);
  const atCallee = await callee.next("media");
  const atCaller = await caller.next("media");
  return {
    port,
    answered: answered.at - invited.at,
    mediaAtCallee: atCallee.at - invited.at,
    mediaAtBoth: Math.max(atCallee.at, atCaller.at) - invited.at,
  };
}

function checkAnswer({ status, granted, warning }: Heard<"answered">, sessionClass: string | undefined): void {
  if (status !== 200) throw new Error(`the session was answered ${status} ${warning}`);
  const grants = granted.flatMap((line) => line.split(","));
  const good = grants.filter((grant) => grant.includes(`class=${sessionClass}`) && grant.includes("result=granted"));
  if (good.length !== (sessionClass === undefined ? 0 : 2)) throw new Error(`granted was: ${granted.join(", ")}`);
}

/** @returns packets that each sent */
export async function hangUp({
  caller,
  callee,
}: Players): Promise<{ readonly caller: number; readonly callee: number }> {
  // Neither sends within a session that is being taken down.
  for (const player of [caller, callee]) player.send({ kind: "stop" });
  await sleep(STOP_MS);
  caller.send({ kind: "bye" });
  const [one, other] = await Promise.all([caller.next("ended"), callee.next("ended")]);
  return { caller: one.sent, callee: other.sent };
}

/** Resolves when both policy servers have measured the paths between them, and found them good enough for games. */
export async function untilMeasured(lab: Lab): Promise<void> {
  const end = performance.now() + QUALITY_MS;
  for (;;) {
    const paths = (await Promise.all(["pol1", "pol2"].map((role) => lab.ask(role, "/v1/show/quality")))).flat();
    if (paths.every(({ samples, loss }) => Number(samples) >= 40 && loss === 0)) return;
    if (performance.now() > end) throw new Error(`paths are not good enough: ${JSON.stringify(paths)}`);
    await sleep(500);
  }
}
