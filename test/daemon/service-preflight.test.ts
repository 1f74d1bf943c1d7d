import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RoleConfig } from "../../src/config/load.js";
import { examineServices } from "../../src/daemon/service-preflight.js";
import { hashPassword } from "../../src/portal/accounts/password.js";

let directory: string;
let files: Record<"key" | "certificate" | "secret" | "accounts" | "sipAccounts" | "pages", string>;
const place = (name: string): string => join(directory, name);

/** @param names - its subjectAltName; a common name alone if left out */
function makePair(name: string, names?: string): void {
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "100"];
  const subject = [
    "-subj",
    "/CN=portal.a.example",
    ...(names === undefined ? [] : ["-addext", `subjectAltName=${names}`]),
  ];
  const out = ["-keyout", place(`${name}.key`), "-out", place(`${name}.crt`)];
  execFileSync("openssl", ["req", "-x509", ...kind, ...subject, ...out], { stdio: "ignore" });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-service-preflight-"));
  makePair("one", "DNS:portal.a.example,DNS:*.b.example,IP:192.0.2.8,IP:2001:db8::8");
  makePair("other", "DNS:portal.a.example");
  makePair("nameless");
  writeFileSync(place("secret"), "0123456789abcdef\n");
  writeFileSync(place("short"), "0123456789\n\n\n\n\n\n\n\n");
  const password = await hashPassword("correct horse");
  writeFileSync(place("accounts"), `users:\n  - {name: al, password: "${password}"}\n`);
  mkdirSync(place("pages/assets"), { recursive: true });
  for (const name of ["index.html", "favicon.svg"]) writeFileSync(place(`pages/${name}`), name);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeEach(() => {
  files = {
    key: place("one.key"),
    certificate: place("one.crt"),
    secret: place("secret"),
    accounts: place("accounts"),
    sipAccounts: place("absent"),
    pages: place("pages"),
  };
});

const portal = (publicUrl = "https://portal.a.example") => {
  const { key, certificate, secret, accounts, pages } = files;
  return { role: "portal", tls: { key, certificate }, publicUrl, secret, accounts, pages } as unknown as RoleConfig;
};
const proxy = () => {
  const { key, certificate, secret } = files;
  const sip = { websocket: { tls: { key, certificate } }, registrar: {}, secret };
  return { role: "proxy", sip } as unknown as RoleConfig;
};
const told = (config: RoleConfig | undefined, now?: number) =>
  examineServices(config, now).map(({ id, severity }) => `${id} ${severity}`);

describe("files of a portal and of a proxy", () => {
  it("are well", () => {
    const all = ["portal.tls ok", "portal.secret ok", "portal.accounts ok", "portal.page ok"];
    expect(told(portal())).toEqual(all);
    expect(told(proxy())).toEqual(["proxy.tls ok", "proxy.secret ok"]);
  });

  it("are no matter to other roles, nor to a proxy without them", () => {
    expect(told(undefined)).toEqual([]);
    expect(told({ role: "pdp" } as RoleConfig)).toEqual([]);
    expect(told({ role: "proxy", sip: {} } as unknown as RoleConfig)).toEqual([]);
    const plain = { role: "proxy", sip: { websocket: { tls: "none" } } } as unknown as RoleConfig;
    expect(told(plain)).toEqual([]);
  });

  it.each(["portal", "proxy"] as const)("%s: a key of another certificate", (role) => {
    files = { ...files, key: place("other.key") };
    const [found] = examineServices(role === "portal" ? portal() : proxy());
    expect(found).toMatchObject({ id: `${role}.tls`, severity: "error", why: "the role does not start" });
    expect(found?.what).toContain("is not that of the certificate");
    expect(found?.remedy).not.toBe("");
  });

  it("a certificate that is missing, is none, or has run out", () => {
    files = { ...files, certificate: place("absent") };
    expect(examineServices(proxy())[0]).toMatchObject({ severity: "error", what: `${place("absent")} cannot be read` });
    files = { ...files, certificate: place("secret") };
    expect(examineServices(proxy())[0]?.what).toContain("are no key and certificate");
    files = { ...files, certificate: place("one.crt") };
    const days = (count: number): number => Date.now() + count * 86_400_000;
    expect(told(proxy(), days(95))[0]).toBe("proxy.tls warning");
    expect(told(proxy(), days(101))[0]).toBe("proxy.tls error");
  });

  it.each([
    ["https://portal.a.example:8443", undefined],
    ["https://web1.b.example", undefined],
    ["https://192.0.2.8:8443", undefined],
    ["https://[2001:db8::8]", undefined],
    ["https://sip1.a.example", "DNS:sip1.a.example"],
    ["https://b.example", "DNS:b.example"],
    ["https://192.0.2.9", "IP:192.0.2.9"],
    ["https://[2001:db8::9]", "IP:2001:db8::9"],
  ])("a certificate of the portal for %s, which wants %s", (url, wanted) => {
    const [found] = examineServices(portal(url));
    if (wanted === undefined) {
      expect(found).toMatchObject({ id: "portal.tls", severity: "ok" });
      return;
    }
    expect(found).toMatchObject({ id: "portal.tls", severity: "error", why: "browsers refuse to connect" });
    expect(found?.what).toMatch(/one\.crt is not for /);
    expect(found?.remedy).toBe(`have one made with the subjectAltName ${wanted}`);
    expect(found?.detail).toContain("DNS:portal.a.example, DNS:*.b.example");
  });

  it.each(["portal", "proxy"] as const)("%s: a certificate with a common name alone", (role) => {
    files = { ...files, key: place("nameless.key"), certificate: place("nameless.crt") };
    const [found] = examineServices(role === "portal" ? portal() : proxy());
    expect(found).toMatchObject({ id: `${role}.tls`, severity: "error", detail: "it has no subjectAltName" });
  });

  it("a secret that is short, accounts that are none, a page that is not built", () => {
    files = { ...files, secret: place("short"), accounts: place("secret"), pages: place("nothing") };
    const found = examineServices(portal());
    expect(found.map(({ id, severity }) => `${id} ${severity}`)).toEqual([
      "portal.tls ok",
      "portal.secret error",
      "portal.accounts error",
      "portal.page error",
    ]);
    expect(found.map(({ remedy }) => remedy)).toEqual([
      "",
      expect.stringMatching(/^head -c 32 \/dev\/urandom/),
      expect.stringContaining("sluice portal passwd"),
      "npm run build",
    ]);
    // No part of a secret is told.
    expect(JSON.stringify(found)).not.toContain("0123456789");
  });
});
