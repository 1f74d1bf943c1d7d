import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { ConfigError } from "../../src/model/errors.js";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-portal-config-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const PORTAL = `role: portal
name: portal.a.example
listen: 192.0.2.8:443
tls: { key: p.key, certificate: p.crt }
publicUrl: https://portal.a.example
domain: a.example
accounts: accounts.yaml
secret: sip.secret
sip: { wss: "wss://sip1.a.example:5443" }
pdp: { control: /run/sluice/pdp.sock }
proxy: { control: /run/sluice/proxy.sock }
`;

function complaints(text: string, needFiles = false): string {
  const file = join(directory, "bad.yaml");
  writeFileSync(file, text);
  try {
    loadConfig(file, undefined, { needFiles });
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(`${file}:`, "");
    throw error;
  }
  return "";
}

describe("the configuration of a portal", () => {
  it("is the example", () => {
    const config = loadConfig(join(import.meta.dirname, "../../configs/portal.yaml"), "portal", { needFiles: false });
    expect(config).toMatchObject({
      listen: { address: "192.0.2.8", port: 443 },
      publicUrl: "https://portal.a.example",
      sip: { wss: "wss://sip1.a.example:5443/sip", expires: 600_000, stun: [] },
      directory: { url: "http://203.0.113.7:5046/directory" },
      sessions: { idle: 7_200_000, absolute: 86_400_000 },
      limits: { connections: 10_000 },
    });
    expect(config.classes[0]).toEqual({ name: "game-fps", label: "Game, fast", latency: 40, jitter: 15, loss: 0.005 });
  });

  it("may be short", () => {
    expect(complaints(PORTAL)).toBe("");
  });

  it("takes STUN servers by their URIs (RFC 7064), and nothing else", () => {
    const withStun = (uri: string): string => complaints(PORTAL.replace('5443" }', `5443", stun: ["${uri}"] }`));
    for (const uri of ["stun:stun.a.example", "stuns:192.0.2.1:5349", "stun:[2001:db8::1]:3478"]) {
      expect(withStun(uri)).toBe("");
    }
    for (const uri of ["turn:a.example", "stun:", "stun://a.example", "stun:a b", "stun:a.example:0", "stun:a:70000"]) {
      expect(withStun(uri)).toContain("stun:stun.a.example:3478");
    }
  });

  it("names the files that are missing", () => {
    const text = complaints(PORTAL, true);
    for (const key of ["accounts", "secret", "tls.key", "tls.certificate"])
      expect(text).toContain(`${key}: there is no file`);
  });

  it.each([
    ["tls: { key: p.key, certificate: p.crt }", "tls: none", "tls: plain HTTP would be accepted from anywhere"],
    ["https://portal.a.example", "http://portal.a.example", "publicUrl: browsers keep no log-in over plain HTTP"],
    ["https://portal.a.example", "https://portal.a.example/x", "has more than scheme, host and port"],
    ["wss://sip1", "ws://sip1", "sip.wss: a page that came by HTTPS may not open a plain WebSocket"],
    ["wss://sip1", "https://sip1", "is not a ws(s) URL"],
    ["domain: a.example", "domain: a.example\nsessions: { idle: 2 d }", "sessions.idle: idle is longer than absolute"],
    [
      "domain: a.example",
      "domain: a.example\nclasses: [{ name: a, label: A, latency: 1 s, jitter: 1 s, loss: 0.5 }]",
      '"0.5" is not a percentage',
    ],
    [
      "domain: a.example",
      "domain: a.example\nwatch: [{ name: a, control: a.sock }, { name: a, control: b.sock }]",
      'name "a" is already taken',
    ],
  ])("refuses %j as %j", (from, to, message) => {
    expect(PORTAL).toContain(from);
    expect(complaints(PORTAL.replace(from, to))).toContain(message);
  });

  it("takes plain HTTP on loopback, and behind a proxy", () => {
    const none = PORTAL.replace("tls: { key: p.key, certificate: p.crt }", "tls: none");
    expect(complaints(none.replace("192.0.2.8:443", "127.0.0.1:8080"))).toBe("");
    expect(complaints(`${none}trustedProxies: [192.0.2.1]\n`)).toBe("");
  });
});
