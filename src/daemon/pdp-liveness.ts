/** Watches the sessions of a policy server, and what its router and its proxies tell of them. */

import type { PdpConfig } from "../config/pdp.js";
import type { LivenessConfig } from "../config/pdp-liveness.js";
import type { Millis } from "../model/units.js";
import { Liveness } from "../pdp/liveness/liveness.js";
import type { RouterLinkOptions } from "../pdp/router/router-link.js";
import type { SessionService } from "../pdp/session-service.js";
import type { SipLinkOptions } from "../pdp/sip/sip-link.js";
import type { RoleContext } from "./role.js";

const unlessOff = (span: Millis | "off"): Millis | undefined => (span === "off" ? undefined : span);

/** Not begun yet: `start` is for when the server can be heard. */
export function openLiveness(
  { config, log, clock, cleanup }: RoleContext<PdpConfig>,
  service: () => Pick<SessionService, "live" | "endByServer">,
): Liveness {
  const { idleTimeout, maxDuration } = config.liveness;
  const liveness = new Liveness({
    rules: { idleTimeout: unlessOff(idleTimeout), maxDuration: unlessOff(maxDuration) },
    clock,
    log,
    sessions: () => service().live(),
    end: (id, cause) => service().endByServer(id, cause),
  });
  cleanup.add(() => liveness.close());
  return liveness;
}

/** Seconds between the router's reports, as COPS asks for them; undefined: none. */
export function accountingOf({ accounting }: LivenessConfig): number | undefined {
  const span = unlessOff(accounting);
  return span === undefined ? undefined : span / 1000;
}

/** What the router tells. */
export const watchedRouter = (liveness: Liveness): Pick<RouterLinkOptions, "onInterim"> => ({
  onInterim: (counters, complete) => {
    liveness.counted(counters);
    if (complete) liveness.complete();
  },
});

/** What passes at the proxies. */
export const watchedProxies = (liveness: Liveness): Pick<SipLinkOptions, "onRefresh"> => ({
  onRefresh: (session, refresh, when) => {
    if (when === "now") liveness.refreshed(session, refresh);
    else liveness.restated(session, refresh);
  },
});
