/** How a role is now, for the dashboard. */
import { z } from "zod";
import type { HealthView, PoolView } from "../../control/views.js";
import { SystemError } from "../../model/errors.js";
import type { Timestamp } from "../../model/units.js";
import type { RoleHealth, WatchedRole, WatchedState } from "../api/shapes.js";
import { type RoleSession, readSessions } from "../roles/answers.js";
import { askIfKnown, type RolePort } from "../roles/role-client.js";
import type { WatchedHost } from "./watched.js";

/** What is relied upon; the rest is handed on. */
const health = z.looseObject({
  role: z.string(),
  status: z.enum(["ok", "degraded"]),
  problems: z.array(z.string()),
  warnings: z.array(z.string()).default([]),
});
const pools = z.array(z.looseObject({ name: z.string(), id: z.number() }));

const OVER = new Set(["closed", "refused"]);

/** Of a role that does not answer, why. Never fails. */
export async function healthOf({ host, role }: WatchedHost): Promise<WatchedRole> {
  try {
    const parsed = health.safeParse(await role.ask("/v1/health"));
    if (!parsed.success) return { host, role: "", health: unreachable("its health is not understood") };
    // Checked above as far as it is relied upon: the rest is for the operator's eyes.
    return { host, role: parsed.data.role, health: parsed.data as unknown as HealthView };
  } catch (error) {
    return { host, role: "", health: unreachable(reasonOf(error)) };
  }
}

const unreachable = (problem: string): RoleHealth => ({ status: "unreachable", problems: [problem], warnings: [] });

const reasonOf = (error: unknown): string =>
  error instanceof SystemError && error.code === "CONTROL_TIMEOUT" ? "it did not answer in time" : "it does not answer";

/** @param since - from when on refusals count */
export async function stateOf(watched: WatchedHost, since: Timestamp): Promise<WatchedState> {
  const found = await healthOf(watched);
  if (found.health.status === "unreachable") return found;
  const [poolViews, sessions, quality] = await Promise.all([
    ask(watched.role, "pools"),
    ask(watched.role, "sessions"),
    ask(watched.role, "quality"),
  ]);
  return {
    ...found,
    ...poolsOf(poolViews),
    ...sessionsOf(sessions, since),
    ...(quality === undefined ? {} : { quality }),
  };
}

/** A view that a role lacks, or fails to give, is left out: the others are shown all the same. */
async function ask(role: RolePort, topic: string): Promise<unknown> {
  try {
    return await askIfKnown(role, `/v1/show/${topic}`);
  } catch {
    return undefined;
  }
}

/** A link has no class of its own on a router, and so the number 0. */
function poolsOf(view: unknown): Pick<WatchedState, "pools" | "links"> {
  const parsed = pools.safeParse(view);
  if (!parsed.success) return {};
  const all = parsed.data as unknown as readonly PoolView[];
  return { pools: all.filter(({ id }) => id !== 0), links: all.filter(({ id }) => id === 0) };
}

function sessionsOf(view: unknown, since: Timestamp): Pick<WatchedState, "sessions" | "refusals"> {
  let sessions: readonly RoleSession[];
  try {
    if (view === undefined) return {};
    sessions = readSessions(view);
  } catch {
    return {};
  }
  const refused = sessions.filter(({ state, since: at }) => state === "refused" && at >= since);
  return { sessions: sessions.filter(({ state }) => !OVER.has(state)).length, refusals: refused.length };
}
