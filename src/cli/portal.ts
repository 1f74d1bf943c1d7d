/** `sluice portal passwd`: makes what stands for a password in a portal's file of accounts. */
import { SystemError } from "../model/errors.js";
import { type CliIo, EXIT } from "./io.js";
import type { SecretInput } from "./secret-input.js";

export interface PasswdOptions {
  /** The password is the first line of standard input. */
  readonly stdin?: boolean;
}

/** @throws SystemError PASSWORD_* for one that cannot be taken, INTERRUPTED for who thinks better of it */
export async function portalPasswd({ stdin = false }: PasswdOptions, io: CliIo): Promise<number> {
  const { input } = io;
  if (input === undefined) throw noTerminal();
  const password = stdin ? await input.line() : await askTwice(input);
  // Loaded here only: the other verbs need neither the native modules nor the time to load them.
  const { hashPassword } = await import("../daemon/run-portal.js");
  io.out(`${await hashPassword(password)}\n`);
  return EXIT.ok;
}

async function askTwice(input: SecretInput): Promise<string> {
  if (!input.isTerminal) throw noTerminal();
  const first = await input.ask("Password: ");
  const second = await input.ask("Again: ");
  if (first === second) return first;
  throw new SystemError("PASSWORD_DIFFERS", "the two are not the same", { remedy: "try again" });
}

const noTerminal = (): SystemError =>
  new SystemError("PASSWORD_TERMINAL", "there is no terminal to ask for the password", {
    remedy: "run it in one, or give the password with --stdin",
  });
