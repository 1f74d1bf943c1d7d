/** Finds running roles by their control sockets, and asks them. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import type { z } from "zod";
import { controlRequest } from "../control/client.js";
import { SystemError } from "../model/errors.js";
import { describeError } from "./describe-error.js";
import { type CliIo, EXIT } from "./io.js";

export interface TargetOptions {
  /** Sockets named one by one; they come before `runDir`. */
  readonly socket?: readonly string[];
  readonly runDir: string;
}

export interface RoleAnswer {
  /** The socket's name without `.sock`. */
  readonly role: string;
  readonly socket: string;
  readonly value: unknown;
}

export interface Answers {
  readonly answers: readonly RoleAnswer[];
  readonly failures: readonly SystemError[];
}

export const roleOf = (socket: string): string => basename(socket).replace(/\.sock$/, "");

/** The sockets to ask. @throws SystemError when there is none */
export function findSockets(options: TargetOptions): readonly string[] {
  if (options.socket !== undefined && options.socket.length > 0) return options.socket;
  const remedy = "start a role, or name its socket with --socket or their directory with --run-dir";
  try {
    const found = readdirSync(options.runDir).filter((name) => name.endsWith(".sock"));
    if (found.length > 0) return found.sort().map((name) => join(options.runDir, name));
  } catch (cause) {
    throw new SystemError("CONTROL_UNREACHABLE", `cannot look into ${options.runDir}`, { remedy, cause });
  }
  throw new SystemError("CONTROL_UNREACHABLE", `no role has a control socket in ${options.runDir}`, { remedy });
}

/** Asks one role. */
export async function ask(socket: string, route: string, query: Readonly<Record<string, string>>): Promise<RoleAnswer> {
  return { role: roleOf(socket), socket, value: await controlRequest(socket, route, query) };
}

/** Asks all at once; one that does not answer does not keep the others from being shown. */
export async function askAll(
  sockets: readonly string[],
  route: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Answers> {
  const results = await Promise.allSettled(sockets.map((socket) => ask(socket, route, query)));
  const answers = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  return { answers, failures: failuresOf(results) };
}

/** What else was thrown is a defect, and thrown again. */
export function failuresOf(results: readonly PromiseSettledResult<unknown>[]): readonly SystemError[] {
  return results.flatMap((result) => {
    if (result.status === "fulfilled") return [];
    if (result.reason instanceof SystemError) return [result.reason];
    throw result.reason;
  });
}

/** What a role answered, if it is what was asked for. @throws SystemError CONTROL_ANSWER */
export function readAnswer<T>(schema: z.ZodType<T>, { role, value }: Omit<RoleAnswer, "socket">): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw wrongAnswer(role);
}

export function wrongAnswer(role: string): SystemError {
  const remedy = "use the same version of sluice for the role and for this command";
  return new SystemError("CONTROL_ANSWER", `${role} answered something else than was asked`, { remedy });
}

/** Failures other than "this role has no such view" and "this role knows nothing of it". */
export function realFailures(failures: readonly SystemError[]): readonly SystemError[] {
  return failures.filter(({ code }) => code !== "CONTROL_ROUTE" && code !== "CONTROL_NOT_FOUND");
}

/** Says what went wrong with roles that should have answered. @returns the exit code that this makes */
export function tellFailures(failures: readonly SystemError[], io: CliIo): number {
  const real = realFailures(failures);
  for (const failure of real) io.err(describeError(failure));
  return real.length > 0 ? EXIT.failed : EXIT.ok;
}
