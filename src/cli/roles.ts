/** Finds running roles by their control sockets, and asks them. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { controlRequest } from "../control/client.js";
import { SystemError } from "../model/errors.js";

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
  const answers: RoleAnswer[] = [];
  const failures: SystemError[] = [];
  for (const result of results) {
    if (result.status === "fulfilled") answers.push(result.value);
    else if (result.reason instanceof SystemError) failures.push(result.reason);
    else throw result.reason;
  }
  return { answers, failures };
}

/** Failures other than "this role has no such view" and "this role knows nothing of it". */
export function realFailures(failures: readonly SystemError[]): readonly SystemError[] {
  return failures.filter(({ code }) => code !== "CONTROL_ROUTE" && code !== "CONTROL_NOT_FOUND");
}
