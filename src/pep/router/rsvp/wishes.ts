/** Which aggregates are wanted: by the policy server, and at all times by the configuration. */
import type { PoolId } from "../../../kernel/port.js";
import type { IpAddress } from "../../../model/ip.js";
import type { Dscp } from "../../../model/units.js";
import type { WantedAggregate } from "../aggregates.js";

/** An aggregate that is kept up whatever the policy server wants. */
export type StandingAggregate = Omit<WantedAggregate, "pool">;

/** A pool is there where the policy server wants it. */
export interface Wish extends StandingAggregate {
  readonly pool?: PoolId;
}

/** RFC 3175 §3.3: between two edges a code point has one aggregate. */
export const wishKey = (remote: IpAddress, dscp: Dscp): string => `${remote} ${dscp}`;

export interface Wishes {
  readonly accepted: ReadonlyMap<string, Wish>;
  /** Wanted by the policy server and not to be had, with the reason. */
  readonly rejected: readonly { readonly pool: PoolId; readonly why: string }[];
}

/** @param own - address under which aggregates end here; undefined on a router that only is on their way */
export function joinWishes(
  own: IpAddress | undefined,
  standing: readonly StandingAggregate[],
  wanted: readonly WantedAggregate[],
): Wishes {
  const accepted = new Map<string, Wish>();
  const rejected: { pool: PoolId; why: string }[] = [];
  for (const wish of wanted) {
    const { pool, remote, dscp } = wish;
    const key = wishKey(remote, dscp);
    const other = accepted.get(key);
    if (own === undefined) rejected.push({ pool, why: "this router has no address for aggregates" });
    else if (remote === own) rejected.push({ pool, why: "an aggregate cannot end where it begins" });
    else if (other !== undefined)
      rejected.push({ pool, why: `pool ${other.pool} has the code point towards ${remote}` });
    else accepted.set(key, wish);
  }
  for (const wish of own === undefined ? [] : standing) {
    const key = wishKey(wish.remote, wish.dscp);
    if (!accepted.has(key)) accepted.set(key, wish);
  }
  return { accepted, rejected };
}
