/** What was wanted of each medium, what is acceptable, and what came of it: the sentences of `explain`. Pure. */
import type { MediaGrant, QualityRange } from "../../model/quality.js";
import type { SessionSide } from "../../model/session.js";
import type { GrantedFlow } from "./grants.js";
import { describeQuality } from "./judge-quality.js";

/** @param grants - of these flows */
export function describeNegotiation(
  grants: readonly MediaGrant[],
  flows: readonly GrantedFlow[],
  side: SessionSide,
): string {
  return grants.map((grant) => describeMedium(grant, flowsOf(flows, grant), side)).join("; ");
}

const flowsOf = (flows: readonly GrantedFlow[], { index }: MediaGrant): readonly GrantedFlow[] =>
  flows.filter(({ ask }) => (ask?.index ?? 0) === index || ask?.shared?.includes(index) === true);

function describeMedium(grant: MediaGrant, flows: readonly GrantedFlow[], side: SessionSide): string {
  const { index, sessionClass, phb, result, measured } = grant;
  const name = sessionClass === undefined ? "" : ` (${sessionClass})`;
  const own = flows.filter(({ ask }) => ask?.isControl !== true);
  const parts = own.map((flow) => describeFlow(flow, side));
  const path = measured === undefined ? [] : [`path measured: ${describeQuality(measured)}`];
  return [`medium ${index}${name} ${result} in ${phb}`, ...parts, ...path].join(", ");
}

function describeFlow({ direction, granted, traffic, least, ask }: GrantedFlow, side: SessionSide): string {
  const toward = (direction === "down") === (side === "originating") ? "caller" : "callee";
  const rate = (value: number): string => `${value / 1000} kbit/s`;
  const below = least.rate < traffic.rate ? ` of ${rate(traffic.rate)} wanted, ${rate(least.rate)} acceptable` : "";
  const needs = (["latency", "jitter", "loss"] as const).flatMap((quantity) => {
    const range = ask?.need?.[quantity];
    return range === undefined ? [] : [`${quantity} ${describeRange(range, quantity === "loss" ? "%" : "ms")}`];
  });
  const needed = needs.length === 0 ? "" : ` (${needs.join(", ")})`;
  return `${rate(granted.rate)} to the ${toward}${below}${needed}`;
}

function describeRange({ wanted, worst }: QualityRange<number>, unit: "%" | "ms"): string {
  const write = (value: number): string => String(Number((unit === "%" ? value * 100 : value).toPrecision(4)));
  return wanted === worst ? `${write(wanted)} ${unit}` : `${write(wanted)} to ${write(worst)} ${unit}`;
}
