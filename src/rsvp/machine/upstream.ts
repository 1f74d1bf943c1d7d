/**
 * What previous hops and local senders are told: the merged reservations, RFC 2205 §2.2, §3.1.4, §3.5. It is
 * worked out anew and compared with what was told last, so that a change goes at once and a repetition does not.
 */
import { isDeepStrictEqual } from "node:util";
import type { IpAddress } from "../../model/ip.js";
import type { Millis } from "../../model/units.js";
import { filterKey } from "../codec/keys.js";
import type { FlowDescriptors, ResvMessage, TornFlows } from "../codec/message.js";
import type { FilterSpec } from "../codec/objects.js";
import { confirmReservations } from "./confirm.js";
import { type Draft, notify, sendToHop } from "./draft.js";
import { type Neighbour, neighbourKey, type RemoteNeighbour } from "./keys.js";
import { type Group, groupsOf, type Merged, mergeFor } from "./merge.js";
import { nextPeriod, refreshDelay } from "./rules.js";
import type { SentState } from "./state.js";

export function updateUpstream(draft: Draft): void {
  const groups = groupsOf(draft);
  for (const group of groups.values()) updateGroup(draft, group, groups);
  // Without path state there is nobody to tell (§3.1.5, §3.6).
  for (const key of [...draft.sent.keys()]) if (!groups.has(key)) draft.sent.delete(key);
}

function updateGroup(draft: Draft, group: Group, groups: ReadonlyMap<string, Group>): void {
  const before = draft.sent.get(group.key);
  const merged = mergeFor(draft, group, groups);
  const left = before === undefined ? undefined : withSenders(before.flows, group);
  const torn = left === undefined ? undefined : tornFlows(left, merged?.flows);
  if (torn !== undefined) tear(draft, group.to, torn);
  const confirm = confirmReservations(draft, group);
  if (merged === undefined) {
    draft.sent.delete(group.key);
    return;
  }
  const content = contentOf(merged);
  if (before?.content === content && confirm.length === 0) return;
  if (group.to.kind === "local") {
    draft.sent.set(group.key, { to: group.to, flows: merged.flows, content, refreshAt: Infinity, period: 0 as Millis });
    if (before === undefined || !isDeepStrictEqual(left, merged.flows)) {
      notify(draft, { what: "reserved", flows: merged.flows });
    }
    return;
  }
  const sent = {
    to: group.to,
    flows: merged.flows,
    content,
    refreshAt: Infinity,
    period: draft.node.rules.refreshPeriod,
  };
  // §3.1.5: what only lost a sender is no change that upstream has to be told at once.
  const lostOnly = before !== undefined && confirm.length === 0 && isDeepStrictEqual(left, merged.flows);
  if (lostOnly && merged.policy.length + merged.unknown.length === 0) {
    draft.sent.set(group.key, { ...sent, refreshAt: before.refreshAt, period: before.period });
    return;
  }
  sendResv(draft, group, { ...sent, period: before?.period ?? sent.period }, merged, confirm);
}

function sendResv(draft: Draft, group: Group, sent: SentState, merged: Merged, confirms: readonly IpAddress[]): void {
  if (group.to.kind === "local") return;
  const period = nextPeriod(draft.node.rules, sent.period);
  draft.sent.set(group.key, { ...sent, period, refreshAt: draft.now + refreshDelay(period, draft.random()) });
  // A Resv has room for one RESV_CONFIRM.
  const [first, ...others] = confirms;
  for (const confirm of [first, ...others]) send(draft, group.to, merged, period, confirm);
}

function send(draft: Draft, to: RemoteNeighbour, merged: Merged, period: Millis, confirm?: IpAddress): void {
  const { session } = draft;
  sendToHop(
    draft,
    to,
    (own): ResvMessage => ({
      kind: "Resv",
      session,
      hop: { address: own.address, lih: to.hop.lih },
      refreshPeriod: period,
      ...(confirm === undefined ? {} : { confirm }),
      ...merged,
    }),
  );
}

/** Resvs that are due again (§3.7). */
export function onResvTimers(draft: Draft): void {
  const due = [...draft.sent.values()].filter(({ refreshAt }) => refreshAt <= draft.now);
  if (due.length === 0) return;
  const groups = groupsOf(draft);
  for (const sent of due) {
    const group = groups.get(neighbourKey(sent.to));
    const merged = group === undefined ? undefined : mergeFor(draft, group, groups);
    if (group === undefined || merged === undefined) draft.sent.delete(neighbourKey(sent.to));
    else sendResv(draft, group, sent, merged, []);
  }
}

function tear(draft: Draft, to: Neighbour, flows: TornFlows): void {
  if (to.kind === "local") {
    notify(draft, { what: "unreserved", flows });
    return;
  }
  const { session } = draft;
  sendToHop(draft, to, (own) => ({
    kind: "ResvTear",
    session,
    hop: { address: own.address, lih: to.hop.lih },
    flows,
    unknown: [],
  }));
}

/** What was told of senders that are still there; the others were torn by their PathTear. */
function withSenders(flows: FlowDescriptors, { senders }: Group): FlowDescriptors | undefined {
  switch (flows.style) {
    case "WF":
      return flows;
    case "FF": {
      const left = flows.flows.filter(({ filter }) => senders.has(filterKey(filter)));
      return left.length === 0 ? undefined : { style: "FF", flows: left };
    }
    case "SE": {
      const filters = flows.filters.filter((filter) => senders.has(filterKey(filter)));
      return filters.length === 0 ? undefined : { ...flows, filters };
    }
  }
}

/** §3.1.6: what is told no more is torn; with another style all of it. */
function tornFlows(before: FlowDescriptors, after: FlowDescriptors | undefined): TornFlows | undefined {
  const same = after?.style === before.style ? after : undefined;
  if (before.style === "WF") return same === undefined ? { style: "WF" } : undefined;
  const kept = new Set(same === undefined ? [] : filtersOf(same).map(filterKey));
  const filters = filtersOf(before).filter((filter) => !kept.has(filterKey(filter)));
  return filters.length === 0 ? undefined : { style: before.style, filters };
}

function filtersOf(flows: FlowDescriptors): readonly FilterSpec[] {
  switch (flows.style) {
    case "WF":
      return [];
    case "FF":
      return flows.flows.map(({ filter }) => filter);
    case "SE":
      return flows.filters;
  }
}

/** JSON has no infinity, and peaks may be infinite. */
const contentOf = (merged: Merged): string =>
  JSON.stringify(merged, (_key, value: unknown) => (value === Infinity ? "infinity" : value));
