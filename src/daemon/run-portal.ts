/** Composition root of the portal. */
import { readFileSync } from "node:fs";
import type { PortalConfig } from "../config/portal.js";
import { SystemError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import { Pages } from "../portal/http/pages.js";
import { Portal } from "../portal/portal.js";
import { DirectoryClient } from "../portal/presence/directory-client.js";
import { RoleClient } from "../portal/roles/role-client.js";
import { SessionStore } from "../portal/sessions/session-store.js";
import { shortLivedCredentials } from "../sip/auth/short-lived.js";
import { BUILT_PAGES } from "./built-pages.js";
import { portalCounters } from "./counters.js";
import { buildRole, openControl, type RoleContext, type RunningRole } from "./role.js";
import { openTlsFiles, tlsHealth } from "./served-tls.js";
import { readSharedSecret } from "./shared-secret.js";

/** For `sluice portal passwd`: what goes into `password:` of the file of accounts. */
export { hashPassword } from "../portal/accounts/password.js";

export const runPortal = (config: PortalConfig, log: Logger): Promise<RunningRole> => buildRole(config, log, build);

async function build(context: RoleContext<PortalConfig>): Promise<void> {
  const { config, log, clock, cleanup, statePath } = context;
  const secret = readSecret(config.secret);
  const pages = new Pages(config.pages ?? BUILT_PAGES);
  const store = new SessionStore(statePath("portal.db"));
  cleanup.add(() => store.close());
  const tls = openTlsFiles(context, config.tls);
  const portal = new Portal({
    tls: tls?.pair ?? "none",
    publicUrl: config.publicUrl,
    trustedProxies: config.trustedProxies,
    domain: config.domain,
    accounts: config.accounts,
    sip: config.sip,
    credentials: (user, expires) => shortLivedCredentials(secret, user, expires),
    classes: config.classes,
    pdp: new RoleClient(config.pdp.control),
    proxy: new RoleClient(config.proxy.control),
    watch: config.watch.map(({ name, control }) => ({ host: name, role: new RoleClient(control) })),
    directory: config.directory === "none" ? undefined : new DirectoryClient(config.directory.url),
    sessions: config.sessions,
    store,
    pages,
    limits: config.limits,
    clock,
    log,
  });
  cleanup.add(() => portal.close());
  await portal.listen(config.listen);
  tls?.watch((pair) => portal.replaceTls(pair));
  const health = tlsHealth(tls, { what: "the certificate", effect: "browsers refuse the page" }, clock);
  await openControl(context, {
    show: {
      portal: () => ({ ...portal.view(), ...(tls === undefined ? {} : { certificateUntil: tls.pair.until }) }),
      counters: () => portalCounters(portal.view()),
    },
    problems: () => [...portal.problems(), ...health.problems()],
    warnings: health.warnings,
  });
}

function readSecret(path: string): string {
  const { secret, isLongEnough } = readSharedSecret(readOctets(path));
  if (isLongEnough) return secret;
  const remedy = "make one with `head -c 32 /dev/urandom | base64`";
  throw new SystemError("PORTAL_SECRET", `the secret in ${path} is too short`, { remedy });
}

function readOctets(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const remedy = "correct its path, or make it as configs/portal.yaml shows";
    throw new SystemError("PORTAL_FILE", `cannot read ${path}`, { remedy, cause });
  }
}
