import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import type { ProxyConfig } from "../../src/config/proxy.js";
import { openUserServices } from "../../src/daemon/proxy-users.js";
import { Cleanup, type RoleContext } from "../../src/daemon/role.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { SILENT_LOGGER } from "../../src/model/log.js";

let folder: string;
let cleanup: Cleanup;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-proxy-users-"));
  cleanup = new Cleanup();
  writeFileSync(join(folder, "secret"), "s".repeat(32));
});
afterEach(async () => {
  await cleanup.run();
  rmSync(folder, { recursive: true, force: true });
});

function services(sip: string) {
  const file = join(folder, "proxy.yaml");
  const place = "state: state\ncontrol: proxy.sock\npdp: { servers: ['192.0.2.6:3288'] }";
  const fixed = "listen: ['192.0.2.5:5060'], domains: [a.example]";
  writeFileSync(file, `role: proxy\nname: sip1.a.example\n${place}\nsip: { ${fixed}, ${sip} }\n`);
  const config = loadConfig(file, "proxy") as ProxyConfig;
  const statePath = (name: string) => join(folder, name);
  const context = { config, log: SILENT_LOGGER, clock: SYSTEM_CLOCK, cleanup, statePath };
  return openUserServices(context as unknown as RoleContext<ProxyConfig>);
}

it.each([
  ["registrar: {}, secret: secret", true],
  ["registrar: {}, secret: secret, requireAuth: true", true],
  ["registrar: {}, secret: secret, requireAuth: false", false],
  ["registrar: { authenticate: false }", undefined],
])("with { %s } requests in a user's name are proven: %s", (sip, always) => {
  expect(services(sip)?.authentication?.always).toBe(always);
});

it("without a registrar there are no users but those of the table", () => {
  expect(services("users: {}")).toBeUndefined();
});
