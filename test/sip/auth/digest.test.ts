import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestAlgorithmOf, digestResponse, ha1Of, sameDigest } from "../../../src/sip/auth/algorithms.js";
import { formatChallenge, parseCredentials } from "../../../src/sip/auth/digest-header.js";

describe("the examples of RFC 7616 §3.9", () => {
  const mufasa = { user: "Mufasa", realm: "http-auth@example.org", password: "Circle of Life" };
  const input = {
    method: "GET",
    uri: "/dir/index.html",
    nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    nc: "00000001",
    cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
  };

  it("3.9.1 with SHA-256 and with MD5", () => {
    expect(digestResponse("MD5", ha1Of("MD5", mufasa), input)).toBe("8ca523f5e9506fed4657c9700eebdbec");
    expect(digestResponse("SHA-256", ha1Of("SHA-256", mufasa), input)).toBe(
      "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    );
  });

  it("3.9.1 as a header field", () => {
    const value =
      'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256,' +
      ` nonce="${input.nonce}", nc=00000001, cnonce="${input.cnonce}", qop=auth,` +
      ' response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",' +
      ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
    const read = parseCredentials(value);
    if (read === undefined) throw new Error("unread");
    expect(read).toMatchObject({ user: "Mufasa", algorithm: "SHA-256", nc: "00000001", uri: input.uri });
    expect(digestResponse("SHA-256", ha1Of("SHA-256", mufasa), { ...read, method: "GET" })).toBe(read.response);
  });

  it("3.9.2 with SHA-512-256 and a name beyond ASCII", () => {
    const login = { user: "J\u00e4s\u00f8n Doe", realm: "api@example.org", password: "Secret, or not?" };
    const given = {
      method: "GET",
      uri: "/doe.json",
      nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
      nc: "00000001",
      cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    };
    // What the RFC prints was made with SHA-512 cut to 256 bits, which is another function than the one that it names.
    const cut = (text: string) => createHash("sha512").update(text).digest("hex").slice(0, 64);
    const ha1 = cut(`${login.user}:${login.realm}:${login.password}`);
    expect(cut(`${ha1}:${given.nonce}:${given.nc}:${given.cnonce}:auth:${cut("GET:/doe.json")}`)).toBe(
      "ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd",
    );
    expect(digestResponse("SHA-512-256", ha1Of("SHA-512-256", login), given)).toBe(
      "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5",
    );
  });
});

describe("credentials in a header field", () => {
  const good =
    'Digest username="a", realm="r", nonce="n", uri="sip:r", nc=00000001, cnonce="c", qop=auth, response="' +
    `${"0".repeat(32)}"`;

  it("without an algorithm are MD5", () => {
    expect(parseCredentials(good)).toMatchObject({ algorithm: "MD5", user: "a", realm: "r" });
    expect(digestAlgorithmOf("sha-256")).toBe("SHA-256");
    expect(digestAlgorithmOf("MD5-sess")).toBeUndefined();
  });

  it.each([
    ["another scheme", good.replace("Digest", "Basic")],
    ["no qop, which would have no count", good.replace("qop=auth, ", "")],
    ["qop auth-int, which was not offered", good.replace("qop=auth", "qop=auth-int")],
    ["a name twice", `${good}, realm="other"`],
    ["a count that is none", good.replace("00000001", "1")],
    ["a response of the wrong length", good.replace("0000", "00")],
    ["an open quote", good.replace('"a"', '"a')],
    ["no comma", good.replace(", realm", " realm")],
    ["nothing", "Digest "],
    ["too much", `${good}, x="${"y".repeat(3000)}"`],
  ])("are not taken: %s", (_name, value) => {
    expect(parseCredentials(value)).toBeUndefined();
  });

  it("are read or not, but never choke the reader", () => {
    const piece = fc.constantFrom(
      "Digest ",
      "username=",
      '"',
      "\\",
      ",",
      "=",
      " ",
      "a",
      "realm",
      "response=",
      "qop=auth",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const read = parseCredentials(`Digest ${pieces.join("")}`);
        expect(read === undefined || read.nc.length === 8).toBe(true);
      }),
    );
    const long = `Digest ${'a="\\'.repeat(400)}`;
    expect(parseCredentials(long.slice(0, 2048))).toBeUndefined();
  });

  it("undo quoting", () => {
    expect(parseCredentials(good.replace('"a"', '"a\\"b, c=d"'))?.user).toBe('a"b, c=d');
  });
});

describe("a challenge", () => {
  it("says what RFC 7616 wants", () => {
    const challenge = { realm: "a.example", nonce: "n", algorithm: "SHA-256", stale: true } as const;
    expect(formatChallenge(challenge)).toBe(
      'Digest realm="a.example", nonce="n", algorithm=SHA-256, qop="auth", stale=true',
    );
  });
});

describe("comparison", () => {
  it("is by value", () => {
    expect([sameDigest("ab", "ab"), sameDigest("ab", "ac"), sameDigest("ab", "abc")]).toEqual([true, false, false]);
  });
});
