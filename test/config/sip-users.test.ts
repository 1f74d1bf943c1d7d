import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { readSipAccounts } from "../../src/config/sip-accounts.js";
import { checkSipUsers, sipUserKeys } from "../../src/config/sip-users.js";

const schema = z.strictObject(sipUserKeys({ directory: "/etc/sluice", env: {} }));
const read = (written: unknown) => schema.parse(written);

describe("the users of a proxy", () => {
  it("are none unless the file says so", () => {
    const config = read({});
    expect(config).toMatchObject({ dns: false, flowGrace: 10_000 });
    expect([config.registrar, config.requireAuth]).toEqual([undefined, undefined]);
    expect(checkSipUsers(config)).toEqual([]);
  });

  it("register with what the portal hands out, or by accounts", () => {
    const config = read({ registrar: {}, secret: "secret", accounts: "accounts.yaml" });
    expect(config).toMatchObject({
      secret: "/etc/sluice/secret",
      accounts: "/etc/sluice/accounts.yaml",
      registrar: {
        authenticate: true,
        algorithms: ["SHA-256"],
        webAlgorithms: ["MD5"],
        minExpires: 30_000,
        defaultExpires: 600_000,
        maxExpires: 3_600_000,
      },
    });
    expect(checkSipUsers(config)).toEqual([]);
  });

  it.each([
    [{ registrar: {} }, ["sip", "registrar"]],
    [{ secret: "s" }, ["sip", "secret"]],
    [{ dnsPrefixes: ["10.9.0.0/16"] }, ["sip", "dnsPrefixes"]],
    [{ directory: "http://10.4.0.7/directory" }, ["sip", "directory"]],
    [{ registrar: { authenticate: false }, requireAuth: true }, ["sip", "requireAuth"]],
    [{ registrar: { minExpires: "1 h" }, secret: "s" }, ["sip", "registrar", "defaultExpires"]],
  ])("%j does not fit together", (written, path) => {
    expect(checkSipUsers(read(written))).toMatchObject([{ path }]);
  });

  it.each([
    { registrar: { algorithms: ["SHA-1"] } },
    { registrar: { algorithms: [] } },
    { flowGrace: 5 },
    { dns: "yes" },
    { dns: true, dnsPrefixes: ["10.9.0.1/16"] },
  ])("%j is refused", (written) => {
    expect(schema.safeParse(written).success).toBe(false);
  });
});

describe("a file of accounts", () => {
  let file = "";
  beforeEach(() => {
    file = join(mkdtempSync(join(tmpdir(), "sluice-accounts-")), "accounts.yaml");
  });
  afterEach(() => rmSync(join(file, ".."), { recursive: true, force: true }));
  const account = (user: string, hashes: string) => `  - {user: ${user}, domain: A.example, ha1: {${hashes}}}\n`;
  const write = (...accounts: string[]) => writeFileSync(file, `accounts:\n${accounts.join("")}`);

  it("has a hash for each algorithm that an account may use", () => {
    write(account("alice", `SHA-256: ${"A".repeat(64)}, MD5: ${"0a".repeat(16)}`));
    expect(readSipAccounts(file)).toEqual([
      { user: "alice", domain: "a.example", ha1: { "SHA-256": "a".repeat(64), MD5: "0a".repeat(16) } },
    ]);
  });

  it.each([
    ["no hash", () => write(account("alice", ""))],
    ["a hash that is none", () => write(account("alice", "MD5: secret"))],
    ["an algorithm that there is not", () => write(account("alice", `SHA-1: ${"0a".repeat(20)}`))],
    ["a user twice", () => write(account("a", `MD5: ${"0a".repeat(16)}`), account("a", `MD5: ${"0b".repeat(16)}`))],
    ["no accounts", () => writeFileSync(file, "users: []\n")],
    ["no file", () => undefined],
  ])("is refused with the place: %s", (_name, make) => {
    make();
    expect(() => readSipAccounts(file)).toThrow(/accounts\.yaml:\d+:\d+: /);
  });
});
