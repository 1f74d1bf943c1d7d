/**
 * One `nft -i` that lives on: a line is a transaction, at a tenth of the cost of a new process.
 *
 * After each line it is asked to describe an expression, which touches nothing: with that answer the line is done. A
 * process that dies or does not answer is replaced for the next line; what became of its own line is not known.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import { millis } from "../../model/units.js";
import { toolEnvironment } from "../tool.js";
import { setReferenced } from "./referenced.js";

const MARKER_COMMAND = "describe udp length\n";
const MARKER = "payload expression, datatype integer (integer), 16 bits\n";
const ANSWER_TIMEOUT = millis(20_000);
const MAX_LINE = 4 * 1024 * 1024;
/** nft says what is wrong on standard error: the order of the two matters. `-p`: protocols as numbers. */
const COMMAND = ["sh", "-c", "exec nft -p -i 2>&1"] as const;

export interface InteractiveOptions {
  readonly clock: Clock;
  /** Characters of an answer that are kept; the rest is passed over. */
  readonly keptAnswer: number;
  /** What is run instead of nft, by tests. */
  readonly command?: readonly [string, ...string[]];
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

interface Exchange {
  readonly operation: string;
  readonly resolve: (answer: string) => void;
  readonly reject: (error: KernelError) => void;
}

export class InteractiveNft {
  readonly #options: InteractiveOptions;
  #child: Child | undefined;
  #exchange: Exchange | undefined;
  #answer = "";
  #tail = "";
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: InteractiveOptions) {
    this.#options = options;
  }

  /** The process that answers now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * What nft prints for a line: nothing, where all went well. Lines wait for each other.
   * @throws KernelError KERNEL_SHELL_LOST if nft ended or was silent: whether the line was carried out is not known.
   */
  run(operation: string, line: string): Promise<string> {
    const turn = this.#queue.then(() => this.#perform(operation, line));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the process once it is idle, and its memory with it; the next line starts another. */
  async retire(): Promise<void> {
    await this.#queue;
    this.#child?.stdin.end();
    this.#child = undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.retire();
  }

  async #perform(operation: string, line: string): Promise<string> {
    if (this.#closed) throw new KernelError("KERNEL_CLOSED", "nft was closed", { operation });
    if (line.includes("\n") || line.length > MAX_LINE) {
      throw new KernelError("KERNEL_NFT_TEXT", `${operation}: not one line of at most ${MAX_LINE} characters`, {
        operation,
        errno: "EMSGSIZE",
      });
    }
    const child = this.#child ?? this.#start();
    const timer = this.#options.clock.after(ANSWER_TIMEOUT, () => this.#lose(child, "did not answer"));
    setReferenced(child, true);
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#answer = "";
        this.#tail = "";
        this.#exchange = { operation, resolve, reject };
        child.stdin.write(`${line}\n${MARKER_COMMAND}`);
      });
    } finally {
      timer.cancel();
      this.#exchange = undefined;
      setReferenced(child, false);
    }
  }

  #start(): Child {
    const [program, ...args] = this.#options.command ?? COMMAND;
    const child = spawn(program, args, {
      env: { ...process.env, ...toolEnvironment() },
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#child = child;
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text: string) => this.#receive(child, text));
    // EPIPE: the process is gone, which its end tells.
    child.stdin.on("error", () => undefined);
    child.on("error", (error) => this.#lose(child, `could not be started (${error.message})`));
    child.on("exit", (code, signal) => {
      // What it may still have said is read first, where somebody waits for it.
      if (this.#exchange === undefined) this.#lose(child, `ended (${signal ?? code})`);
    });
    child.on("close", (code, signal) => this.#lose(child, `ended (${signal ?? code})`));
    return child;
  }

  #receive(child: Child, text: string): void {
    if (child !== this.#child) return;
    if (this.#answer.length < this.#options.keptAnswer) this.#answer += text;
    this.#tail = (this.#tail + text).slice(-MARKER.length - 1);
    // The marker is alone on its line, and nothing comes after it.
    if (this.#tail !== MARKER && this.#tail !== `\n${MARKER}`) return;
    const answer = this.#answer;
    this.#exchange?.resolve(answer.endsWith(MARKER) ? answer.slice(0, -MARKER.length) : answer);
  }

  #lose(child: Child, how: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    child.kill("SIGKILL");
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    const { operation } = exchange;
    const message = `${operation}: nft ${how}; whether it was carried out is not known`;
    exchange.reject(new KernelError("KERNEL_SHELL_LOST", message, { operation, stderr: this.#answer.slice(0, 500) }));
  }
}
