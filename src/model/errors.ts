/**
 * The error families. An error is thrown only for what is wrong; a refusal of a session is data
 * (see decision.ts). Every error says what was wrong (`message`), carries a stable `code` for
 * operators and tests, and a `remedy` where the reader can do something about it.
 */

export interface SluiceErrorOptions {
  /** What the reader can do about it, one sentence. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

export abstract class SluiceError extends Error {
  abstract readonly family: "decode" | "protocol" | "config" | "kernel" | "system" | "internal";
  readonly code: string;
  readonly remedy: string | undefined;

  constructor(code: string, message: string, options: SluiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.remedy = options.remedy;
  }
}

export interface DecodeErrorDetail {
  /** Octets from the start of the message. */
  readonly offset: number;
  /** The object or field that was being read, in the RFC's words. */
  readonly object: string;
  /** Octets needed, where length was the trouble. */
  readonly need?: number;
  /** Octets there, where length was the trouble. */
  readonly have?: number;
}

/** Octets from the wire that do not form what the RFC says. Carries the place. */
export class DecodeError extends SluiceError {
  override readonly family = "decode";
  readonly detail: DecodeErrorDetail;

  constructor(code: string, message: string, detail: DecodeErrorDetail, options: SluiceErrorOptions = {}) {
    super(code, message, options);
    this.detail = detail;
  }
}

/** Well-formed, but not what the peer may say now; or the peer said nothing in time. */
export class ProtocolError extends SluiceError {
  override readonly family = "protocol";
}

/** A place in a file, 1-based. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ConfigProblem {
  readonly place: SourcePlace;
  /** The key's path in the document, such as `pools[0].rate`. */
  readonly path: string;
  readonly message: string;
  readonly remedy?: string;
}

/** One or more things wrong in a configuration file. */
export class ConfigError extends SluiceError {
  override readonly family = "config";
  readonly problems: readonly ConfigProblem[];

  constructor(code: string, problems: readonly ConfigProblem[], options: SluiceErrorOptions = {}) {
    super(code, problems.map(formatProblem).join("\n"), options);
    this.problems = problems;
  }
}

/** `file:line:column: message; remedy`, the form editors can jump to. */
export function formatProblem(problem: ConfigProblem): string {
  const { file, line, column } = problem.place;
  const remedy = problem.remedy === undefined ? "" : `; ${problem.remedy}`;
  return `${file}:${line}:${column}: ${problem.message}${remedy}`;
}

export interface KernelErrorDetail {
  /** What was being done: a command line, or a netlink operation and its object. */
  readonly operation: string;
  /** Symbolic errno such as `ENOENT`, where the kernel gave one. */
  readonly errno?: string;
  /** First line of stderr, where a tool was run. */
  readonly stderr?: string;
}

/** The kernel, or a tool that speaks to it, refused. */
export class KernelError extends SluiceError {
  override readonly family = "kernel";
  readonly detail: KernelErrorDetail;

  constructor(code: string, message: string, detail: KernelErrorDetail, options: SluiceErrorOptions = {}) {
    super(code, message, options);
    this.detail = detail;
  }
}

/** The machine we run on refused: port in use, missing right, missing file or program. */
export class SystemError extends SluiceError {
  override readonly family = "system";
}

/** A rule of this program was broken: a defect. */
export class InternalError extends SluiceError {
  override readonly family = "internal";
}

/** Compile-time proof that a switch is exhaustive; at run time a defect. */
export function unreachable(value: never, where: string): never {
  throw new InternalError("INTERNAL_UNREACHABLE", `${where}: unexpected ${JSON.stringify(value)}`);
}
