/** The file of a SIP proxy's accounts: users, and hashes of their passwords (RFC 7616 §3.4.2: H(A1), hexadecimal). */
import { z } from "zod";
import { ConfigError } from "../model/errors.js";
import { readDocument } from "./document.js";
import { problemsOf } from "./problems.js";
import { domainName, type ScalarKind, userName } from "./scalars.js";

const hash = (digits: number) =>
  z
    .string()
    .toLowerCase()
    .regex(new RegExp(`^[0-9a-f]{${digits}}$`), `this is not a hash of ${digits} hexadecimal digits`)
    .meta({ kind: "hexadecimal digits", example: "0".repeat(digits) } satisfies ScalarKind);

const accountKeys = () =>
  z.strictObject({
    user: userName().describe("User part of the SIP address."),
    domain: domainName().describe("Domain of the SIP address, and realm of the hashes."),
    ha1: z
      .strictObject({
        "SHA-256": hash(64).optional().describe("SHA-256 of user:domain:password."),
        "SHA-512-256": hash(64).optional().describe("SHA-512/256 of user:domain:password."),
        MD5: hash(32).optional().describe("MD5 of user:domain:password; only for telephones that know nothing else."),
      })
      .refine((hashes) => Object.values(hashes).some((text) => text !== undefined), "there is no hash")
      .describe("By algorithm; an account may use those that it has."),
  });

export const sipAccountsSchema = () =>
  z.strictObject({ accounts: z.array(accountKeys()).max(100_000).describe("One for each user.") });

export type SipAccountConfig = z.output<ReturnType<typeof sipAccountsSchema>>["accounts"][number];

/** @throws ConfigError that names everything wrong with the file */
export function readSipAccounts(file: string): readonly SipAccountConfig[] {
  const document = readDocument(file);
  const schema = sipAccountsSchema();
  const result = schema.safeParse(document.value);
  if (!result.success) throw new ConfigError("CONFIG_INVALID", problemsOf(result.error.issues, document, schema));
  const { accounts } = result.data;
  const seen = new Set<string>();
  const again = accounts.findIndex(({ user, domain }) => {
    const name = `${user}@${domain}`;
    return seen.has(name) || !seen.add(name);
  });
  if (again < 0) return accounts;
  const place = document.placeOf(["accounts", again]);
  const message = "this user has an account above";
  throw new ConfigError("CONFIG_INVALID", [
    { place, path: `accounts[${again}]`, message, remedy: "leave one of them" },
  ]);
}
