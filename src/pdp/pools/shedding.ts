/** Who lets go when a pool has less than its sessions hold. Pure. */
import type { SessionId } from "../../model/session.js";
import type { Timestamp } from "../../model/units.js";
import type { DirectionRates } from "../ledger.js";

/** A session that holds something of the pool. */
export interface Holder {
  readonly session: SessionId;
  readonly held: DirectionRates;
  /** More is more important. */
  readonly priority: number;
  readonly since: Timestamp;
}

/**
 * The sessions that let go so that at least `over` comes free: the least important first, among equals the youngest.
 * Spared are those that hold nothing in a direction that is short, and those that a later and larger one makes needless.
 */
export function chooseVictims(holders: readonly Holder[], over: DirectionRates): readonly SessionId[] {
  const order = holders.toSorted(
    (a, b) => a.priority - b.priority || b.since - a.since || compare(a.session, b.session),
  );
  const short = { up: over.up as number, down: over.down as number };
  const victims: Holder[] = [];
  for (const holder of order) {
    if (short.up <= 0 && short.down <= 0) break;
    const helps = (short.up > 0 && holder.held.up > 0) || (short.down > 0 && holder.held.down > 0);
    if (!helps) continue;
    victims.push(holder);
    short.up -= holder.held.up;
    short.down -= holder.held.down;
  }
  const needed = victims.toReversed().filter(({ held }) => {
    if (short.up + held.up > 0 || short.down + held.down > 0) return true;
    short.up += held.up;
    short.down += held.down;
    return false;
  });
  return needed.toReversed().map(({ session }) => session);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
