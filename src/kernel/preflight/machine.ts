/** The machine as preflight sees it: tools to run and files to read. Nothing here changes it. */

export type ToolRun =
  | { readonly status: "exited"; readonly exitCode: number; readonly stdout: string; readonly stderr: string }
  /** There is no such program. */
  | { readonly status: "absent" }
  /** It took too long, or printed more than is read. */
  | { readonly status: "stopped"; readonly reason: string };

export interface Machine {
  /** Version of the Node.js that runs us, such as `20.19.0`. */
  readonly nodeVersion: string;
  /** Runs a program in the C locale. Never rejects. */
  run(program: string, args: readonly string[], input?: string): Promise<ToolRun>;
  /** Undefined where it cannot be read, or is longer than a kernel's or an administrator's file is. */
  read(path: string): Promise<string | undefined>;
  /** Names in a directory; none where it cannot be read. */
  list(path: string): Promise<readonly string[]>;
  /** Whether a TCP connection comes about. Never rejects. */
  connects(host: string, port: number): Promise<boolean>;
}

/** Something looked at, or why not. */
export type Seen<Value> =
  | { readonly seen: true; readonly value: Value }
  | { readonly seen: false; readonly reason: string; readonly isAbsent: boolean };

export const seen = <Value>(value: Value): Seen<Value> => ({ seen: true, value });

export const notSeen = (reason: string, isAbsent = false): Seen<never> => ({ seen: false, reason, isAbsent });

const firstLine = (text: string): string => text.split("\n").find((line) => line.trim() !== "") ?? "";

/**
 * Runs a tool and reads what it prints.
 * @param parse - gives undefined for what it does not understand
 */
export async function look<Value>(
  machine: Machine,
  [program, ...args]: readonly [string, ...string[]],
  parse: (stdout: string) => Value | undefined,
): Promise<Seen<Value>> {
  const run = await machine.run(program, args);
  const command = [program, ...args].join(" ");
  if (run.status === "absent") return notSeen(`${program} is not installed`, true);
  if (run.status === "stopped") return notSeen(`${command}: ${run.reason}`);
  if (run.exitCode !== 0) {
    return notSeen(`${command}: ${firstLine(run.stderr) || firstLine(run.stdout) || `exit code ${run.exitCode}`}`);
  }
  const value = parse(run.stdout);
  return value === undefined ? notSeen(`${command} printed something unexpected`) : seen(value);
}

/** The number in a file of one number. */
export async function readNumber(machine: Machine, path: string): Promise<number | undefined> {
  const text = (await machine.read(path))?.trim();
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** Several checks ask the same: each question goes out once. */
export function once<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let answer: Promise<Value> | undefined;
  return () => {
    answer ??= ask();
    return answer;
  };
}
