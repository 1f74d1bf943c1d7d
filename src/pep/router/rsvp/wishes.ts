/** Which aggregates are wanted: by the policy server, and at all times by the configuration. */
import type { PoolId } from "../../../kernel/port.js";
import type { IpAddress } from "../../../model/ip.js";
import type { Dscp } from "../../../model/units.js";
import type { WantedAggregate } from "../aggregates.js";
import { type AggregateName, aggregateKey } from "./aggregate-name.js";

/** An aggregate that is kept up whatever the policy server wants. */
export type StandingAggregate = Omit<WantedAggregate, "pool" | "ceiling" | "tunnel" | "request">;

/** A pool is there where the policy server wants it. */
export interface Wish extends Omit<WantedAggregate, "pool"> {
  readonly pool?: PoolId;
  readonly name: AggregateName;
}

export interface Wishes {
  readonly accepted: ReadonlyMap<string, Wish>;
  /** Wanted by the policy server and not to be had, with the reason. */
  readonly rejected: readonly { readonly pool: PoolId; readonly why: string }[];
}

/** RFC 4860 §2.1: a vDstPort has 16 bits. */
const MAX_INDEX = 0xffff;

/**
 * Of several aggregates of a code point towards the same edge, that of the pool with the lowest number has the session of RFC
 * 3175; each other has one of RFC 4860, with the number of its pool as vDstPort. So both edges find the same sessions in
 * whatever order they are told, as long as pools have the same order and the others the same numbers at both.
 * @param own - address under which aggregates end here; undefined on a router that only is on their way
 * @param isOfHosts - whether reservations of hosts have that code point towards that edge
 */
export function joinWishes(
  own: IpAddress | undefined,
  standing: readonly StandingAggregate[],
  wanted: readonly WantedAggregate[],
  isOfHosts: (remote: IpAddress, dscp: Dscp) => boolean = () => false,
): Wishes {
  const accepted = new Map<string, Wish>();
  const rejected: { pool: PoolId; why: string }[] = [];
  for (const wish of wanted.toSorted((one, other) => one.pool - other.pool)) {
    const { pool, remote } = wish;
    const name = freeName(accepted, wish);
    const why =
      own === undefined
        ? "this router has no address for aggregates"
        : name.by === "codePoint" && isOfHosts(remote, name.dscp)
          ? `reservations of hosts have the code point towards ${remote}`
          : whyNot(own, wish, name, accepted);
    if (why === undefined) accepted.set(aggregateKey(remote, name), { ...wish, name });
    else rejected.push({ pool, why });
  }
  for (const wish of own === undefined ? [] : standing) {
    const name = { by: "codePoint", dscp: wish.dscp } as const;
    const key = aggregateKey(wish.remote, name);
    if (!accepted.has(key)) accepted.set(key, { ...wish, name });
  }
  return { accepted, rejected };
}

function freeName(accepted: ReadonlyMap<string, Wish>, { pool, remote, dscp, tunnel }: WantedAggregate): AggregateName {
  if (tunnel !== undefined) return { by: "tunnel", ...tunnel };
  const plain: AggregateName = { by: "codePoint", dscp };
  return accepted.has(aggregateKey(remote, plain)) ? { by: "index", dscp, index: pool } : plain;
}

function whyNot(
  own: IpAddress,
  { pool, remote }: WantedAggregate,
  name: AggregateName,
  accepted: ReadonlyMap<string, Wish>,
): string | undefined {
  if (remote === own) return "an aggregate cannot end where it begins";
  const other = accepted.get(aggregateKey(remote, name));
  if (other !== undefined) return `pool ${other.pool} has the tunnel towards ${remote}`;
  if (name.by === "index" && pool > MAX_INDEX) {
    return `another pool has the code point towards ${remote}, and no session can have the number ${pool}`;
  }
  return undefined;
}
