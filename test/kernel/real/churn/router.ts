/** Runs `router.mjs`, tells it what is wanted, and kills it. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { FlowId, FlowRule, LocalState, PoolClass, PoolId } from "../../../../src/kernel/port.js";

const PROGRAM = fileURLToPath(new URL("router.mjs", import.meta.url));

export interface Order {
  readonly kind: "update" | "replace";
  readonly flows: ReadonlyMap<FlowId, FlowRule | undefined>;
  readonly pools: ReadonlyMap<PoolId, PoolClass>;
}

interface Answer {
  readonly n: number;
  readonly error?: string;
}

/** What became of an order: undefined where the router died before it said so. */
export type Outcome = { readonly error?: string } | undefined;

export class ChurnRouter {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  readonly #exited: Promise<void>;
  #last = 0;
  #dead = false;
  #stderr = "";

  constructor(table: string, journal: string, local: LocalState) {
    const args = [PROGRAM, table, journal, JSON.stringify(local)];
    this.#child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on("error", () => undefined);
    stderr?.on("data", (text: Buffer) => {
      this.#stderr += text.toString();
    });
    if (stdout !== null) {
      createInterface({ input: stdout }).on("line", (line) => {
        const { n, ...outcome } = JSON.parse(line) as Answer;
        this.#waiting.get(n)?.(outcome);
        this.#waiting.delete(n);
      });
    }
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", () => {
        this.#dead = true;
        for (const answer of this.#waiting.values()) answer(undefined);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** What it said was wrong. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves when the structure is mended. */
  started(): Promise<Outcome> {
    return this.#answer(0);
  }

  order({ kind, flows, pools }: Order): Promise<Outcome> {
    this.#last += 1;
    const n = this.#last;
    const line = { n, kind, flows: [...flows].map(([id, rule]) => [id, rule ?? null]), pools: [...pools] };
    const outcome = this.#answer(n);
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
    return outcome;
  }

  async kill(): Promise<void> {
    if (!this.#dead) this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #answer(n: number): Promise<Outcome> {
    return new Promise((resolve) => {
      if (this.#dead) resolve(undefined);
      else this.#waiting.set(n, resolve);
    });
  }
}
