/** The process that a verb runs in. */
import type { SecretInput } from "./secret-input.js";

/** What a verb may touch of the process it runs in, so that tests can run it without one. */
export interface CliIo {
  /** Data, for the next program or the reader. */
  readonly out: (text: string) => void;
  /** Words about what is wrong. */
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether `out` is a terminal. */
  readonly isTerminal: boolean;
  /** For what nobody may see; absent where nothing can be read. */
  readonly input?: SecretInput;
}

export type OutputFormat = "table" | "json";

/** Exit codes: 0 done, 2 wrong use, wrong file or a role that cannot be asked. 1 is for findings (`doctor`). */
export const EXIT = { ok: 0, findings: 1, failed: 2 } as const;

const API_VERSION = "sluice/v1";

/** Writes a document of this kind as indented JSON. */
export function writeJson(io: CliIo, kind: string, content: object): void {
  io.out(`${JSON.stringify({ apiVersion: API_VERSION, kind, ...content }, null, 2)}\n`);
}

/** For terminals, unless the environment says NO_COLOR. */
export const wantsColor = (io: CliIo): boolean => io.isTerminal && io.env.NO_COLOR === undefined;
