/** What a session would be given, before anybody looks for room: classes, pools, and what their paths keep. Pure. */
import type { Refusal } from "../../model/decision.js";
import type { TrafficSpec } from "../../model/flow.js";
import type { QualityNeed } from "../../model/quality.js";
import type { Octets } from "../../model/units.js";
import { needsOf } from "../admission.js";
import type { PoolNeed } from "../ledger.js";
import type { FlowWay } from "../pools/choose-pools.js";
import { type ServiceClass, sessionWay, type WayOfSession, type WayRules } from "../session-way.js";
import type { AskedFlow } from "./flow-ask.js";
import { judgeQuality, QUANTITIES, type QualityVerdict, type UnmeasuredRule } from "./judge-quality.js";
import { askedOnce, type PathQualitySource } from "./path-quality.js";
import { type ClassBook, type ServedFlow, serveFlows } from "./served-flows.js";

export interface PlanRules extends WayRules, ClassBook {
  readonly quality: PathQualitySource;
  readonly unmeasured: UnmeasuredRule;
}

export interface PlanRequest extends Omit<WayOfSession, "flows"> {
  /** Of media that name none. */
  readonly class: ServiceClass;
  readonly flows: readonly AskedFlow[];
}

export interface PlannedFlow extends ServedFlow {
  readonly way: FlowWay;
  readonly quality: Exclude<QualityVerdict, Refusal>;
}

export interface SessionPlan {
  readonly admitted: true;
  readonly flows: readonly PlannedFlow[];
  readonly linkOverhead: Octets;
}

export function planSession(rules: PlanRules, request: PlanRequest): SessionPlan | Refusal {
  const served = serveFlows(rules, request.class, request.flows);
  if (!served.admitted) return served;
  const way = sessionWay(rules, { ...request, flows: served.flows });
  if (!way.admitted) return way;
  const stated = new Set(served.flows.filter(({ ask }) => statesQuality(ask?.need)).map(({ ask }) => ask?.index));
  const paths = askedOnce(rules.quality);
  const flows: PlannedFlow[] = [];
  for (const [index, flow] of served.flows.entries()) {
    const flowWay = way.ways[index] ?? { pool: "", takes: [] };
    const { pool } = flowWay;
    const need = stated.has(flow.ask?.index) ? flow.ask?.need : impliedNeed(flow);
    const question = { pool, direction: flow.direction, need, promise: flow.sessionClass };
    const quality = judgeQuality(paths, rules.unmeasured, question);
    if (!quality.admitted) return quality;
    flows.push({ ...flow, way: flowWay, quality });
  }
  return { admitted: true, flows, linkOverhead: rules.linkOverhead };
}

const statesQuality = (need: QualityNeed | undefined): boolean =>
  QUANTITIES.some((quantity) => need?.[quantity] !== undefined);

/** Who names a class, and says of no quantity what is needed, needs what the class is for. */
function impliedNeed({ sessionClass }: ServedFlow): QualityNeed | undefined {
  if (sessionClass === undefined) return undefined;
  const { latency, jitter, loss } = sessionClass;
  return {
    ...(latency === undefined ? {} : { latency: { wanted: latency, worst: latency } }),
    ...(jitter === undefined ? {} : { jitter: { wanted: jitter, worst: jitter } }),
    ...(loss === undefined ? {} : { loss: { wanted: loss, worst: loss } }),
  };
}

/** What the planned flows need of pools if they get this traffic, one for each. */
export const needsAt = ({ flows, linkOverhead }: SessionPlan, traffic: readonly TrafficSpec[]): readonly PoolNeed[] =>
  needsOf(
    traffic.map((each) => ({ traffic: each })),
    waysOf({ flows }),
    linkOverhead,
  );

export const leastOf = ({ flows }: SessionPlan): readonly TrafficSpec[] => flows.map(({ least }) => least);

export const waysOf = ({ flows }: Pick<SessionPlan, "flows">): readonly FlowWay[] => flows.map(({ way }) => way);
