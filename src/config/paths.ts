/** Paths of files: relative to the configuration file, with `${VAR}` taken from the environment. */
import { isAbsolute, resolve } from "node:path";
import { z } from "zod";
import type { ScalarKind } from "./scalars.js";

/** What a path's meaning depends on. */
export interface PathContext {
  /** The directory that relative paths start from: the configuration file's own. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const VARIABLE = /\$\{([^}]*)\}/g;

interface Substituted {
  readonly text: string;
  readonly faults: readonly { readonly message: string; readonly remedy: string }[];
}

function substitute(input: string, env: PathContext["env"]): Substituted {
  const faults: { message: string; remedy: string }[] = [];
  const text = input.replace(VARIABLE, (whole: string, name: string) => {
    const value = env[name];
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && value !== undefined && value !== "") return value;
    const message = `the environment variable ${name === "" ? whole : name} is not set`;
    faults.push({ message, remedy: "set it, or write the path out" });
    return "";
  });
  return { text, faults };
}

/** An absolute path after substitution. */
export const pathValue = (context: PathContext) =>
  z
    .unknown()
    .transform((input, issues): string => {
      const say = (message: string, remedy: string): string => {
        issues.addIssue({ code: "custom", message, params: { remedy } });
        return z.NEVER;
      };
      if (typeof input !== "string" || input === "" || input.includes("\0")) {
        return say("this is not a path", 'write one such as "/var/lib/sluice/pdp"');
      }
      const { text, faults } = substitute(input, context.env);
      for (const { message, remedy } of faults) say(message, remedy);
      if (faults.length > 0) return z.NEVER;
      return isAbsolute(text) ? text : resolve(context.directory, text);
    })
    .meta({ kind: "a path", example: "/var/lib/sluice/pdp" } satisfies ScalarKind);

/** Sun_path of a Unix socket holds 108 octets with the closing zero (unix(7)). */
export const SOCKET_PATH_MAX = 107;

/** As `pathValue`, and short enough for a Unix socket. */
export const socketPath = (context: PathContext) =>
  pathValue(context).refine((path) => Buffer.byteLength(path) <= SOCKET_PATH_MAX, {
    error: `the path of a socket has at most ${SOCKET_PATH_MAX} octets`,
    params: { remedy: "choose a shorter directory" },
  });
