/** A lab of a test: unique, watched, and taken away whatever happens. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { controlRequest } from "../../../src/control/client.js";
import type { PeerView, PoolView, SessionView, UsageView } from "../../../src/control/views.js";
import { sessionElements } from "../../../src/lab/kernel-left.js";
import { type CallOutcome, type Lab, openLab } from "../../../src/lab/lab.js";
import { copyConfigs, type Edits, editConfigs, type RoleName } from "./configs.js";
import { LabCaptures } from "./pcaps.js";
import { ROOT } from "./root.js";
import { takeSlots } from "./slots.js";
import { until } from "./until.js";

let made = 0;

export interface TestLabOptions {
  readonly edits?: readonly Edits[];
  /** Lab slots to take: 0 if the caller has them. */
  readonly slots?: 0 | 1;
  readonly captures?: boolean;
  /** Further options of `up`, such as `--transit`. */
  readonly topology?: readonly string[];
  /** Files beside the configurations, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

export class TestLab {
  readonly prefix: string;
  readonly lab: Lab;
  readonly configs: string;
  readonly #release: () => void;
  #captures: LabCaptures | undefined;

  private constructor(prefix: string, configs: string, release: () => void) {
    this.prefix = prefix;
    this.lab = openLab({ prefix, root: ROOT });
    this.configs = configs;
    this.#release = release;
  }

  static async up(options: TestLabOptions = {}): Promise<TestLab> {
    const { edits = [], slots = 1, captures = true, topology = [], files = {} } = options;
    const release = slots === 0 ? () => undefined : await takeSlots(1);
    const lab = new TestLab(`t${process.pid}n${++made}`, copyConfigs(...edits), release);
    try {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(lab.configs, name), text);
      await lab.lab.up([...topology, "--configs", lab.configs]);
      if (captures) lab.#captures = await LabCaptures.start(lab.lab);
      return lab;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  get captures(): LabCaptures {
    if (this.#captures === undefined) throw new Error("this lab takes no captures");
    return this.#captures;
  }

  /** To be called in afterAll; also after a start that failed. */
  async down(): Promise<void> {
    await this.#captures?.stop();
    await this.lab.down();
    this.#captures?.remove();
    rmSync(this.configs, { recursive: true, force: true });
    this.#release();
  }

  script(args: readonly string[]) {
    return execa("bash", [join(ROOT, "scripts/netns-lab.sh"), "--prefix", this.prefix, ...args]);
  }

  async stop(role: RoleName, signal: "KILL" | "TERM" | "STOP" | "CONT"): Promise<void> {
    await this.script(["stop", role, signal]);
  }

  async start(role: RoleName): Promise<void> {
    // Output that outlives the script (the role's) goes to its log, not to us.
    await this.script(["start", role]);
  }

  /** Another configuration for a role, which has to be started again to take it up. */
  async reconfigure(edits: Edits): Promise<void> {
    editConfigs(this.configs, edits);
    for (const role of Object.keys(edits) as RoleName[]) {
      await this.stop(role, "TERM");
      await this.start(role);
    }
    await this.connected();
  }

  /** Every role has its policy server. */
  async connected(): Promise<void> {
    await until("every role to have its policy server", async () => {
      const peers = await Promise.all(
        (["r1", "r2", "sip1", "sip2"] as const).map((role) => this.view<PeerView>(role, "peers").catch(() => [])),
      );
      return peers.every((items) => items[0]?.state === "open");
    });
  }

  /** A call, and the moment before its first message. */
  call(args: readonly string[]): RunningCall {
    return { began: Date.now(), outcome: this.lab.call(args) };
  }

  /** A call whose media has come to flow both ways. */
  async callWithMedia(args: readonly string[], packets = 10): Promise<RunningCall> {
    const call = this.call(args);
    await this.mediaOf(call, packets);
    return call;
  }

  async mediaOf(call: RunningCall, packets = 10): Promise<void> {
    await Promise.race([
      until("media both ways", async () => {
        const [up, down] = await Promise.all([
          this.captures.media("uas", call.began),
          this.captures.media("uac", call.began),
        ]);
        return up.received.length >= packets && down.received.length >= packets;
      }),
      call.outcome.then((outcome) => {
        throw new Error(`the call ended before its media flowed: ${JSON.stringify(outcome)}`);
      }),
    ]);
  }

  /** Elements of sessions in a router's kernel, as nft lists them. */
  async kernelElements(router: "r1" | "r2"): Promise<number> {
    return sessionElements(await this.lab.exec(router, ["nft", "-j", "list", "table", "inet", "sluice"]));
  }

  async view<T>(role: RoleName, topic: string): Promise<readonly T[]> {
    const socket = join(this.lab.directory, "run", `${role}.sock`);
    return (await controlRequest(socket, `/v1/show/${topic}`)) as readonly T[];
  }

  async usage(session: string): Promise<readonly UsageView[]> {
    return (await this.view<UsageView>("ch", "usage")).filter((record) => record.session === session);
  }

  /** Ids of the processes in a namespace. */
  async processesIn(namespace: string): Promise<readonly number[]> {
    const { stdout } = await execa("ip", ["netns", "pids", namespace]);
    return stdout.split("\n").flatMap((line) => (line === "" ? [] : [Number(line)]));
  }

  /** The `sluice` command, asking this lab's roles. */
  async sluice(args: readonly string[]): Promise<unknown> {
    const command = [
      join(ROOT, "dist/cli/main.js"),
      ...args,
      "--run-dir",
      join(this.lab.directory, "run"),
      "-o",
      "json",
    ];
    return JSON.parse((await execa("node", command)).stdout) as unknown;
  }

  /** What is left of sessions, and where: nothing, when all of them are over. Roles that do not answer are named too. */
  async leftovers(): Promise<readonly string[]> {
    const looks = [
      ...(["r1", "r2"] as const).map(async (router) => {
        const count = await this.kernelElements(router);
        return count === 0 ? [] : [`${router}: ${count} session elements in the kernel`];
      }),
      ...(["pol1", "pol2"] as const).flatMap((role) => [
        this.view<PoolView>(role, "pools").then((pools) =>
          pools
            .filter(({ sessions, used }) => sessions > 0 || used > 0)
            .map(({ name, used, sessions }) => `${role}: pool ${name}: ${used} bit/s held by ${sessions} sessions`),
        ),
        this.view<SessionView>(role, "sessions").then((sessions) =>
          sessions
            .filter(({ state }) => state !== "closed" && state !== "refused")
            .map(({ session, state }) => `${role}: session ${session} is ${state}`),
        ),
      ]),
      ...(["sip1", "sip2"] as const).map((role) =>
        this.view<SessionView>(role, "sessions").then((sessions) =>
          sessions.map(({ session, state }) => `${role}: session ${session} is ${state}`),
        ),
      ),
    ];
    const results = await Promise.allSettled<readonly string[]>(looks);
    return results.flatMap((result) => (result.status === "fulfilled" ? result.value : [String(result.reason)]));
  }
}

export interface RunningCall {
  /** Milliseconds since 1970. */
  readonly began: number;
  readonly outcome: Promise<CallOutcome>;
}
