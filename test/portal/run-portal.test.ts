/** The role as it is run: from files, with its control socket, beside a directory and another portal. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { controlRequest } from "../../src/control/client.js";
import { runRole } from "../../src/daemon/run.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { hashPassword } from "../../src/portal/accounts/password.js";
import { DirectoryClient } from "../../src/portal/presence/directory-client.js";
import { startDirectory, type TinyDirectory } from "./presence/directory.js";
import { Browser, PASSWORD, startPortal, writePages } from "./support.js";

let directory = "";
let tiny: TinyDirectory;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-run-portal-"));
  tiny = await startDirectory();
});
afterEach(async () => {
  await tiny.close();
  rmSync(directory, { recursive: true, force: true });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

it("serves users from files, and shows who is on-line at other portals", { timeout: 60_000 }, async () => {
  const [key, crt] = [join(directory, "key"), join(directory, "crt")];
  const kind = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=localhost",
    "-days",
    "5",
  ];
  await execa("openssl", ["req", "-x509", ...kind, "-keyout", key, "-out", crt]);
  const port = await freePort();
  const write = (name: string, text: string | Buffer): void => writeFileSync(join(directory, name), text);
  write("secret", `${"s".repeat(32)}\n`);
  write("accounts.yaml", `users: [{ name: alice, nick: Al, password: "${await hashPassword(PASSWORD)}" }]\n`);
  writePages(join(directory, "pages"));
  write(
    "portal.yaml",
    `role: portal
name: portal.a.example
state: state
control: portal.sock
listen: 127.0.0.1:${port}
tls: { key: key, certificate: crt }
publicUrl: https://portal.a.example
domain: a.example
accounts: accounts.yaml
secret: secret
sip: { wss: "wss://127.0.0.1:5443", stun: ["stun:stun.a.example:3478"] }
pdp: { control: pdp.sock }
proxy: { control: proxy.sock }
directory: { url: "${tiny.url}" }
pages: pages
`,
  );
  const role = await runRole(loadConfig(join(directory, "portal.yaml"), "portal"), { log: SILENT_LOGGER });
  const other = await startPortal({ domain: "b.example", directory: new DirectoryClient(tiny.url) });
  try {
    const alice = new Browser(port, readFileSync(crt));
    const session = await alice.login("alice");
    expect(session).toMatchObject({ status: 200, json: { nick: "Al", directory: true } });
    expect(session.json.sip.username).toMatch(/^\d+:alice$/);
    expect(session.json.sip.stun).toEqual(["stun:stun.a.example:3478"]);
    expect(session.json.sip.password).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const bob = other.browser();
    await bob.login("bob");
    const [near, far] = [await alice.events("/api/events"), await bob.events("/api/events")];
    const sees = (reader: typeof near, nick: string, state: string) =>
      vi.waitFor(() => expect(reader.of("presence").flat()).toContainEqual(expect.objectContaining({ nick, state })), {
        timeout: 20_000,
      });
    await Promise.all([sees(near, "Bo", "online"), sees(far, "Al", "online")]);
    expect(tiny.entries.get("Al")).toMatchObject({ aor: "alice@a.example", online: true });
    await bob.post("/api/logout");
    await sees(near, "Bo", "offline");
    const socket = join(directory, "portal.sock");
    expect(await controlRequest(socket, "/v1/health")).toMatchObject({
      role: "portal",
      name: "portal.a.example",
      // Nobody runs its policy server here.
      status: "degraded",
      problems: ["the policy server's control socket does not answer"],
      warnings: ["the certificate runs out in 4 days"],
    });
    expect(await controlRequest(socket, "/v1/show/portal")).toMatchObject({
      users: 1,
      logins: 1,
      pages: 1,
      counters: { loginsAccepted: 1 },
      certificateUntil: expect.any(Number),
    });
    expect(await controlRequest(socket, "/v1/show/counters")).toEqual(
      expect.arrayContaining([
        { counter: "portal.pages", kind: "gauge", value: 1 },
        { counter: "portal.loginsAccepted", kind: "counter", value: 1 },
      ]),
    );
    near.close();
  } finally {
    await other.close();
    await role.close();
  }
});

it("does not start with a secret that is short, or without its page", async () => {
  const config = {
    ...loadConfig(join(import.meta.dirname, "../../configs/portal.yaml"), "portal", { needFiles: false }),
    state: join(directory, "state"),
    secret: join(directory, "secret"),
    pages: join(directory, "none"),
  };
  writeFileSync(config.secret, "short\n");
  await expect(runRole(config, { log: SILENT_LOGGER })).rejects.toMatchObject({ code: "PORTAL_SECRET" });
  writeFileSync(config.secret, "s".repeat(32));
  await expect(runRole(config, { log: SILENT_LOGGER })).rejects.toMatchObject({ code: "PORTAL_PAGES" });
});
