/** Reads what nobody may see: from the terminal without echo, or from standard input. */
import { SystemError } from "../model/errors.js";

/** What of `process.stdin` is used. */
export interface SecretStream {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: "data", listener: (chunk: Buffer | string) => void): unknown;
  on(event: "end" | "error", listener: () => void): unknown;
  off(event: "data", listener: (chunk: Buffer | string) => void): unknown;
  off(event: "end" | "error", listener: () => void): unknown;
}

export interface SecretInput {
  /** Whether somebody can be asked. */
  readonly isTerminal: boolean;
  /** Prints the prompt, and gives the line that is typed. @throws SystemError INTERRUPTED */
  ask(prompt: string): Promise<string>;
  /** The first line of standard input, without its end. @throws SystemError INPUT_LENGTH */
  line(): Promise<string>;
}

const [INTERRUPT, END, ERASE_LINE, ESCAPE] = ["\u0003", "\u0004", "\u0015", "\u001b"];
const BACKSPACE = new Set(["\u007f", "\b"]);
const LINE_END = new Set(["\r", "\n"]);
/** Octets of what is read for a secret. */
const INPUT_MAX = 64 * 1024;

/** @param write - where the prompt goes */
export function secretInput(stream: SecretStream, write: (text: string) => void): SecretInput {
  return {
    isTerminal: stream.isTTY === true && stream.setRawMode !== undefined,
    ask: (prompt) => askHidden(stream, write, prompt),
    line: () => readLine(stream),
  };
}

function askHidden(stream: SecretStream, write: (text: string) => void, prompt: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: readonly string[] = [];
    const finish = (done: () => void): void => {
      stream.off("data", take);
      stream.off("end", end);
      stream.setRawMode?.(false);
      stream.pause();
      write("\n");
      done();
    };
    const interrupt = (): void => finish(() => reject(new SystemError("INTERRUPTED", "nothing was done")));
    const end = interrupt;
    const take = (chunk: Buffer | string): void => {
      for (const key of String(chunk)) {
        const isOver = LINE_END.has(key) || key === INTERRUPT || key === END;
        if (isOver) {
          if (LINE_END.has(key)) finish(() => resolve(typed.join("")));
          else interrupt();
          return;
        }
        // The rest of it is a key that writes nothing, such as an arrow.
        if (key === ESCAPE) return;
        typed = edited(typed, key);
      }
    };
    // Before the prompt: who answers at once is not to be echoed either.
    stream.setRawMode?.(true);
    write(prompt);
    stream.on("data", take);
    stream.on("end", end);
    stream.resume();
  });
}

function edited(typed: readonly string[], key: string): readonly string[] {
  if (key === ERASE_LINE) return [];
  return BACKSPACE.has(key) ? typed.slice(0, -1) : [...typed, key];
}

function readLine(stream: SecretStream): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const finish = (): void => {
      stream.off("data", take);
      stream.off("end", finish);
      stream.off("error", finish);
      stream.pause();
      const [first = ""] = Buffer.concat(parts).toString("utf8").split(/\r?\n/, 1);
      resolve(first);
    };
    const take = (chunk: Buffer | string): void => {
      const octets = Buffer.from(chunk);
      size += octets.length;
      parts.push(octets);
      if (octets.includes("\n")) finish();
      else if (size > INPUT_MAX)
        reject(new SystemError("INPUT_LENGTH", "standard input has no line that could be meant"));
    };
    stream.on("data", take);
    stream.on("end", finish);
    stream.on("error", finish);
    stream.resume();
  });
}
