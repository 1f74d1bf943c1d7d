/** Looks at what is reserved for the pool on the whole way: policy servers, edge and transit routers, kernels. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Lab } from "../../src/lab/lab.js";
import { POOL, ROUTERS } from "./configs.js";
import type { ReservedEvidence } from "./evidence.js";
import { grantedIn, numberIn, poolClassesIn, poolIn } from "./views.js";

export const POLICY_SERVERS = ["pol1", "pol2"] as const;
const ASK_EVERY_MS = 50;
const READ_EVERY_MS = 700;

export async function reservedNow(lab: Lab, ms: number): Promise<ReservedEvidence> {
  const pools = await poolsNow(lab);
  return {
    ms,
    pools: Object.fromEntries(pools.map(([role, pool]) => [role, numberIn(pool, "reserved")])),
    granted: Object.fromEntries(
      await each(Object.keys(ROUTERS), async (role) => (await lab.ask(role, "/v1/show/rsvp")).flatMap(grantedIn)),
    ),
    classes: Object.fromEntries(
      await each(Object.keys(ROUTERS), async (role) =>
        (await lab.ask(role, "/v1/show/kernel")).flatMap((view) => poolClassesIn(view, ROUTERS[role] ?? [])),
      ),
    ),
    sessions: Math.max(...pools.map(([, pool]) => numberIn(pool, "sessions"))),
  };
}

const poolsNow = (lab: Lab) =>
  each(POLICY_SERVERS, async (role) => poolIn(await lab.ask(role, "/v1/show/pools"), POOL));

const each = <Role extends string, Value>(
  roles: readonly Role[],
  ask: (role: Role) => Promise<Value>,
): Promise<readonly (readonly [Role, Value])[]> =>
  Promise.all(roles.map(async (role) => [role, await ask(role)] as const));

/** Classes have at least the pool's rate on the whole way, both directions, and routers hold most of it: they count at layer 3. */
export function isReserved({ pools, granted, classes }: ReservedEvidence, rate: number, step: number): boolean {
  const all = (rates: Readonly<Record<string, readonly number[]>>): readonly number[] => Object.values(rates).flat();
  return (
    Object.values(pools).every((value) => value === rate) &&
    Object.values(granted).every((rates) => rates.length === 2) &&
    all(granted).every((value) => value > rate - step && value <= rate) &&
    Object.values(classes).every((rates) => rates.length > 0) &&
    all(classes).every((value) => value >= rate && value < rate + step)
  );
}

/**
 * Waits until both policy servers have the rate confirmed, then until routers and kernels have it, too, or the time is over;
 * gives what was seen last. Policy servers are asked often, since that costs them nothing; a router reads its kernel
 * for each question.
 */
export async function untilReserved(
  lab: Lab,
  wanted: { readonly rate: number; readonly step: number; readonly patienceMs: number },
  now: () => number,
): Promise<ReservedEvidence> {
  const end = now() + wanted.patienceMs;
  const isConfirmed = async (): Promise<boolean> =>
    (await poolsNow(lab)).every(([, pool]) => numberIn(pool, "reserved") === wanted.rate);
  while (now() < end && !(await isConfirmed())) await sleep(ASK_EVERY_MS);
  const ms = now();
  for (;;) {
    const seen = await reservedNow(lab, ms);
    if (isReserved(seen, wanted.rate, wanted.step) || now() > end) return seen;
    await sleep(READ_EVERY_MS);
  }
}
