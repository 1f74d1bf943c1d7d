import { generateKeyPairSync, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SystemError } from "../../../src/model/errors.js";
import type { Timestamp } from "../../../src/model/units.js";
import { decodeClaims, encodeClaims, type TokenClaims } from "../../../src/osp/token/claims.js";
import { decodeSignedData, encodeSignedData } from "../../../src/osp/token/cms.js";
import { MemoryReplayGuard } from "../../../src/osp/token/replay-guard.js";
import { loadSigner, loadTrust, type TokenSigner } from "../../../src/osp/token/signer.js";
import { signToken, type TokenExpectations, verifyToken } from "../../../src/osp/token/token.js";
import { FakeClock } from "../../support/fake-clock.js";
import { at, CALL_ID, type KeyFiles, makeKey, NOW, txid } from "../support.js";

let files: KeyFiles;
let other: KeyFiles;
let signer: TokenSigner;

beforeAll(async () => {
  files = await makeKey();
  other = await makeKey();
  signer = loadSigner(files);
});
afterAll(() => Promise.all([files.remove(), other.remove()]));

const CLAIMS: TokenClaims = {
  transactionId: txid("900001"),
  calling: "alice@a.example",
  called: "bob@b.example",
  callId: CALL_ID,
  validAfter: at("2026-01-02T03:03:05Z"),
  validUntil: at("2026-01-02T03:09:05Z"),
  limit: 3600,
  audience: "b.example",
};
const EXPECTED: TokenExpectations = {
  now: NOW,
  calling: CLAIMS.calling,
  called: CLAIMS.called,
  callId: CALL_ID,
  audience: "b.example",
};
const check = (token: Buffer, expected: Partial<TokenExpectations> = {}) =>
  verifyToken(token, [signer.certificate], { ...EXPECTED, ...expected });
const refused = (reason: string) => ({ valid: false, reason });
const later = (time: Timestamp, seconds: number) => (time + seconds * 1000) as Timestamp;

describe("a token", () => {
  it("says what was signed, and fits into a SIP header over UDP", () => {
    const token = signToken(CLAIMS, signer);
    expect(check(token)).toEqual({ valid: true, claims: CLAIMS });
    expect(check(token, { issuer: "CN=ch.lab" }).valid).toBe(true);
    expect(token.toString("base64").length).toBeLessThanOrEqual(480);
  });

  it("is CMS that openssl verifies, with the same content", async () => {
    const token = signToken(CLAIMS, signer);
    const path = join(files.directory, "token.der");
    await writeFile(path, token);
    const certificate = join(files.directory, "ch.crt");
    const trust = ["-certfile", certificate, "-CAfile", certificate, "-purpose", "any", "-binary"];
    const { stdout } = await execa("openssl", ["cms", "-verify", "-inform", "DER", "-in", path, ...trust], {
      stripFinalNewline: false,
    });
    expect(decodeClaims(Buffer.from(stdout))).toEqual(CLAIMS);
    expect(stdout).toMatch(
      /^V=1\nr=\d+\nc=alice@a\.example\nC=bob@b\.example\ni=YTFAMTkyLjAuMi4x\na=2026-01-02T03:03:05Z\nu=2026-01-02T03:09:05Z\nI=900001\nA=3600\ne=b\.example\n$/,
    );
  });

  it("is refused with the reason", () => {
    const token = signToken(CLAIMS, signer);
    expect(check(token, { calling: "mallory@a.example" })).toEqual(refused("calling"));
    expect(check(token, { called: "bob@c.example" })).toEqual(refused("called"));
    expect(check(token, { callId: Buffer.from("a1@192.0.2.12") })).toEqual(refused("callId"));
    expect(check(token, { audience: "c.example" })).toEqual(refused("audience"));
    expect(check(token, { issuer: "CN=other" })).toEqual(refused("issuer"));
    expect(check(token, { now: at("2040-01-01T00:00:00Z") })).toEqual(refused("certificateExpired"));
    expect(verifyToken(token, [], EXPECTED)).toEqual(refused("issuer"));
    expect(verifyToken(token, loadTrust([other.certificatePem]), EXPECTED)).toEqual(refused("issuer"));
  });

  it("is valid within its times and 60 s of skew, to the second", () => {
    const token = signToken(CLAIMS, signer);
    expect(check(token, { now: later(CLAIMS.validAfter, -60) }).valid).toBe(true);
    expect(check(token, { now: later(CLAIMS.validAfter, -61) })).toEqual(refused("notYetValid"));
    expect(check(token, { now: later(CLAIMS.validUntil, 60) }).valid).toBe(true);
    expect(check(token, { now: later(CLAIMS.validUntil, 61) })).toEqual(refused("expired"));
    expect(check(token, { now: later(CLAIMS.validUntil, 1), skew: 0 })).toEqual(refused("expired"));
  });

  it("is used once, and not used up by a wrong use", () => {
    const replay = new MemoryReplayGuard(new FakeClock(NOW));
    const token = signToken(CLAIMS, signer);
    expect(check(token, { replay, called: "bob@c.example" }).valid).toBe(false);
    expect(check(token, { replay }).valid).toBe(true);
    expect(check(token, { replay })).toEqual(refused("replayed"));
    expect(check(signToken({ ...CLAIMS, transactionId: txid("900002") }, signer), { replay }).valid).toBe(true);
  });

  it("is not taken while the guard is full, and again when old ones expired", () => {
    const clock = new FakeClock(NOW);
    const guard = new MemoryReplayGuard(clock, 2);
    const until = later(NOW, 10);
    const use = (id: string) => guard.seen(txid(id), CALL_ID, later(clock.now(), 10));
    expect([use("1"), use("2"), use("3")]).toEqual([false, false, true]);
    clock.time = until + 1;
    expect(use("3")).toBe(false);
  });
});

describe("a forged token", () => {
  it("with any octet changed is never valid with other claims, and never an exception", () => {
    const token = signToken(CLAIMS, signer);
    for (let place = 0; place < token.length; place += 1) {
      for (const change of [0x01, 0x20, 0x80, 0xff]) {
        const forged = Buffer.from(token);
        forged[place] = (forged[place] ?? 0) ^ change;
        const verdict = check(forged);
        if (verdict.valid) expect(verdict.claims).toEqual(CLAIMS);
      }
      const shorter = Buffer.concat([token.subarray(0, place), token.subarray(place + 1)]);
      expect(check(shorter).valid).toBe(false);
      expect(check(token.subarray(0, place))).toEqual(refused("malformed"));
    }
    expect(check(Buffer.concat([token, Buffer.from([0])]))).toEqual(refused("malformed"));
  });

  it("with content of its own under an old signature is refused", () => {
    const parts = decodeSignedData(signToken(CLAIMS, signer));
    const content = encodeClaims({ ...CLAIMS, calling: "mallory@a.example" }, 1);
    const forged = encodeSignedData({ ...parts!, content });
    expect(check(forged, { calling: "mallory@a.example" })).toEqual(refused("signature"));
  });

  it("that names the trusted signer but is signed by another key is refused", () => {
    const forger = { ...loadSigner(other), certificate: signer.certificate };
    expect(check(signToken(CLAIMS, forger))).toEqual(refused("signature"));
  });

  it("of random octets or of random signatures is refused", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => !check(Buffer.from(octets)).valid));
    const parts = decodeSignedData(signToken(CLAIMS, signer))!;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
        const verdict = check(encodeSignedData({ ...parts, signature: Buffer.from(octets) }));
        expect(verdict).toEqual(refused("signature"));
      }),
    );
    expect(check(Buffer.alloc(1_000_000, 0x30))).toEqual(refused("malformed"));
  });

  it("well signed but with content that is none is malformed", () => {
    const withContent = (text: string) => {
      const content = Buffer.from(text);
      const parts = { content, signer: signer.certificate.id, signature: sign("sha256", content, signer.key) };
      return check(encodeSignedData(parts));
    };
    const good = encodeClaims(CLAIMS, 1).toString();
    expect(withContent(good).valid).toBe(true);
    for (const bad of ["", "V=2\n", `${good}x=1\n`, `${good}c=twice\n`, good.replace("I=", "I=x"), good.slice(0, 80)]) {
      expect(withContent(bad)).toEqual(refused("malformed"));
    }
  });
});

describe("claims", () => {
  it("come back as they were", () => {
    const value = fc.stringMatching(/^[\x21-\x7e]{1,100}$/);
    const callId = fc.uint8Array({ minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(value, value, callId, fc.bigInt(0n, (1n << 64n) - 1n), (calling, called, octets, id) => {
        const claims = { ...CLAIMS, calling, called, callId: Buffer.from(octets), transactionId: txid(String(id)) };
        expect(decodeClaims(encodeClaims(claims, 7))).toEqual(claims);
      }),
    );
  });

  it("that no deployed validator could read are not signed", () => {
    for (const calling of ["", "a b", "a\nI=1", "x".repeat(200)]) {
      expect(() => signToken({ ...CLAIMS, calling }, signer)).toThrow(/cannot carry/);
    }
  });
});

describe("loadSigner", () => {
  it("refuses keys that do not fit, with a remedy and without the key's text", async () => {
    const rsa = await makeKey("ch.lab", ["-newkey", "rsa:2048"]);
    const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
    const bad = [
      { keyPem: "garbage", certificatePem: files.certificatePem },
      { keyPem: files.keyPem, certificatePem: "garbage" },
      { keyPem: other.keyPem, certificatePem: files.certificatePem },
      { keyPem: p384.export({ type: "pkcs8", format: "pem" }), certificatePem: files.certificatePem },
      rsa,
    ];
    for (const pair of bad) {
      try {
        loadSigner(pair);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(SystemError);
        expect(error).toMatchObject({ code: "OSP_SIGNER", remedy: expect.stringContaining("openssl req") });
      }
    }
    await rsa.remove();
  });
});
