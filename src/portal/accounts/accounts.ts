/** The users of a portal: from a YAML file, which is read again when it has changed. */
import { createHash, randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { z } from "zod";
import { readDocument } from "../../config/document.js";
import { problemsOf } from "../../config/problems.js";
import { userName } from "../../config/scalars.js";
import { ConfigError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { isNickName, nickKey } from "../../model/nick-name.js";
import { DEFAULT_COST, isStrong, type PasswordHash, parseHash } from "./phc.js";

export interface Account {
  /** The part of the user's SIP address before the "@". */
  readonly name: string;
  /** What others see. */
  readonly nick: string;
  readonly operator: boolean;
  readonly password: PasswordHash;
  /** Another when the password is: log-ins under the former end. */
  readonly fingerprint: string;
}

export type AccountTable = ReadonlyMap<string, Account>;

const NICK_MAX = 32;
const NICK_FORM = `a nick name is 1 to ${NICK_MAX} letters, digits, dots, hyphens or single spaces, of one script, all to be seen`;

const accountKeys = z.strictObject({
  name: userName(),
  nick: z
    .string()
    .refine((nick) => [...nick].length <= NICK_MAX && isNickName(nick), { error: NICK_FORM })
    .optional(),
  password: z.string().transform((text, context): PasswordHash => {
    const parsed = parseHash(text);
    if (parsed !== undefined && isStrong(parsed)) return parsed;
    const message = parsed === undefined ? "this is not a scrypt hash" : "the hash costs too little to guess";
    context.addIssue({ code: "custom", message, params: { remedy: "make it with `sluice portal passwd`" } });
    return z.NEVER;
  }),
  operator: z.boolean().default(false),
});

const fileKeys = z.strictObject({ users: z.array(accountKeys).max(10_000) }).superRefine(({ users }, context) => {
  const taken = { name: new Set<string>(), nick: new Set<string>() };
  for (const [index, { name, nick = name }] of users.entries()) {
    // Two nick names that are one to the directory would be taken for each other.
    for (const [key, value] of [
      ["name", name],
      ["nick", nickKey(nick)],
    ] as const) {
      if (!taken[key].has(value)) taken[key].add(value);
      else
        context.addIssue({
          code: "custom",
          message: `${key} "${value}" is already taken`,
          path: ["users", index, key],
        });
    }
  }
});

/** With the fingerprint of its password. */
export const accountOf = (account: Omit<Account, "fingerprint">): Account => ({
  ...account,
  fingerprint: createHash("sha256")
    .update(account.password.salt)
    .update(account.password.hash)
    .digest("hex")
    .slice(0, 16),
});

/** @throws ConfigError that names what is wrong, and where */
export function readAccounts(file: string): AccountTable {
  const document = readDocument(file);
  const parsed = fileKeys.safeParse(document.value);
  if (!parsed.success) throw new ConfigError("ACCOUNTS_INVALID", problemsOf(parsed.error.issues, document, fileKeys));
  return tableOf(parsed.data.users.map(({ nick, ...user }) => accountOf({ ...user, nick: nick ?? user.name })));
}

/** Accounts by name. */
export const tableOf = (accounts: readonly Account[]): AccountTable =>
  new Map(accounts.map((account) => [account.name, account]));

export class Accounts {
  readonly #file: string | undefined;
  readonly #log: Logger;
  /** Nobody's password, so that unknown names cost what known ones do. */
  readonly #nobody: PasswordHash;
  #table: AccountTable;
  #version: string;

  /** @param source - a file, or a table that stays @throws ConfigError */
  constructor(source: string | AccountTable, log: Logger) {
    this.#log = log;
    this.#file = typeof source === "string" ? source : undefined;
    this.#version = this.#versionNow();
    this.#table = typeof source === "string" ? readAccounts(source) : source;
    const [{ password } = { password: undefined }] = [...this.#table.values()];
    const cost = password ?? DEFAULT_COST;
    this.#nobody = { ...cost, salt: randomBytes(16), hash: randomBytes(password?.hash.length ?? 32) };
  }

  /** The account; undefined for a name that is not known. */
  find(name: string): Account | undefined {
    return this.#table.get(name);
  }

  /** What to check a password against, of anybody: that of an unknown name fits none. */
  passwordOf(name: string): PasswordHash {
    return this.#table.get(name)?.password ?? this.#nobody;
  }

  /** Reads the file again if it has changed. A bad one is said in the log, and the former table stays. */
  refresh(): void {
    const version = this.#versionNow();
    if (this.#file === undefined || version === this.#version) return;
    this.#version = version;
    try {
      this.#table = readAccounts(this.#file);
      this.#log.info("portal.accounts.read", { users: this.#table.size });
    } catch (error) {
      this.#log.error("portal.accounts.failed", { error });
    }
  }

  #versionNow(): string {
    const stat = this.#file === undefined ? undefined : statSync(this.#file, { throwIfNoEntry: false });
    return stat === undefined ? "" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
  }
}
