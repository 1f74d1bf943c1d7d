import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { Accounts, readAccounts } from "../../../src/portal/accounts/accounts.js";
import { hashPassword, PasswordChecker } from "../../../src/portal/accounts/password.js";
import { formatHash, parseHash } from "../../../src/portal/accounts/phc.js";
import { CHEAP } from "../support.js";

let directory = "";
let strong = "";
let other = "";

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-accounts-"));
  strong = await hashPassword("correct horse");
  other = await hashPassword("battery staple");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const write = (text: string, name = "accounts.yaml"): string => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};

describe("hashes", () => {
  it("are scrypt as OWASP says, and go through text unchanged", () => {
    expect(strong).toMatch(/^\$scrypt\$ln=17,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(formatHash(parseHash(strong)!)).toBe(strong);
  });

  it("are those of RFC 7914 §12", async () => {
    // Third vector: P "pleaseletmein", S "SodiumChloride", N 16384, r 8, p 1.
    const salt = Buffer.from("SodiumChloride").toString("base64").replace(/=+$/, "");
    const hash =
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2" +
      "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
    const text = `$scrypt$ln=14,r=8,p=1$${salt}$${Buffer.from(hash, "hex").toString("base64").replace(/=+$/, "")}`;
    const checker = new PasswordChecker();
    expect(await checker.check("pleaseletmein", parseHash(text)!, "192.0.2.1")).toBe(true);
    expect(await checker.check("pleaseletmeIn", parseHash(text)!, "192.0.2.1")).toBe(false);
  });

  it.each([
    "",
    "$argon2id$v=19$m=65536$c2FsdA$aGFzaA",
    "$scrypt$ln=99,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$scrypt$ln=17,r=99,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$scrypt$ln=0,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "$scrypt$ln=17,r=8,p=1$AA$AA",
  ])("that are none are not read: %s", (text) => {
    expect(parseHash(text)).toBeUndefined();
  });

  it("are not made of what is too short, and do not depend on how Unicode is spelt", async () => {
    await expect(hashPassword("short")).rejects.toMatchObject({ code: "PASSWORD_LENGTH" });
    const composed = parseHash(await hashPassword("caf\u00e9 au lait", CHEAP))!;
    expect(await new PasswordChecker().check("cafe\u0301 au lait", composed, "192.0.2.1")).toBe(true);
  });
});

describe("PasswordChecker", () => {
  it("works on one at a time, and turns away what would wait too long", async () => {
    const hash = parseHash(await hashPassword("correct horse", CHEAP))!;
    const checker = new PasswordChecker({ atOnce: 1, waiting: 3, waitingPerSource: 9 });
    const answers = Array.from({ length: 6 }, () => checker.check("correct horse", hash, "192.0.2.1"));
    expect(checker.waiting).toBe(3);
    expect(await Promise.all(answers)).toEqual([true, true, true, true, "busy", "busy"]);
    expect(checker.waiting).toBe(0);
    expect(await checker.check("wrong", hash, "192.0.2.1")).toBe(false);
  });

  it("has two of one source wait, and lets those that were right lately go first, however many others wait", async () => {
    const hash = parseHash(await hashPassword("correct horse", CHEAP))!;
    const checker = new PasswordChecker({ atOnce: 1, waiting: 4, waitingPerSource: 2 });
    expect(await checker.check("correct horse", hash, "203.0.113.5")).toBe(true);
    const done: string[] = [];
    const check = async (source: string, password = "wrong") => {
      const answer = await checker.check(password, hash, source);
      done.push(`${source} ${answer}`);
      return answer;
    };
    const first = check("a");
    const flood = ["a", "a", "a", "b", "b", "b", "c"].map((source) => check(source));
    const user = check("203.0.113.5", "correct horse");
    expect(await Promise.all([first, ...flood, user])).toEqual([
      false,
      ...[false, false, "busy"],
      ...[false, false, "busy"],
      "busy",
      true,
    ]);
    expect(done.filter((line) => !line.endsWith("busy"))).toEqual([
      "a false",
      "203.0.113.5 true",
      "a false",
      "a false",
      "b false",
      "b false",
    ]);
    expect(await Promise.all([check("a"), check("a"), check("a")])).toEqual([false, false, false]);
  });
});

describe("the file", () => {
  it("gives accounts", () => {
    const table = readAccounts(write(`users:\n  - { name: alice, nick: Al, password: "${strong}", operator: true }\n`));
    expect(table.get("alice")).toMatchObject({ name: "alice", nick: "Al", operator: true });
  });

  it("says what is wrong with it, and where, without showing a hash", () => {
    const weak = strong.replace("ln=17", "ln=12");
    const file = write(
      `users:
  - { name: alice, nick: Al, password: "${weak}" }
  - { name: alice, nick: "a/../b", password: "${other}", admin: true }
`,
      "bad.yaml",
    );
    let message = "";
    try {
      readAccounts(file);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      message = String(error instanceof Error ? error.message : error).replaceAll(file, "F");
    }
    expect(message).toContain("F:2:");
    expect(message).toContain("the hash costs too little to guess");
    expect(message).toContain("a nick name is 1 to 32 letters");
    expect(message).toContain('unknown key "admin"');
    expect(message).not.toContain("$scrypt$");
    const twice = `users:\n  - { name: a, nick: X, password: "${other}" }\n  - { name: b, nick: x, password: "${other}" }\n`;
    expect(() => readAccounts(write(twice, "twice.yaml"))).toThrow('nick "x" is already taken');
  });

  it("is read again when it has changed; a bad one changes nothing", () => {
    const file = write(`users: [{ name: alice, password: "${strong}" }]\n`, "live.yaml");
    const accounts = new Accounts(file, SILENT_LOGGER);
    const before = accounts.find("alice")?.fingerprint;
    write(`users: [{ name: alice, password: "${other}" }, { name: bob, password: "${strong}" }]\n`, "live.yaml");
    utimesSync(file, 1, 1);
    accounts.refresh();
    expect(accounts.find("bob")).toBeDefined();
    expect(accounts.find("alice")?.fingerprint).not.toBe(before);
    write("users: oops\n", "live.yaml");
    accounts.refresh();
    expect(accounts.find("bob")).toBeDefined();
  });

  it("makes names that it does not have cost the same", () => {
    const accounts = new Accounts(
      write(`users: [{ name: alice, password: "${strong}" }]\n`, "one.yaml"),
      SILENT_LOGGER,
    );
    const [known, unknown] = [accounts.passwordOf("alice"), accounts.passwordOf("mallory")];
    const cost = ({ ln, r, p, salt, hash }: typeof known) => [ln, r, p, salt.length, hash.length];
    expect(cost(unknown)).toEqual(cost(known));
    expect(unknown.hash.equals(known.hash)).toBe(false);
  });
});
