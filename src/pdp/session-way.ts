/** The pools on the way of a session, and what it needs of each. Pure. */
import { domainOf } from "../model/address-of-record.js";
import type { Refusal } from "../model/decision.js";
import type { Phb } from "../model/phb.js";
import type { Octets } from "../model/units.js";
import { needsOf } from "./admission.js";
import type { PoolNeed } from "./ledger.js";
import { choosePools, type FlowWay, type WayFlow } from "./pools/choose-pools.js";
import type { PoolMap } from "./pools/pool-map.js";
import type { SessionAttemptFacts } from "./session-facts.js";
import type { ShedTreatment } from "./session-record.js";

/** How the sessions of a class are served. */
export interface ServiceClass {
  readonly name: string;
  /** For sessions that no pool between communities is for; without one they are refused. */
  readonly pool?: string | undefined;
  /** As agents are told what they were granted. */
  readonly phb?: Phb | undefined;
  /** What becomes of a session that has to give its bandwidth back; `bestEffort` if undefined. */
  readonly whenShed?: ShedTreatment | undefined;
}

export interface WayRules {
  readonly map: PoolMap;
  readonly linkOverhead: Octets;
}

export interface WayOfSession extends Pick<SessionAttemptFacts, "side" | "caller" | "callee" | "places"> {
  /** Of flows that have none of their own. */
  readonly class: ServiceClass;
  readonly flows: readonly WayFlow[];
}

export type SessionWay =
  | { readonly admitted: true; readonly ways: readonly FlowWay[]; readonly needs: readonly PoolNeed[] }
  | Refusal;

export function sessionWay({ map, linkOverhead }: WayRules, session: WayOfSession): SessionWay {
  const { side, caller, callee, places, flows } = session;
  const [own, other] = side === "originating" ? [caller, callee] : [callee, caller];
  const choice = choosePools(map, {
    class: session.class,
    local: { domain: domainOf(own), address: places?.local },
    far: { domain: domainOf(other), address: places?.far },
    flows,
  });
  return choice.admitted ? { ...choice, needs: needsOf(flows, choice.ways, linkOverhead) } : choice;
}
