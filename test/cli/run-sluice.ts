/** Runs `sluice` as somebody types it, and keeps what it prints. */
import type { CliIo } from "../../src/cli/io.js";
import { runProgram } from "../../src/cli/program.js";

/** What was written so far. */
export interface Printed {
  out: string;
  err: string;
}

export interface Ran extends Readonly<Printed> {
  /** The exit code. */
  readonly code: number;
}

/** A process with an empty environment and without a terminal, but for what is given. */
export function printing(given: Partial<CliIo> = {}): { readonly io: CliIo; readonly printed: Printed } {
  const printed = { out: "", err: "" };
  const io: CliIo = {
    out: (text) => {
      printed.out += text;
    },
    err: (text) => {
      printed.err += text;
    },
    env: {},
    isTerminal: false,
    ...given,
  };
  return { io, printed };
}

/** Its version is 1.2.3. */
export async function runSluice(args: readonly string[], given: Partial<CliIo> = {}): Promise<Ran> {
  const { io, printed } = printing(given);
  const code = await runProgram(args, io, "1.2.3");
  return { code, ...printed };
}
