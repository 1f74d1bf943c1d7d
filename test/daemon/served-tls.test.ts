/** Roles that serve browsers, while the files of their certificates are replaced. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadConfig, type RoleConfig } from "../../src/config/load.js";
import { controlRequest } from "../../src/control/client.js";
import type { HealthView } from "../../src/control/views.js";
import { runRole } from "../../src/daemon/run.js";
import type { KeyPairPaths } from "../../src/http/key-pair.js";
import { type Logger, SILENT_LOGGER } from "../../src/model/log.js";
import { greet, Pairs } from "../http/pairs.js";
import { writePages } from "../portal/support.js";

const CONFIGS = join(import.meta.dirname, "../../configs");

let pairs: Pairs;
let events: string[];
let log: Logger;
beforeEach(() => {
  pairs = new Pairs();
  events = [];
  const keep = (event: string): void => void events.push(event);
  log = { ...SILENT_LOGGER, info: keep, warn: keep };
});
afterEach(() => pairs.remove());

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

const common = (name: string) => ({ state: pairs.path(name), control: pairs.path(`${name}.sock`) });

function proxyConfig(port: number, tls: KeyPairPaths | "none"): RoleConfig {
  const config = loadConfig(join(CONFIGS, "proxy.yaml"), "proxy", { needFiles: false });
  const own = { listen: [{ address: "127.0.0.1", port }], origins: ["*"], trustedProxies: [] };
  const websocket = { ...own, tls, path: "/sip" };
  const sip = { ...config.sip, listen: [{ address: "127.0.0.1", port: 0 }], websocket };
  return { ...config, ...common("proxy"), sip, pdp: { ...config.pdp, servers: [{ address: "127.0.0.1", port: 9 }] } };
}

function portalConfig(port: number, tls: KeyPairPaths): RoleConfig {
  const config = loadConfig(join(CONFIGS, "portal.yaml"), "portal", { needFiles: false });
  const [secret, accounts] = [pairs.path("secret"), pairs.path("accounts.yaml")];
  writeFileSync(secret, "s".repeat(32));
  writeFileSync(accounts, "users: []\n");
  const pages = writePages(pairs.path("pages"));
  const own = { listen: { address: "127.0.0.1", port }, tls, secret, accounts, pages, directory: "none" as const };
  return { ...config, ...common("portal"), ...own };
}

async function shown(port: number) {
  const { socket, name } = await greet(port);
  socket.destroy();
  return name;
}

it.each([
  ["proxy", proxyConfig, "the certificate of the WebSocket runs out in 4 days"],
  ["portal", portalConfig, "the certificate runs out in 4 days"],
] as const)("a %s takes them when told to, and its health says what is the matter", async (_, configOf, ending) => {
  const [first, second, other] = await Promise.all([pairs.make("first", 5), pairs.make("second"), pairs.make("other")]);
  const live = pairs.live(first);
  const port = await freePort();
  const config = configOf(port, live);
  mkdirSync(config.state, { recursive: true });
  const role = await runRole(config, { log });
  const warnings = async () => ((await controlRequest(config.control, "/v1/health")) as HealthView).warnings;
  try {
    expect(await shown(port)).toBe("first");
    expect(await warnings()).toEqual([ending]);
    const former = await greet(port);
    pairs.copy(second, live);
    role.reload();
    expect(await shown(port)).toBe("second");
    expect(former.socket.destroyed).toBe(false);
    former.socket.destroy();
    expect(await warnings()).toEqual([]);
    pairs.copy({ ...second, key: other.key }, live);
    role.reload();
    expect(await shown(port)).toBe("second");
    expect(await warnings()).toEqual([
      `key and certificate were replaced, and the former ones stay in use: the key in ${live.key} is not that of ` +
        `the certificate in ${live.certificate}; have the certificate made anew for this key; it stands first in its file`,
    ]);
    expect(events.filter((event) => event.startsWith("tls."))).toEqual(["tls.renewed", "tls.refused"]);
    expect(events).not.toContain("role.reload.unsupported");
  } finally {
    await role.close();
  }
});

it("a role without such files says that it has nothing to read again, and goes on", async () => {
  const config = proxyConfig(await freePort(), "none");
  mkdirSync(config.state, { recursive: true });
  const role = await runRole(config, { log });
  role.reload();
  expect(events).toContain("role.reload.unsupported");
  expect(await controlRequest(config.control, "/v1/health")).toMatchObject({ role: "proxy", warnings: [] });
  await role.close();
});
