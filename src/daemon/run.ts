/** Starts a role from its checked configuration. */
import type { RoleConfig } from "../config/load.js";
import { unreachable } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import type { RunningRole } from "./role.js";
import { runClearinghouse } from "./run-clearinghouse.js";
import { runPdp } from "./run-pdp.js";
import { runPortal } from "./run-portal.js";
import { runProxy } from "./run-proxy.js";
import { runRouter } from "./run-router.js";

/** Resolves when the role serves; rejects with everything it had taken given back. */
export function runRole(config: RoleConfig, { log }: { readonly log: Logger }): Promise<RunningRole> {
  switch (config.role) {
    case "pdp":
      return runPdp(config, log);
    case "proxy":
      return runProxy(config, log);
    case "router":
      return runRouter(config, log);
    case "clearinghouse":
      return runClearinghouse(config, log);
    case "portal":
      return runPortal(config, log);
    default:
      return unreachable(config, "runRole");
  }
}
