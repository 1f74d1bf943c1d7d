/** What each medium of a session was granted, as it is remembered and told. Pure. */
import type { TrafficSpec } from "../../model/flow.js";
import type { MediaGrant, PathQuality } from "../../model/quality.js";
import type { SessionSide } from "../../model/session.js";
import { type BitsPerSecond, bitsPerSecond } from "../../model/units.js";
import type { SessionRecord } from "../session-record.js";
import type { AskedFlow } from "./flow-ask.js";
import { worseOf } from "./judge-quality.js";
import { asksQuality } from "./served-flows.js";
import type { PlannedFlow } from "./session-plan.js";

/** A planned flow, and what it got. */
export interface GrantedFlow extends PlannedFlow {
  readonly granted: TrafficSpec;
}

/** None at all for a session of which nobody asks for a class or a quality. */
export function grantsOf(flows: readonly GrantedFlow[], side: SessionSide): readonly MediaGrant[] {
  if (!asksQuality(flows)) return [];
  return [...byMedium(flows)].map(([index, own]) => {
    const [{ class: serviceClass, sessionClass }] = own;
    const measured = own.map(({ quality }) => quality.measured).reduce(worst, undefined);
    return {
      index,
      ...(sessionClass === undefined ? {} : { sessionClass: sessionClass.name }),
      phb: serviceClass.phb ?? serviceClass.name,
      result: own.some(isReduced) ? "reduced" : "granted",
      toCaller: rateOf(own, side === "originating" ? "down" : "up"),
      toCallee: rateOf(own, side === "originating" ? "up" : "down"),
      ...(measured === undefined ? {} : { measured }),
    };
  });
}

/** Of a session that goes on without a guarantee. */
export function bestEffortGrants(flows: readonly AskedFlow[]): readonly MediaGrant[] {
  if (!asksQuality(flows)) return [];
  return [...byMedium(flows)].map(([index, own]) => {
    const sessionClass = own.find(({ ask }) => ask?.sessionClass !== undefined)?.ask?.sessionClass;
    return { index, ...(sessionClass === undefined ? {} : { sessionClass }), ...NOTHING };
  });
}

/** What is left of grants when the bandwidth was taken back. */
export const withoutGuarantee = (grants: readonly MediaGrant[] | undefined): Pick<SessionRecord, "grants"> =>
  grants === undefined ? {} : { grants: grants.map((grant) => ({ ...grant, ...NOTHING })) };

const NOTHING: Omit<MediaGrant, "index"> = {
  phb: "BE",
  result: "bestEffort",
  toCaller: bitsPerSecond(0),
  toCallee: bitsPerSecond(0),
};

/** In the order of the m= lines. Media that share a flow are each granted what it has. */
function byMedium<Flow extends AskedFlow>(flows: readonly Flow[]): ReadonlyMap<number, readonly [Flow, ...Flow[]]> {
  const media = new Map<number, [Flow, ...Flow[]]>();
  for (const flow of flows) {
    const { index = 0, shared = [] } = flow.ask ?? {};
    for (const medium of [index, ...shared]) {
      const known = media.get(medium);
      if (known === undefined) media.set(medium, [flow]);
      else known.push(flow);
    }
  }
  return new Map([...media].sort(([one], [other]) => one - other));
}

const isReduced = ({ granted, traffic, quality }: GrantedFlow): boolean =>
  granted.rate < traffic.rate || quality.result === "reduced";

function worst(one: PathQuality | undefined, other: PathQuality | undefined): PathQuality | undefined {
  return one === undefined || other === undefined ? (one ?? other) : worseOf(one, other);
}

/** Of the medium itself: RTCP beside it is not what was asked for. */
function rateOf(flows: readonly GrantedFlow[], direction: GrantedFlow["direction"]): BitsPerSecond {
  const own = flows.filter((flow) => flow.direction === direction && flow.ask?.isControl !== true);
  return bitsPerSecond(own.reduce((sum, { granted }) => sum + granted.rate, 0));
}
