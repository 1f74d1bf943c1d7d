/** RSVP admission of a router by its policy server, as the configuration wants it: the COPS client and what it serves. */
import type { RouterConfig } from "../config/router.js";
import type { AdmissionConfig } from "../config/rsvp-admission.js";
import type { PeerView } from "../control/views.js";
import { DEFAULT_COPS_LIMITS } from "../cops/endpoint/limits.js";
import { PepClient } from "../cops/endpoint/pep-client.js";
import { CLIENT_TYPE_RSVP } from "../cops/rsvp/codes.js";
import { SystemError } from "../model/errors.js";
import { OutsourcedAdmission } from "../pep/router/rsvp/outsourced-admission.js";
import { policyServerView, RECONNECT } from "./policy-client.js";
import type { RoleContext } from "./role.js";

/** Far below what a policy server decides of one connection at once. */
const MAX_UNDER_WAY = 256;

export interface Outsourcing {
  readonly admission: OutsourcedAdmission;
  readonly peer: () => PeerView;
  readonly problems: () => readonly string[];
}

export type OutsourcingContext = Pick<RoleContext<RouterConfig>, "log" | "clock" | "cleanup"> & {
  readonly config: Pick<RouterConfig, "name" | "pdp">;
};

/**
 * Connects at once, so that the policy server is there when the first reservation comes.
 * @throws SystemError RSVP_ADMISSION where no policy server is named, which the check of the configuration says before
 */
export function openOutsourcing(
  { config, log, clock, cleanup }: OutsourcingContext,
  { servers = config.pdp?.servers ?? [], onLoss, hold, timeout, maxReservations }: AdmissionConfig,
): Outsourcing {
  if (servers.length === 0) {
    const remedy = 'add "servers:" to `rsvp.admission`';
    throw new SystemError("RSVP_ADMISSION", "there is no policy server that admits reservations", { remedy });
  }
  const admission = new OutsourcedAdmission({
    onLoss,
    hold,
    patience: timeout,
    maxReservations,
    maxUnderWay: MAX_UNDER_WAY,
    clock,
    log,
  });
  const client = new PepClient(
    {
      servers,
      pepId: config.name,
      clientType: CLIENT_TYPE_RSVP,
      clock,
      log,
      limits: DEFAULT_COPS_LIMITS,
      requestTimeout: timeout,
      reconnect: RECONNECT,
    },
    admission,
  );
  admission.start(client);
  client.start();
  cleanup.add(async () => {
    admission.close();
    await client.close();
  });
  return {
    admission,
    peer: () => ({ ...policyServerView(client, "COPS"), name: "policy server (RSVP)" }),
    problems: () => (admission.connected ? [] : [LOST[onLoss]]),
  };
}

const LOST = {
  accept: "no policy server decides about reservations: the room alone does",
  keep: "no policy server decides about reservations: new ones are refused",
  reject: "no policy server decides about reservations: new ones are refused, the others will be taken back",
} as const;
