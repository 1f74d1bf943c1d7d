/** The portal, with accounts for so many users. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { seconds } from "../../src/model/units.js";
import { accountOf, tableOf } from "../../src/portal/accounts/accounts.js";
import { hashPassword } from "../../src/portal/accounts/password.js";
import { parseHash } from "../../src/portal/accounts/phc.js";
import { Pages } from "../../src/portal/http/pages.js";
import { Portal } from "../../src/portal/portal.js";
import { DirectoryClient } from "../../src/portal/presence/directory-client.js";
import { RoleClient } from "../../src/portal/roles/role-client.js";
import { SessionStore } from "../../src/portal/sessions/session-store.js";
import { readSetting, tellOf } from "./measured-process.js";

export interface PortalSetting {
  /** Where `key`, `crt`, `pages` and `pdp.sock` are. */
  readonly folder: string;
  readonly origin: string;
  readonly directoryUrl: string;
  readonly users: number;
  readonly password: string;
}

/** What a log-in costs is no part of this. */
const CHEAP = { ln: 10, r: 8, p: 1 };

const { folder, origin, directoryUrl, users, password } = readSetting<PortalSetting>();
const hash = parseHash(await hashPassword(password, CHEAP));
if (hash === undefined) throw new Error("a hash that was just made is not read");
const accounts = Array.from({ length: users }, (_, index) =>
  accountOf({ name: `u${index}`, nick: `Nick ${index}`, operator: false, password: hash }),
);
const pdp = new RoleClient(join(folder, "pdp.sock"));
const portal = new Portal({
  tls: { key: readFileSync(join(folder, "key")), certificate: readFileSync(join(folder, "crt")) },
  publicUrl: origin,
  trustedProxies: [],
  domain: "a.example",
  accounts: tableOf(accounts),
  sip: { wss: "wss://sip1.a.example:5443", expires: seconds(3600) },
  credentials: (user, expires) => ({ username: `${expires}:${user}`, password: "" }),
  classes: [],
  pdp,
  proxy: pdp,
  watch: [],
  directory: new DirectoryClient(directoryUrl),
  sessions: { idle: seconds(3600), absolute: seconds(7200) },
  store: new SessionStore(join(folder, "portal.db")),
  pages: new Pages(join(folder, "pages")),
  limits: { connections: 10_000, connectionsPerSource: 10_000, streamsPerUser: 4 },
  clock: SYSTEM_CLOCK,
  log: SILENT_LOGGER,
});
tellOf((await portal.listen({ address: "127.0.0.1", port: 0 })).port);
