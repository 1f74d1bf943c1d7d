/** How long a policy server remembers what is over. */
import type { PdpConfig } from "../config/pdp.js";
import { seconds } from "../model/units.js";
import type { SessionStore } from "../pdp/session-store.js";
import type { UsageRecords } from "../pdp/usage-records.js";
import type { RoleContext } from "./role.js";

/** Closed and refused sessions are explained for so long. */
const SESSIONS = seconds(90 * 86_400);
const PRUNE_EVERY = seconds(6 * 3600);

export interface Remembered {
  readonly store: Pick<SessionStore, "prune">;
  readonly records: Pick<UsageRecords, "prune">;
}

type Retention = Pick<RoleContext<PdpConfig>, "clock" | "cleanup"> & { readonly config: Pick<PdpConfig, "records"> };

/** Forgets now, and from time to time until the role ends. */
export function keepPruned({ config, clock, cleanup }: Retention, { store, records }: Remembered): void {
  const prune = () => {
    store.prune(clock.now() - SESSIONS);
    records.prune(clock.now() - config.records.retention);
    return clock.after(PRUNE_EVERY, () => {
      timer = prune();
    });
  };
  let timer = prune();
  cleanup.add(() => timer.cancel());
}
