/** A flow as three elements of the sets of its family: one that packets are matched by, two that count. Pure. */

import { familyOf, type IpFamily } from "../../model/ip.js";
import { parseSessionId } from "../../model/session.js";
import { bytesPerSecond, dscp, type Octets, toBitsPerSecond, toBytesPerSecond } from "../../model/units.js";
import { type FlowCounters, ZERO_COUNTER } from "../../model/usage.js";
import { MAX_POOL } from "../pool-limit.js";
import type { FlowId, FlowRule, ObservedFlow, OutOfProfile } from "../port.js";
import { classHandle } from "../tc/difference.js";
import { minorOfPool } from "../tc/tree.js";
import { type FlowClass, flowClassOf, flowClassText } from "./flow-class.js";
import { FAMILIES, type FlowSetRole, type Names } from "./names.js";
import { flowMark, portMark, readFlowMark } from "./packet-mark.js";
import { addLine, counterOf, deleteLine, flowSetKey, parseFlowSetKey, type SetElement } from "./set-text.js";

export const flowFamily = (rule: FlowRule): IpFamily => (familyOf(rule.key.destination.address) === 6 ? 6 : 4);

/** Equal for two flows that cannot both be there. */
export const looseKey = (rule: FlowRule): string => flowSetKey(rule.key);

const ownerText = (rule: FlowRule): string => `sluice:${rule.session}:${rule.id}`;

/** `sluice:<session>:<flow>` as with nftables, then what the kernel has no field for. */
function ruleComment(rule: FlowRule): string {
  const over = rule.outOfProfile.action === "drop" ? "drop" : String(rule.outOfProfile.dscp);
  return (
    `${ownerText(rule)} rate ${toBytesPerSecond(rule.rate)} burst ${rule.burst} size ${rule.packetSize ?? "-"} ` +
    `dscp ${rule.dscp} pool ${rule.pool} over ${over}`
  );
}

const COMMENT =
  /^sluice:([0-9a-f]{16}):([1-9]\d{0,15}) rate (\d{1,12}) burst (\d{1,10}) size (\d{1,5}|-) dscp (\d{1,2}) pool (\d{1,5}) over (drop|\d{1,2})$/;

type CommentedRule = Omit<FlowRule, "key">;

const isCode = (text: string | undefined): boolean => Number(text) < 64;

function parseRuleComment(comment: string | undefined): CommentedRule | undefined {
  const match = COMMENT.exec(comment ?? "");
  const session = parseSessionId(match?.[1] ?? "");
  if (match === null || session === undefined) return undefined;
  const [, , id, rate, burst, size, code, pool, over] = match;
  if (!isCode(code) || (over !== "drop" && !isCode(over))) return undefined;
  if (Number(pool) < 1 || Number(pool) > MAX_POOL) return undefined;
  const outOfProfile: OutOfProfile =
    over === "drop" ? { action: "drop" } : { action: "remark", dscp: dscp(Number(over)) };
  return {
    id: Number(id),
    session,
    dscp: dscp(Number(code)),
    pool: Number(pool),
    rate: toBitsPerSecond(bytesPerSecond(Number(rate))),
    burst: Number(burst) as Octets,
    outOfProfile,
    ...(size === "-" ? {} : { packetSize: Number(size) as Octets }),
  };
}

/** Lines of `ipset restore`, in the order in which they have to be carried out. */
export interface FlowLines {
  readonly counting: readonly string[];
  /** From this line on packets meet the flow. */
  readonly matching: string;
}

export function installLines(names: Names, rule: FlowRule, number: number, counters?: FlowCounters): FlowLines {
  const family = flowFamily(rule);
  const key = flowSetKey(rule.key);
  const inside: SetElement = {
    key,
    counter: counters?.inProfile ?? ZERO_COUNTER,
    comment: ruleComment(rule),
    priority: classHandle(minorOfPool(rule.pool)),
  };
  const outside: SetElement = { key, counter: counters?.outOfProfile ?? ZERO_COUNTER, comment: ownerText(rule) };
  const matched: SetElement = { key, comment: ownerText(rule), mark: flowMark(number, rule.key.source.port) };
  return {
    counting: [addLine(names.flowSet("in", family), inside), addLine(names.flowSet("out", family), outside)],
    matching: addLine(names.flowSet("key", family), matched),
  };
}

export function removeLines(names: Names, rule: FlowRule): FlowLines {
  const family = flowFamily(rule);
  const key = flowSetKey(rule.key);
  return {
    counting: [deleteLine(names.flowSet("in", family), key), deleteLine(names.flowSet("out", family), key)],
    matching: deleteLine(names.flowSet("key", family), key),
  };
}

export const portLine = (names: Names, port: number): string =>
  addLine(names.ports, { key: String(port), mark: portMark(port) });

/** Elements by set name. */
export type SetContents = ReadonlyMap<string, readonly SetElement[]>;

export interface AssembledFlows {
  readonly flows: Map<FlowId, ObservedFlow>;
  readonly classes: Map<number, FlowClass>;
  /** Class number of each flow. */
  readonly numbers: Map<FlowId, number>;
  /** Delete what is not one whole flow of ours. */
  readonly strays: readonly string[];
}

/** Puts the three elements of each flow together. */
export function assembleFlows(names: Names, contents: SetContents): AssembledFlows {
  const flows = new Map<FlowId, ObservedFlow>();
  const classes = new Map<number, FlowClass>();
  const numbers = new Map<FlowId, number>();
  const strays: string[] = [];
  for (const family of FAMILIES) {
    const keyed = (role: FlowSetRole): KeyedSet => {
      const set = names.flowSet(role, family);
      return { set, elements: new Map((contents.get(set) ?? []).map((element) => [element.key, element])) };
    };
    const [matching, inside, outside] = [keyed("key"), keyed("in"), keyed("out")];
    const whole = new Set<string>();
    for (const [key, element] of matching.elements) {
      const found = flowFrom(element, inside.elements.get(key), outside.elements.get(key));
      if (found === undefined || flows.has(found.flow.rule.id)) continue;
      const { flow, number, flowClass } = found;
      const known = classes.get(number);
      if (known !== undefined && flowClassText(known) !== flowClassText(flowClass)) continue;
      classes.set(number, flowClass);
      numbers.set(flow.rule.id, number);
      flows.set(flow.rule.id, flow);
      whole.add(key);
    }
    // Matching before counting: nothing is matched that is no longer counted.
    for (const { set, elements } of [matching, inside, outside])
      for (const key of elements.keys()) if (!whole.has(key)) strays.push(deleteLine(set, key));
  }
  return { flows, classes, numbers, strays };
}

interface KeyedSet {
  readonly set: string;
  readonly elements: ReadonlyMap<string, SetElement>;
}

function flowFrom(
  matching: SetElement,
  inside: SetElement | undefined,
  outside: SetElement | undefined,
): { readonly flow: ObservedFlow; readonly number: number; readonly flowClass: FlowClass } | undefined {
  const commented = parseRuleComment(inside?.comment);
  const mark = matching.mark && readFlowMark(matching.mark);
  const key = parseFlowSetKey(matching.key);
  if (commented === undefined || mark === undefined || key === undefined) return undefined;
  const rule: FlowRule = {
    ...commented,
    key: { ...key, source: { address: key.source.address, port: mark.sourcePort } },
  };
  const owner = ownerText(rule);
  if (matching.comment !== owner || outside?.comment !== owner) return undefined;
  if (inside?.priority !== classHandle(minorOfPool(rule.pool))) return undefined;
  const flowClass = flowClassOf(rule);
  if (flowClass === undefined) return undefined;
  const counters = { inProfile: counterOf(inside), outOfProfile: counterOf(outside) };
  return { flow: { rule, counters }, number: mark.number, flowClass };
}

/** By flow id, from the counting sets alone. */
export function countersIn(names: Names, contents: SetContents): Map<FlowId, FlowCounters> {
  const counters = new Map<FlowId, FlowCounters>();
  for (const family of FAMILIES) {
    const outside = new Map(
      (contents.get(names.flowSet("out", family)) ?? []).map((element) => [element.key, element]),
    );
    for (const element of contents.get(names.flowSet("in", family)) ?? []) {
      const owner = parseRuleComment(element.comment);
      if (owner === undefined) continue;
      counters.set(owner.id, {
        inProfile: counterOf(element),
        outOfProfile: counterOf(outside.get(element.key)),
      });
    }
  }
  return counters;
}
