import { describe, expect, it } from "vitest";
import { seconds, timestamp } from "../../../src/model/units.js";
import { type DigestAlgorithm, digestResponse, ha1Of } from "../../../src/sip/auth/algorithms.js";
import { CredentialStore } from "../../../src/sip/auth/credential-store.js";
import { DEFAULT_FAILURE_LIMITS, FailureBudget } from "../../../src/sip/auth/failure-budget.js";
import { readShortLived, shortLivedCredentials } from "../../../src/sip/auth/short-lived.js";
import { type AuthQuestion, type AuthVerdict, DigestVerifier } from "../../../src/sip/auth/verifier.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { read, requestText } from "../harness.js";

const REALM = "a.example";
const URI = `sip:${REALM}`;
const SECRET = "shared between portal and proxy";
const NOW = timestamp(1_700_000_000_000);
const at = (offset: number) => timestamp(NOW + offset);

const store = new CredentialStore({
  accounts: [
    {
      user: "phone",
      domain: REALM,
      ha1: { "SHA-256": ha1Of("SHA-256", { user: "phone", realm: REALM, password: "pw" }) },
    },
  ],
  secret: SECRET,
  firstDomain: REALM,
});

const question = (over: Partial<AuthQuestion> = {}): AuthQuestion => ({
  asker: "registrar",
  realm: REALM,
  algorithms: ["SHA-256", "MD5"],
  source: "198.51.100.1",
  now: NOW,
  ...over,
});

const register = (authorization?: string): SipRequest =>
  read(
    Buffer.from(
      requestText({
        method: "REGISTER",
        uri: URI,
        extra: authorization === undefined ? [] : [`Authorization: ${authorization}`],
      }),
    ),
  ) as SipRequest;

interface Parts {
  user: string;
  password: string;
  nonce: string;
  algorithm?: DigestAlgorithm;
  nc?: string;
  uri?: string;
}

function authorization({ user, password, nonce, algorithm = "SHA-256", nc = "00000001", uri = URI }: Parts): string {
  const ha1 = ha1Of(algorithm, { user, realm: REALM, password });
  const input = { method: "REGISTER", uri, nonce, nc, cnonce: "c" };
  const response = digestResponse(algorithm, ha1, input);
  return (
    `Digest username="${user}", realm="${REALM}", nonce="${nonce}", uri="${uri}", algorithm=${algorithm}, ` +
    `qop=auth, nc=${nc}, cnonce="c", response="${response}"`
  );
}

function challenged(verdict: AuthVerdict): { nonce: string; stale: boolean; algorithms: string[] } {
  if (verdict.kind !== "answered" || verdict.status === 403) throw new Error("no challenge");
  const values = verdict.headers.map(({ value }) => value);
  return {
    nonce: /nonce="([^"]+)"/.exec(values[0] ?? "")?.[1] ?? "",
    stale: values.every((value) => value.includes("stale=true")),
    algorithms: values.map((value) => /algorithm=([\w-]+)/.exec(value)?.[1] ?? ""),
  };
}

describe("digest authentication", () => {
  it("challenges, the wanted algorithm first, and lets in who knows the password", () => {
    const verifier = new DigestVerifier({ credentials: store });
    const { nonce, algorithms, stale } = challenged(verifier.verify(register(), question()));
    expect([algorithms, stale]).toEqual([["SHA-256", "MD5"], false]);
    const mine = register(authorization({ user: "phone", password: "pw", nonce }));
    expect(verifier.verify(mine, question())).toEqual({ kind: "granted", user: "phone" });
    const next = register(authorization({ user: "phone", password: "pw", nonce, nc: "00000002" }));
    expect(verifier.verify(next, question({ now: at(200_000) }))).toEqual({ kind: "granted", user: "phone" });
    expect(verifier.counters).toMatchObject({ challenged: 1, granted: 2, failed: 0 });
  });

  it("takes a request once: repeated it is challenged anew, and no failure", () => {
    const verifier = new DigestVerifier({ credentials: store });
    const { nonce } = challenged(verifier.verify(register(), question()));
    const mine = register(authorization({ user: "phone", password: "pw", nonce }));
    expect(verifier.verify(mine, question()).kind).toBe("granted");
    expect(challenged(verifier.verify(mine, question())).stale).toBe(true);
    expect(verifier.counters).toMatchObject({ stale: 1, failed: 0 });
  });

  it("says stale to an old nonce, one from before a restart and one of another source, right or wrong", () => {
    const verifier = new DigestVerifier({ credentials: store });
    const { nonce } = challenged(verifier.verify(register(), question()));
    const restarted = new DigestVerifier({ credentials: store });
    for (const password of ["pw", "no"]) {
      const mine = register(authorization({ user: "phone", password, nonce }));
      expect(challenged(verifier.verify(mine, question({ now: at(301_000) }))).stale).toBe(true);
      expect(challenged(verifier.verify(mine, question({ source: "198.51.100.2" }))).stale).toBe(true);
      expect(challenged(restarted.verify(mine, question())).stale).toBe(true);
    }
    expect(verifier.counters).toMatchObject({ stale: 4, granted: 0, failed: 0 });
  });

  it("counts no failure of who cannot read what is sent to the source: nobody is locked out by forged addresses", () => {
    const verifier = new DigestVerifier({ credentials: store });
    const guess = (nonce: string) => register(authorization({ user: "phone", password: "guess", nonce }));
    const strangers = challenged(verifier.verify(register(), question({ source: "203.0.113.9" }))).nonce;
    for (let sent = 0; sent < 200; sent += 1) {
      for (const nonce of ["never-issued", strangers]) verifier.verify(guess(nonce), question({ now: at(sent) }));
    }
    const { nonce } = challenged(verifier.verify(register(), question({ now: at(300) })));
    const mine = register(authorization({ user: "phone", password: "pw", nonce }));
    expect(verifier.verify(mine, question({ now: at(301) })).kind).toBe("granted");
    expect(verifier.counters).toMatchObject({ failed: 0, blocked: 0, stale: 400 });
  });

  it("wants the digest to be for this request, by an algorithm that was offered and that the account has", () => {
    const verifier = new DigestVerifier({ credentials: store });
    const { nonce } = challenged(verifier.verify(register(), question()));
    const foreign = authorization({ user: "phone", password: "pw", nonce, uri: "sip:b.example" });
    expect(challenged(verifier.verify(register(foreign), question())).stale).toBe(false);
    const md5 = register(authorization({ user: "phone", password: "pw", nonce, algorithm: "MD5" }));
    expect(verifier.verify(md5, question({ algorithms: ["SHA-256"] })).kind).toBe("answered");
    expect(verifier.counters.failed).toBe(1);
    expect(verifier.verify(md5, question()).kind).toBe("answered");
    expect(verifier.counters.failed).toBe(2);
  });

  it("asks as a proxy with 407", () => {
    const verifier = new DigestVerifier({ credentials: store });
    expect(verifier.verify(register(), question({ asker: "proxy" }))).toMatchObject({
      status: 407,
      headers: [{ name: "Proxy-Authenticate" }, { name: "Proxy-Authenticate" }],
    });
  });

  it("refuses a guesser after a few tries, counts them, and lets the user in from elsewhere", () => {
    const verifier = new DigestVerifier({ credentials: store });
    const { nonce } = challenged(verifier.verify(register(), question()));
    const statuses = Array.from({ length: 8 }, (_, index) => {
      const guess = authorization({ user: "phone", password: `guess ${index}`, nonce });
      const verdict = verifier.verify(register(guess), question({ now: at(index) }));
      return verdict.kind === "answered" ? verdict.status : 200;
    });
    expect(statuses).toEqual([401, 401, 401, 401, 401, 403, 403, 403]);
    expect(verifier.counters).toMatchObject({ failed: 5, blocked: 3 });
    const right = register(authorization({ user: "phone", password: "pw", nonce }));
    expect(verifier.verify(right, question())).toMatchObject({
      status: 403,
      headers: [{ name: "Warning" }, { name: "Retry-After", value: "60" }],
    });
    const elsewhere = { source: "198.51.100.2" };
    const { nonce: there } = challenged(verifier.verify(register(), question(elsewhere)));
    const other = register(authorization({ user: "phone", password: "pw", nonce: there }));
    expect(verifier.verify(other, question(elsewhere)).kind).toBe("granted");
    expect(verifier.verify(right, question({ now: at(60_001) })).kind).toBe("granted");
  });

  it("does not tell users from names that nobody has", () => {
    const verifier = new DigestVerifier({ credentials: store });
    const { nonce } = challenged(verifier.verify(register(), question()));
    const answers = ["phone", "nobody"].map((user) => {
      const verdict = verifier.verify(register(authorization({ user, password: "x", nonce })), question());
      return verdict.kind === "answered" ? [verdict.status, verdict.headers.length] : [];
    });
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe("short-lived credentials", () => {
  it("have this form", () => {
    const made = shortLivedCredentials("k", "alice", timestamp(1_700_000_000_999));
    expect(made.username).toBe("1700000000:alice");
    expect(made.password).toMatch(/^[\w-]{43}$/);
    expect(readShortLived("k", made.username)).toMatchObject({ user: "alice", password: made.password });
    expect(readShortLived("other", made.username)?.password).not.toBe(made.password);
    expect(readShortLived("k", "alice")).toBeUndefined();
    expect(readShortLived("k", "x:alice")).toBeUndefined();
  });

  it("let in until they run out, by MD5 too, and only where they are for", () => {
    const verifier = new DigestVerifier({ credentials: store });
    const { nonce } = challenged(verifier.verify(register(), question()));
    const { username: user, password } = shortLivedCredentials(SECRET, "zoe", at(10_000));
    const mine = (nc: string) => register(authorization({ user, password, nonce, algorithm: "MD5", nc }));
    expect(verifier.verify(mine("00000001"), question())).toEqual({ kind: "granted", user: "zoe", until: at(10_000) });
    expect(verifier.verify(mine("00000002"), question({ now: at(11_001) }))).toMatchObject({
      status: 403,
      headers: [{ name: "Warning", value: expect.stringContaining("run out") }],
    });
    expect(verifier.counters).toMatchObject({ expired: 1, failed: 0 });
    expect(store.find(user, "b.example", "MD5")).toBeUndefined();
    const there = shortLivedCredentials(SECRET, "zoe@b.example", at(10_000)).username;
    expect(store.find(there, "b.example", "MD5")?.user).toBe("zoe");
    expect(store.find(there, REALM, "MD5")).toBeUndefined();
  });
});

describe("a failure budget", () => {
  const limits = { ...DEFAULT_FAILURE_LIMITS, pair: 2, source: 4, user: 6, window: seconds(60), remembered: 30 };

  it("is of a source whatever the user, over a whole IPv6 /64", () => {
    const budget = new FailureBudget(limits);
    for (let guess = 0; guess < 4; guess += 1)
      budget.failed({ user: `u${guess}`, source: `2001:db8::${guess + 1}` }, NOW);
    expect(budget.blockedFor({ user: "new", source: "2001:db8::ffff" }, at(1))).toBe(59_999);
    expect(budget.blockedFor({ user: "new", source: "2001:db8:0:1::1" }, at(1))).toBeUndefined();
    expect(budget.blockedFor({ user: "new", source: "2001:db8::ffff" }, at(60_000))).toBeUndefined();
  });

  it("is of a user wherever the guesses come from, but not where the user is at home", () => {
    const budget = new FailureBudget(limits);
    budget.succeeded({ user: "zoe", source: "192.0.2.1" }, NOW);
    for (let guess = 0; guess < 6; guess += 1) budget.failed({ user: "zoe", source: `198.51.100.${guess}` }, NOW);
    expect(budget.blockedFor({ user: "zoe", source: "203.0.113.1" }, at(1))).toBe(59_999);
    expect(budget.blockedFor({ user: "zoe", source: "192.0.2.1" }, at(1))).toBeUndefined();
  });

  it("has a size, whoever guesses", () => {
    const budget = new FailureBudget(limits);
    for (let guess = 0; guess < 500; guess += 1) {
      budget.failed({ user: `u${guess}`, source: `10.0.${guess >> 8}.${guess & 255}` }, NOW);
      budget.succeeded({ user: `u${guess}`, source: "192.0.2.1" }, NOW);
    }
    expect(budget.size).toBeLessThanOrEqual(60);
  });
});
