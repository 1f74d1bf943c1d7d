/** Which pools are measured, and towards where. */
import type { IpAddress } from "../../model/ip.js";
import type { Dscp, Millis } from "../../model/units.js";
import type { PolicyProbe } from "./probe-rows.js";

export interface MeasurablePool {
  readonly id: number;
  readonly name: string;
  /** Communities at its ends, and the service class that it is for. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly class?: string | undefined;
  readonly measure: boolean;
}

export interface MeasuredPoolsInput {
  readonly pools: readonly MeasurablePool[];
  readonly communities: readonly {
    readonly name: string;
    readonly router: string;
    readonly edge?: IpAddress | undefined;
  }[];
  readonly classes: readonly { readonly name: string; readonly dscp: Dscp }[];
  /** Name of the edge router here. */
  readonly router: string;
  /** Of the reflectors. */
  readonly port: number;
  readonly every: Millis;
}

/** Those with a community of ours at one end, and the edge of another at the other. */
export function measuredPools(input: MeasuredPoolsInput): readonly (PolicyProbe & { readonly name: string })[] {
  const { communities, classes, router, port, every } = input;
  return input.pools.flatMap(({ id, name, from, to, class: className, measure }) => {
    if (!measure) return [];
    const ends = [from, to].map((end) => communities.find((community) => community.name === end));
    const remotes = ends.filter((end) => end !== undefined && end.router !== router);
    const remote = remotes.length === 1 ? remotes[0]?.edge : undefined;
    const dscp = classes.find((serviceClass) => serviceClass.name === className)?.dscp;
    if (ends.includes(undefined) || remote === undefined || dscp === undefined) return [];
    return [{ pool: id, name, remote, port, dscp, interval: every }];
  });
}
