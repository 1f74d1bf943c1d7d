/** What an operator may change of a running policy server. */
import type { PdpConfig } from "../config/pdp.js";
import type { ControlQuery, ControlRoute } from "../control/server.js";
import type { PoolResizeView } from "../control/views.js";
import { SystemError } from "../model/errors.js";
import { type BitsPerSecond, bitsPerSecond } from "../model/units.js";
import type { PoolKeeper } from "../pdp/pools/pool-keeper.js";
import type { SessionService } from "../pdp/session-service.js";
import type { SessionStore } from "../pdp/session-store.js";

export interface PdpActionParts {
  readonly config: Pick<PdpConfig, "classes">;
  readonly service: Pick<SessionService, "get" | "endByServer">;
  readonly store: Pick<SessionStore, "ofCallId">;
  readonly keeper: Pick<PoolKeeper, "planResize" | "resize">;
}

export const pdpActions = (parts: PdpActionParts): Readonly<Record<string, ControlRoute>> => ({
  "pools/resize": async (query) => resizePool(parts, query),
  "sessions/end": (query) => endSession(parts, query),
});

/** The newest of a call, or the one that is named. Undefined for one that this server does not know. @throws SystemError CONTROL_QUERY */
async function endSession({ service, store }: PdpActionParts, query: ControlQuery): Promise<unknown> {
  const { callId = "", session, cause } = query;
  if (cause !== "left") {
    const remedy = "sessions can be ended here because a party left: cause=left";
    throw new SystemError("CONTROL_QUERY", `"${cause ?? ""}" is no cause for a session to end`, { remedy });
  }
  const record = store.ofCallId(callId).find(({ id }) => session === undefined || id === session);
  if (record === undefined) return undefined;
  await service.endByServer(record.id, cause);
  return { session: record.id };
}

/** Undefined for a pool that this server does not size. @throws SystemError CONTROL_QUERY */
function resizePool({ config, service, keeper }: PdpActionParts, query: ControlQuery): PoolResizeView | undefined {
  const { pool = "", dryRun } = query;
  const rate = rateOf(query.rate ?? "");
  const isDry = dryRun !== undefined;
  const plan = isDry ? keeper.planResize(pool, rate) : keeper.resize(pool, rate);
  if (plan === undefined) return undefined;
  const treatments = new Map(config.classes.map(({ name, whenShed }) => [name, whenShed]));
  const shed = plan.shed.map((session) => ({
    session,
    treatment: treatments.get(service.get(session)?.class ?? "") ?? "bestEffort",
  }));
  const { held, room } = plan;
  return { pool, rate, room, heldUp: held.up, heldDown: held.down, shed, dryRun: isDry };
}

const RATE_MAX = 1e12;

function rateOf(text: string): BitsPerSecond {
  const rate = /^\d{1,13}$/.test(text) ? Number(text) : 0;
  if (rate >= 1000 && rate <= RATE_MAX) return bitsPerSecond(rate);
  const remedy = "give the rate in bit/s, from 1000 to 10^12";
  throw new SystemError("CONTROL_QUERY", `"${text}" is not a rate for a pool`, { remedy });
}
