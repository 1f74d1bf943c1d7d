/**
 * A flow as elements of the table: one polices and counts what is in profile, one counts what is not; a flow that is
 * policed by packets has a third, which counts what the first let through and is too large; a flow in a tunnel has one
 * more, which names the tunnel. Pure.
 */
import { describeFlow } from "../../model/flow.js";
import { bytesPerSecond, type Octets, octets, toBitsPerSecond } from "../../model/units.js";
import { type Counter, type FlowCounters, ZERO_COUNTER } from "../../model/usage.js";
import { isTunnelId } from "../link/tunnel.js";
import type { EchoedElement, ElementChange } from "../netlink/nf-tables.js";
import { hostU32, hostU32Octets } from "../netlink/octets.js";
import type { ElementCounter, SetElement } from "../netlink/set-element.js";
import type { FlowId, FlowRule, ObservedFlow, TunnelId } from "../port.js";
import { ownerComment, ownerOf, parseOwner } from "./owner.js";
import { isTight, policerOf } from "./policer.js";
import { decodeWord, inProfileWord, outOfProfileWord } from "./priority-word.js";
import {
  type CountedProfile,
  decodeKey,
  encodeKey,
  type Profile,
  SESSION_SETS,
  type SessionSet,
  setNameOf,
} from "./sets.js";

/** The sets that count a flow, the policing one first. */
const countedProfiles = (rule: FlowRule): readonly CountedProfile[] =>
  isTight(rule) ? ["tight", "out", "over"] : ["in", "out"];

/** All sets that a flow has an element in. */
const profilesOf = (rule: FlowRule): readonly Profile[] =>
  rule.tunnel === undefined ? countedProfiles(rule) : [...countedProfiles(rule), "steer"];

/** The changes that install a flow; counters start at `counters`, zero by default. */
export function createFlow(rule: FlowRule, counters?: FlowCounters): readonly ElementChange[] {
  const { limit, sizeClass } = policerOf(rule);
  const common = { key: encodeKey(rule.key), comment: ownerComment(ownerOf(rule)) };
  const policing: SetElement = {
    ...common,
    data: hostU32Octets(inProfileWord(rule.dscp, rule.pool, sizeClass)),
    limit,
    counter: counters?.inProfile ?? ZERO_COUNTER,
  };
  const excess = { ...common, data: hostU32Octets(outOfProfileWord(rule.outOfProfile)) };
  const elements: Readonly<Record<Profile, SetElement>> = {
    in: policing,
    tight: policing,
    out: { ...excess, counter: counters?.outOfProfile ?? ZERO_COUNTER },
    over: { ...excess, counter: ZERO_COUNTER },
    steer: { ...common, data: hostU32Octets(rule.tunnel ?? 0) },
  };
  const object = objectOf(rule);
  return profilesOf(rule).map((profile) => ({
    action: "create",
    set: setNameOf(rule.key, profile),
    element: elements[profile],
    object,
  }));
}

export function deleteFlow(rule: FlowRule): readonly ElementChange[] {
  const object = objectOf(rule);
  return elementKeys(rule).map(({ set, key }) => ({ action: "delete", set, element: { key }, object }));
}

/** An element's place. */
export interface ElementKey {
  readonly set: string;
  readonly key: Buffer;
}

function keysIn(rule: FlowRule, profiles: readonly Profile[]): readonly ElementKey[] {
  const key = encodeKey(rule.key);
  return profiles.map((profile) => ({ set: setNameOf(rule.key, profile), key }));
}

/** Where the parts of a flow are found. */
export const elementKeys = (rule: FlowRule): readonly ElementKey[] => keysIn(rule, profilesOf(rule));

/** Where its counters are found. */
export const counterKeys = (rule: FlowRule): readonly ElementKey[] => keysIn(rule, countedProfiles(rule));

const objectOf = (rule: FlowRule): string => `flow ${rule.id} (${describeFlow(rule.key)})`;

const toCounter = (counter: ElementCounter | undefined): Counter =>
  counter === undefined ? ZERO_COUNTER : { packets: counter.packets, octets: counter.octets as Octets };

const SET_BY_NAME = new Map(SESSION_SETS.map((set) => [set.name, set]));

const plus = (left: Counter, right: Counter): Counter => ({
  packets: left.packets + right.packets,
  octets: octets(left.octets + right.octets),
});

/** Never below zero: the two counters were not read in the same moment. */
const minus = (left: Counter, right: Counter): Counter => ({
  packets: Math.max(0, left.packets - right.packets),
  octets: octets(Math.max(0, left.octets - right.octets)),
});

/** What is too large was counted as in profile first. */
const countersFrom = ({ in: inside, tight, out, over }: Readonly<Record<CountedProfile, Counter>>): FlowCounters => ({
  inProfile: minus(plus(inside, tight), over),
  outOfProfile: plus(out, over),
});

const NOTHING: Readonly<Record<CountedProfile, Counter>> = {
  in: ZERO_COUNTER,
  tight: ZERO_COUNTER,
  out: ZERO_COUNTER,
  over: ZERO_COUNTER,
};

/** Counters by flow id, from elements as they come; of an element that comes again, the last. */
export class CounterParts {
  readonly #parts = new Map<FlowId, Partial<Record<CountedProfile, Counter>>>();

  add(set: string, element: SetElement): void {
    const owner = parseOwner(element.comment);
    const profile = SET_BY_NAME.get(set)?.profile;
    if (owner === undefined || profile === undefined || profile === "steer") return;
    const parts = this.#parts.get(owner.id);
    if (parts === undefined) this.#parts.set(owner.id, { [profile]: toCounter(element.counter) });
    else parts[profile] = toCounter(element.counter);
  }

  totals(): Map<FlowId, FlowCounters> {
    const totals = new Map<FlowId, FlowCounters>();
    for (const [id, parts] of this.#parts) totals.set(id, countersFrom({ ...NOTHING, ...parts }));
    return totals;
  }
}

export function countersOf(elements: readonly EchoedElement[]): Map<FlowId, FlowCounters> {
  const parts = new CounterParts();
  for (const { set, element } of elements) parts.add(set, element);
  return parts.totals();
}

export interface AssembledFlows {
  readonly flows: Map<FlowId, ObservedFlow>;
  /** Deletes what is not one whole flow of ours. */
  readonly strays: readonly ElementChange[];
}

/** Puts the parts of each flow together. */
export function assembleFlows(elements: readonly EchoedElement[]): AssembledFlows {
  const groups = new Map<string, Partial<Record<Profile, EchoedElement>>>();
  const strays: ElementChange[] = [];
  for (const found of elements) {
    const set = SET_BY_NAME.get(found.set);
    if (set === undefined) continue;
    const id = `${set.family} ${set.anySourcePort} ${found.element.key.toString("latin1")}`;
    const group = groups.get(id) ?? {};
    group[set.profile] = found;
    groups.set(id, group);
  }
  const flows = new Map<FlowId, ObservedFlow>();
  for (const group of groups.values()) {
    const flow = flowOf(group);
    if (flow === undefined || flows.has(flow.rule.id)) strays.push(...Object.values(group).map(strayOf));
    else flows.set(flow.rule.id, flow);
  }
  return { flows, strays };
}

const strayOf = (found: EchoedElement): ElementChange => ({
  action: "delete",
  set: found.set,
  element: { key: found.element.key },
  object: `stray element of ${found.set}`,
});

/** Undefined for what is not one whole flow, exactly as we make it. */
function flowOf(group: Readonly<Partial<Record<Profile, EchoedElement>>>): ObservedFlow | undefined {
  const { in: inside, tight, out, over, steer } = group;
  const policing = inside ?? tight;
  const set = policing === undefined ? undefined : SET_BY_NAME.get(policing.set);
  if (policing === undefined || set === undefined || out === undefined) return undefined;
  if ((inside !== undefined && tight !== undefined) || (tight === undefined) !== (over === undefined)) return undefined;
  const excess = [out, ...(over === undefined ? [] : [over])].map(({ element }) => element);
  const rule = ruleOf(set, policing.element, excess);
  if (rule === undefined || isTight(rule) !== (tight !== undefined)) return undefined;
  const tunnel = steer === undefined ? undefined : tunnelOf(steer.element, policing.element);
  if (steer !== undefined && tunnel === undefined) return undefined;
  const counterOf = (part: EchoedElement | undefined): Counter => toCounter(part?.element.counter);
  const parts = { in: counterOf(inside), tight: counterOf(tight), out: counterOf(out), over: counterOf(over) };
  return { rule: tunnel === undefined ? rule : { ...rule, tunnel }, counters: countersFrom(parts) };
}

/** Undefined where the element does not belong to the policing one, or names no tunnel. */
function tunnelOf({ comment, data }: SetElement, policing: SetElement): TunnelId | undefined {
  if (comment !== policing.comment || data?.length !== 4) return undefined;
  const id = hostU32(data, 0);
  return isTunnelId(id) ? id : undefined;
}

function ruleOf(set: SessionSet, policing: SetElement, excess: readonly SetElement[]): FlowRule | undefined {
  const { comment, limit, data } = policing;
  const owner = parseOwner(comment);
  const outData = excess[0]?.data;
  if (owner === undefined || limit === undefined || data === undefined || outData === undefined) return undefined;
  if (excess.some((element) => element.comment !== comment || element.data?.equals(outData) !== true)) return undefined;
  const key = decodeKey(set, policing.key);
  const word = decodeWord(hostU32(data, 0));
  const outWord = decodeWord(hostU32(outData, 0));
  if (key === undefined || word?.kind !== "inProfile" || outWord?.kind !== "outOfProfile") return undefined;
  const { traffic } = owner;
  const rule: FlowRule = {
    id: owner.id,
    session: owner.session,
    key,
    dscp: word.dscp,
    pool: word.pool,
    rate: toBitsPerSecond(bytesPerSecond(traffic?.rate ?? limit.rate)),
    burst: traffic?.burst ?? octets(limit.burst),
    ...(traffic === undefined ? {} : { packetSize: traffic.packetSize }),
    outOfProfile: outWord.outOfProfile,
  };
  const { limit: expected, sizeClass } = policerOf(rule);
  const isAsMade =
    limit.rate === expected.rate &&
    limit.burst === expected.burst &&
    limit.unit === expected.unit &&
    word.sizeClass === sizeClass;
  return isAsMade ? rule : undefined;
}
