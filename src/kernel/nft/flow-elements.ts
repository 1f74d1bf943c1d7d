/** A flow as two elements of the table: one polices and counts what is in profile, one counts what is not. Pure. */
import { describeFlow } from "../../model/flow.js";
import { parseSessionId, type SessionId } from "../../model/session.js";
import { bytesPerSecond, type Octets, toBitsPerSecond, toBytesPerSecond } from "../../model/units.js";
import { type Counter, type FlowCounters, ZERO_COUNTER } from "../../model/usage.js";
import { decodeMark, inProfileMark, outOfProfileMark } from "../mark.js";
import type { EchoedElement, ElementChange } from "../netlink/nf-tables.js";
import { hostU32, hostU32Octets } from "../netlink/octets.js";
import type { ElementCounter, SetElement } from "../netlink/set-element.js";
import type { FlowId, FlowRule, ObservedFlow } from "../port.js";
import { decodeKey, encodeKey, SESSION_SETS, type SessionSet, setNameOf } from "./sets.js";

export interface Owner {
  readonly session: SessionId;
  readonly id: FlowId;
}

/** `sluice:<session>:<flow>`: `nft list` shows whose element it is. */
export const ownerComment = (owner: Owner): string => `sluice:${owner.session}:${owner.id}`;

export function parseOwner(comment: string | undefined): Owner | undefined {
  const [tag, sessionText = "", idText = "", ...rest] = (comment ?? "").split(":");
  const session = parseSessionId(sessionText);
  if (tag !== "sluice" || session === undefined || !/^[1-9]\d{0,15}$/.test(idText) || rest.length > 0) return undefined;
  return { session, id: Number(idText) };
}

/** The changes that install a flow; counters start at `counters`, zero by default. */
export function createFlow(rule: FlowRule, counters?: FlowCounters): readonly ElementChange[] {
  const key = encodeKey(rule.key);
  const comment = ownerComment({ session: rule.session, id: rule.id });
  const object = objectOf(rule);
  const inProfile: SetElement = {
    key,
    data: hostU32Octets(inProfileMark(rule.dscp, rule.pool)),
    comment,
    limit: { rate: toBytesPerSecond(rule.rate), burst: rule.burst },
    counter: counters?.inProfile ?? ZERO_COUNTER,
  };
  const outOfProfile: SetElement = {
    key,
    data: hostU32Octets(outOfProfileMark(rule.outOfProfile)),
    comment,
    counter: counters?.outOfProfile ?? ZERO_COUNTER,
  };
  return [
    { action: "create", set: setNameOf(rule.key, "in"), element: inProfile, object },
    { action: "create", set: setNameOf(rule.key, "out"), element: outOfProfile, object },
  ];
}

export function deleteFlow(rule: FlowRule): readonly ElementChange[] {
  const element = { key: encodeKey(rule.key) };
  const object = objectOf(rule);
  return [
    { action: "delete", set: setNameOf(rule.key, "in"), element, object },
    { action: "delete", set: setNameOf(rule.key, "out"), element, object },
  ];
}

/** Where the two halves of a flow are found. */
export function elementKeys(rule: FlowRule): readonly { readonly set: string; readonly key: Buffer }[] {
  const key = encodeKey(rule.key);
  return (["in", "out"] as const).map((profile) => ({ set: setNameOf(rule.key, profile), key }));
}

const objectOf = (rule: FlowRule): string => `flow ${rule.id} (${describeFlow(rule.key)})`;

const toCounter = (counter: ElementCounter | undefined): Counter =>
  counter === undefined ? ZERO_COUNTER : { packets: counter.packets, octets: counter.octets as Octets };

const SET_BY_NAME = new Map(SESSION_SETS.map((set) => [set.name, set]));

/** Elements by flow id, counters only. */
export function countersOf(elements: readonly EchoedElement[]): Map<FlowId, FlowCounters> {
  const counters = new Map<FlowId, FlowCounters>();
  for (const { set, element } of elements) {
    const owner = parseOwner(element.comment);
    const profile = SET_BY_NAME.get(set)?.profile;
    if (owner === undefined || profile === undefined) continue;
    const known = counters.get(owner.id) ?? { inProfile: ZERO_COUNTER, outOfProfile: ZERO_COUNTER };
    const counter = toCounter(element.counter);
    counters.set(owner.id, profile === "in" ? { ...known, inProfile: counter } : { ...known, outOfProfile: counter });
  }
  return counters;
}

export interface AssembledFlows {
  readonly flows: Map<FlowId, ObservedFlow>;
  /** Deletes what is not one whole flow of ours. */
  readonly strays: readonly ElementChange[];
}

/** Puts the two halves of each flow together. */
export function assembleFlows(elements: readonly EchoedElement[]): AssembledFlows {
  const halves = new Map<string, EchoedElement>();
  for (const found of elements) if (setOf(found)?.profile === "out") halves.set(pairKey(found), found);
  const flows = new Map<FlowId, ObservedFlow>();
  const strays: ElementChange[] = [];
  for (const found of elements) {
    if (setOf(found)?.profile === "out") continue;
    const other = halves.get(pairKey(found));
    const flow = other === undefined ? undefined : flowOf(found, other);
    if (flow === undefined || flows.has(flow.rule.id)) {
      strays.push(strayOf(found));
      continue;
    }
    halves.delete(pairKey(found));
    flows.set(flow.rule.id, flow);
  }
  return { flows, strays: [...strays, ...[...halves.values()].map(strayOf)] };
}

const setOf = (found: EchoedElement): SessionSet | undefined => SET_BY_NAME.get(found.set);

function pairKey(found: EchoedElement): string {
  const set = setOf(found);
  return `${set?.family} ${set?.anySourcePort} ${found.element.key.toString("latin1")}`;
}

const strayOf = (found: EchoedElement): ElementChange => ({
  action: "delete",
  set: found.set,
  element: { key: found.element.key },
  object: `stray element of ${found.set}`,
});

function flowOf(inside: EchoedElement, outside: EchoedElement): ObservedFlow | undefined {
  const set = setOf(inside);
  const owner = parseOwner(inside.element.comment);
  const { limit, data } = inside.element;
  if (set === undefined || owner === undefined || limit === undefined || data === undefined) return undefined;
  if (inside.element.comment !== outside.element.comment || outside.element.data === undefined) return undefined;
  const key = decodeKey(set, inside.element.key);
  const mark = decodeMark(hostU32(data, 0));
  const outMark = decodeMark(hostU32(outside.element.data, 0));
  if (key === undefined || mark?.kind !== "inProfile" || outMark?.kind !== "outOfProfile") return undefined;
  return {
    rule: {
      id: owner.id,
      session: owner.session,
      key,
      dscp: mark.dscp,
      pool: mark.pool,
      rate: toBitsPerSecond(bytesPerSecond(limit.rate)),
      burst: limit.burst as Octets,
      outOfProfile: outMark.outOfProfile,
    },
    counters: { inProfile: toCounter(inside.element.counter), outOfProfile: toCounter(outside.element.counter) },
  };
}
