/** Flows that share one 5-tuple (BUNDLE, RFC 9143) are one flow to the network: served in one class, by one reservation. */
import { flowKeyId, type TrafficSpec } from "../../model/flow.js";
import type { QualityNeed } from "../../model/quality.js";
import { bitsPerSecond } from "../../model/units.js";
import type { MediaFlow } from "./media-flow.js";
import { strictest } from "./quality/agreement.js";
import { addTraffic } from "./rates.js";
import { lesser } from "./security.js";

/** One flow for each key, in the order of their first; those without a key stay as they are. */
export function merged(flows: readonly MediaFlow[]): MediaFlow[] {
  const result = new Map<string, MediaFlow>();
  for (const [order, flow] of flows.entries()) {
    const id = flow.key === undefined ? `reserved ${order}` : `${flow.toward} ${flowKeyId(flow.key)}`;
    const before = result.get(id);
    result.set(id, before === undefined ? flow : together(before, flow));
  }
  return [...result.values()];
}

/** Traffic adds up; the strictest need and the first class that is named hold for all; security is the lowest. */
function together(first: MediaFlow, next: MediaFlow): MediaFlow {
  const { need: _need, least: _least, ...rest } = first;
  const need = needTogether(first, next);
  const least = leastTogether(first, next);
  const others = [...(first.shared ?? []), ...(next.index === first.index ? [] : [next.index])];
  const sessionClass = first.sessionClass ?? next.sessionClass;
  const mandatory = [...new Set([...(first.mandatory ?? []), ...(next.mandatory ?? [])])];
  return {
    ...rest,
    gate: first.gate === "open" || next.gate === "open" ? "open" : "closed",
    traffic: addTraffic(first.traffic, next.traffic),
    security: lesser(first.security ?? "none", next.security ?? "none"),
    ...(others.length === 0 ? {} : { shared: others }),
    ...(need === undefined ? {} : { need }),
    ...(least === undefined ? {} : { least }),
    ...(sessionClass === undefined ? {} : { sessionClass }),
    ...(mandatory.length === 0 ? {} : { mandatory }),
  };
}

function needTogether(first: MediaFlow, next: MediaFlow): QualityNeed | undefined {
  const need = strictest(first.need, next.need);
  if (need?.rate === undefined) return need;
  const rateOf = ({ need: own, traffic }: MediaFlow) => own?.rate ?? { wanted: traffic.rate, worst: traffic.rate };
  const [one, other] = [rateOf(first), rateOf(next)];
  const rate = {
    wanted: bitsPerSecond(one.wanted + other.wanted),
    worst: bitsPerSecond(one.worst + other.worst),
  };
  return { ...need, rate };
}

function leastTogether(first: MediaFlow, next: MediaFlow): TrafficSpec | undefined {
  if (first.least === undefined && next.least === undefined) return undefined;
  return addTraffic(first.least ?? first.traffic, next.least ?? next.traffic);
}
