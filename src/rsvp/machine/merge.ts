/** What the reservations of a session come to towards one previous hop: RFC 2205 §2.2, §3.4, §3.5, §3.10. */
import { isDeepStrictEqual } from "node:util";
import { addressToBytes, type IpAddress } from "../../model/ip.js";
import { filterKey } from "../codec/keys.js";
import type { FlowDescriptors } from "../codec/message.js";
import type { Flowspec, OpaqueObject, PolicyData } from "../codec/objects.js";
import type { Draft } from "./draft.js";
import { blockades, glbFlowspecs, mergeFlowspecs } from "./flowspec-algebra.js";
import { type Neighbour, neighbourKey } from "./keys.js";
import { effectiveKeyOf, sendersOf } from "./reservations.js";
import type { PathState, ReservationState } from "./state.js";

/** Senders behind one previous hop, or on this node. */
export interface Group {
  readonly key: string;
  readonly to: Neighbour;
  readonly senders: ReadonlyMap<string, PathState>;
}

/** The part of a reservation that a group is told of. */
export interface Merged {
  readonly flows: FlowDescriptors;
  readonly scope?: readonly IpAddress[];
  readonly policy: readonly PolicyData[];
  readonly unknown: readonly OpaqueObject[];
}

export function groupsOf(draft: Draft): ReadonlyMap<string, Group> {
  const groups = new Map<string, { key: string; to: Neighbour; senders: Map<string, PathState> }>();
  for (const [sender, path] of draft.paths) {
    const key = neighbourKey(path.from);
    const group = groups.get(key) ?? { key, to: path.from, senders: new Map() };
    group.senders.set(sender, path);
    groups.set(key, group);
  }
  return groups;
}

export function mergeFor(draft: Draft, group: Group, groups: ReadonlyMap<string, Group>): Merged | undefined {
  const all = [...draft.reservations.values()];
  const style = all[0]?.style;
  if (style === undefined) return undefined;
  const concerned = all.filter((each) =>
    sendersOf(draft, each).some((path) => group.senders.has(filterKey(path.template))),
  );
  const flows = style === "FF" ? mergeFixed(draft, group, concerned) : mergeShared(draft, group, concerned, style);
  if (flows === undefined) return undefined;
  const scope = style === "WF" ? scopeFor(draft, group, groups, concerned) : undefined;
  // §3.4: with nobody in its scope a wildcard Resv is not forwarded.
  if (scope !== undefined && scope.length === 0) return undefined;

  return {
    flows,
    ...(scope === undefined ? {} : { scope }),
    policy: distinct(concerned.flatMap(({ policy }) => policy)),
    unknown: distinct(concerned.flatMap(({ unknown }) => unknown)),
  };
}

function mergeFixed(draft: Draft, group: Group, concerned: readonly ReservationState[]): FlowDescriptors | undefined {
  const flows = [...group.senders].flatMap(([key, { template }]) => {
    const flowspec = merge(
      draft,
      group,
      [key],
      concerned.filter(({ filters }) => filters.some((each) => filterKey(each) === key)),
    );
    return flowspec === undefined ? [] : { filter: template, flowspec };
  });
  return flows.length === 0 ? undefined : { style: "FF", flows };
}

function mergeShared(
  draft: Draft,
  group: Group,
  concerned: readonly ReservationState[],
  style: "WF" | "SE",
): FlowDescriptors | undefined {
  const granted = concerned.filter((each) => grantedOf(draft, group, each) !== undefined);
  const wanted = new Set(granted.flatMap(({ filters }) => filters.map(filterKey)));
  const senders = [...group.senders].filter(([key]) => wanted.has(key));
  const blocking = style === "WF" ? [group.key] : senders.map(([key]) => key);
  const flowspec = merge(draft, group, blocking, granted);
  if (flowspec === undefined) return undefined;
  if (style === "WF") return { style, flowspec };
  return { style, flowspec, filters: senders.map(([, { template }]) => template) };
}

/** Upstream what was asked and granted; a local sender learns what traffic control installed. */
function grantedOf({ effective }: Draft, group: Group, reservation: ReservationState): Flowspec | undefined {
  const key = group.to.kind === "local" ? effectiveKeyOf(reservation) : undefined;
  if (reservation.flowspec === undefined || key === undefined) return reservation.flowspec;
  return effective.get(key)?.admitted;
}

/** §3.5: the LUB of what is not blockaded; of nothing but blockaded reservations the GLB. */
function merge(
  draft: Draft,
  group: Group,
  blocking: readonly string[],
  concerned: readonly ReservationState[],
): Flowspec | undefined {
  const granted = concerned.flatMap((each) => grantedOf(draft, group, each) ?? []);
  if (granted.length === 0) return undefined;
  const free = granted.filter((flowspec) => !isBlockaded(draft, blocking, flowspec));
  return free.length > 0 ? mergeFlowspecs(free) : glbFlowspecs(granted);
}

/** @param blocking - keys of the senders or of the previous hop that a refusal may have come from */
export function isBlockaded(draft: Draft, blocking: readonly string[], flowspec: Flowspec): boolean {
  return blocking.some((key) => {
    const blockade = draft.blockades.get(key);
    return blockade !== undefined && blockades(blockade.flowspec, flowspec);
  });
}

/** §3.4, rules 1 to 3; only where there is more than one way up, or somebody began with it. */
function scopeFor(
  draft: Draft,
  group: Group,
  groups: ReadonlyMap<string, Group>,
  concerned: readonly ReservationState[],
): readonly IpAddress[] | undefined {
  const remote = [...groups.values()].filter(({ to }) => to.kind === "remote");
  if (group.to.kind === "local" || (remote.length < 2 && concerned.every(({ scope }) => scope === undefined)))
    return undefined;
  const everybody = [...draft.paths.values()].map(({ template }) => template.address);
  const union = new Set(concerned.flatMap(({ scope }) => scope ?? everybody));
  const behind = new Set([...group.senders.values()].map(({ template }) => template.address));
  return [...union]
    .filter((address) => behind.has(address))
    .sort((a, b) => Buffer.compare(addressToBytes(a), addressToBytes(b)));
}

/** §3.10: one copy of each. */
function distinct<Value>(values: readonly Value[]): readonly Value[] {
  return values.filter((value, index) => values.findIndex((other) => isDeepStrictEqual(other, value)) === index);
}
