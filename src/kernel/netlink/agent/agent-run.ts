/** One run of the agent's program: started, spoken to, ended. Restarting is agent.ts. */
import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { type Frame, FrameReader, frameHeader } from "./frames.js";

const PIPE = 3;
const MAX_STDERR = 512;
/** The agent keeps nothing: a small heap is enough, and datagrams are not in it. */
const HEAP = ["--max-old-space-size=64", "--max-semi-space-size=2"];

export interface RunEnd {
  /** How it ended, in one line: signal or exit code, and what it said. */
  readonly reason: string;
}

export interface RunHandlers {
  frame(frame: Frame): void;
  /** Once, after the last frame. */
  ended(end: RunEnd): void;
}

export class AgentRun {
  readonly #child: ChildProcess;
  readonly #pipe: Socket;
  #stderr = "";
  #unsent: Buffer[] = [];
  #ended = false;

  constructor(program: string, handlers: RunHandlers) {
    this.#child = spawn(process.execPath, [...HEAP, program], {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      // Neither secrets nor options meant for the daemon.
      env: process.env.LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH },
    });
    const pipe = this.#child.stdio[PIPE];
    this.#pipe = pipe instanceof Socket ? pipe : new Socket();
    this.#listen(handlers);
    this.#unref();
  }

  /** Undefined where it could not be started at all. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Frames of one turn of the event loop go in one write. */
  send(frame: Frame): void {
    if (this.#ended) return;
    if (this.#unsent.length === 0) process.nextTick(() => this.#flush());
    this.#unsent.push(frameHeader(frame, frame.payload.length), frame.payload);
  }

  /** One buffer: a stream that is given many small ones takes longer than copying them does. */
  #flush(): void {
    const frames = Buffer.concat(this.#unsent);
    this.#unsent = [];
    if (!this.#ended) this.#pipe.write(frames);
  }

  /** Ends it at once; `ended` follows. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Lets it end by itself; `ended` follows. */
  close(): void {
    this.#flush();
    this.#pipe.end();
  }

  #listen(handlers: RunHandlers): void {
    const end = (reason: string): void => {
      if (this.#ended) return;
      this.#ended = true;
      this.#pipe.destroy();
      handlers.ended({ reason });
    };
    const reader = new FrameReader((frame) => handlers.frame(frame));
    this.#pipe.on("data", (chunk) => {
      try {
        reader.push(chunk);
      } catch {
        // What follows cannot be read.
        this.kill();
      }
    });
    // A write to an agent that is gone: its end is told by `close`.
    this.#pipe.on("error", () => undefined);
    this.#child.stderr?.on("data", (text) => {
      if (this.#stderr.length < MAX_STDERR) this.#stderr += String(text).slice(0, MAX_STDERR);
    });
    this.#child.on("error", (error) => end(`it could not be started: ${error.message}`));
    // Not `exit`: what it wrote before it ended is read first.
    this.#child.on("close", (code, signal) => {
      const said = this.#stderr
        .trim()
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "");
      const how = signal === null ? `exit code ${code}` : signal;
      end(said.length === 0 ? how : `${how}: ${said.slice(0, 2).join("; ")}`);
    });
  }

  /** The agent by itself keeps no process alive: agent.ts decides that. */
  #unref(): void {
    this.#child.unref();
    this.#pipe.unref();
    const stderr: (Readable & { unref?: () => void }) | null = this.#child.stderr;
    stderr?.unref?.();
  }
}
