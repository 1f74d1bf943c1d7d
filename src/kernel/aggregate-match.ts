/** Matches of aggregates as keys, so that two that name the same packets are known as one. Pure. */
import { unreachable } from "../model/errors.js";
import type { AggregateEnd, AggregateMatch, PoolClass } from "./port.js";

const endText = ({ address, port }: AggregateEnd): string => (port === undefined ? address : `${address} port ${port}`);

/** Equal for matches of the same packets; for people, too. */
export function describeMatch(match: AggregateMatch): string {
  switch (match.by) {
    case "codePoint":
      return `dscp ${match.dscp}`;
    case "flow":
      return `protocol ${match.protocol} ${endText(match.source)} > ${endText(match.destination)}`;
    default:
      return unreachable(match, "describeMatch");
  }
}

const keysOf = ({ carries = [] }: PoolClass): ReadonlySet<string> => new Set(carries.map(describeMatch));

/** Whether two pools have their class on the same interfaces and the same packets in it, whatever the order. */
export function carryAlike(left: PoolClass, right: PoolClass): boolean {
  if (left.only !== right.only) return false;
  if (left.carries === undefined && right.carries === undefined) return true;
  const [one, other] = [keysOf(left), keysOf(right)];
  return one.size === other.size && [...one].every((key) => other.has(key));
}

export const carriesAnything = ({ carries = [] }: PoolClass): boolean => carries.length > 0;

/** Whether a pool has its class on an interface. */
export const isOn = ({ only }: PoolClass, name: string): boolean => only === undefined || only === name;
