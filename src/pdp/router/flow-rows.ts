/**
 * Flows as rows of the DiffServ PIB (RFC 3317). Instance N of classifier element, meter, dropper, filter and
 * session row all belong to flow N, so that one number names the flow on both sides.
 */
import type { Binding, Removal } from "../../cops/pr/bindings.js";
import { type Prid, ZERO_OID } from "../../cops/pr/oid.js";
import { DIFFSERV_TYPE } from "../../cops/pr/pib/diffserv.js";
import { pib } from "../../cops/pr/pib/index.js";
import { encodeRow, pridOf } from "../../cops/pr/prc.js";
import { type FlowKey, IP_PROTOCOL, type TrafficSpec } from "../../model/flow.js";
import { addressToBytes } from "../../model/ip.js";
import type { SessionId } from "../../model/session.js";
import type { Octets } from "../../model/units.js";

/** The classifier that all sessions hang on: instance and tag. */
export const SESSION_CLASSIFIER = 1;
/** Above the catch-all element's 1. */
const SESSION_PRECEDENCE = 100;
/** RFC 3317 §4: a token bucket is defined over an interval; ours is a rate per second. */
const INTERVAL_US = 1_000_000;

/** Where packets of a class go: rows of the base policy. */
export interface ClassTargets {
  readonly inProfile: Prid;
  /** Where excess goes on to, or undefined when it is dropped. */
  readonly outOfProfile: Prid | undefined;
}

export interface FlowRows {
  readonly instance: number;
  readonly session: SessionId;
  readonly key: FlowKey;
  /** Instance of the dsTBParam row; equal parameters share one, as the PIB's UNIQUENESS demands. */
  readonly parameters: number;
  readonly targets: ClassTargets;
  /** Octets, layer 3, where it is known. */
  readonly packetSize: Octets | undefined;
  /** Instance of the sluiceTunnel row that carries the flow's packets from the router on; absent: none does. */
  readonly tunnel?: number | undefined;
}

export const tokenBucketRow = (instance: number, { rate, burst }: TrafficSpec): Binding =>
  encodeRow(pib.dsTBParam, instance, {
    type: DIFFSERV_TYPE.simpleTokenBucket,
    // Whole kbit/s, rounded up: a session must not be policed below what was admitted.
    rate: Math.max(1, Math.ceil(rate / 1000)),
    burstSize: Math.ceil(burst),
    interval: INTERVAL_US,
  });

/** The rows of one flow, each after those that it points to. */
export function flowBindings({
  instance,
  session,
  key,
  parameters,
  targets,
  packetSize,
  tunnel,
}: FlowRows): readonly Binding[] {
  const drop = targets.outOfProfile === undefined;
  return [
    encodeRow(pib.frwkBaseFilter, instance, { negation: false }),
    encodeRow(pib.frwkIpFilter, instance, filterOf(key)),
    encodeRow(pib.dsAlgDrop, instance, {
      // "other" drops nothing: it only keeps the meters of equal flows distinct on their way to the next action.
      type: drop ? "alwaysDrop" : "other",
      next: targets.outOfProfile ?? ZERO_OID,
      qMeasure: ZERO_OID,
      qThreshold: instance,
      specific: ZERO_OID,
    }),
    encodeRow(pib.dsMeter, instance, {
      succeedNext: targets.inProfile,
      failNext: pridOf(pib.dsAlgDrop, instance),
      specific: pridOf(pib.dsTBParam, parameters),
    }),
    encodeRow(pib.dsClfrElement, instance, {
      clfrId: SESSION_CLASSIFIER,
      precedence: SESSION_PRECEDENCE,
      next: pridOf(pib.dsMeter, instance),
      specific: pridOf(pib.frwkIpFilter, instance),
    }),
    encodeRow(pib.sluiceSession, instance, {
      session,
      clfrElement: pridOf(pib.dsClfrElement, instance),
      packetSize: packetSize ?? 0,
      tunnel: tunnel === undefined ? ZERO_OID : pridOf(pib.sluiceTunnel, tunnel),
    }),
  ];
}

/** The same rows, each before those that it points to. The base filter takes its extension with it. */
export function flowRemovals(instance: number): readonly Removal[] {
  const classes = [pib.sluiceSession, pib.dsClfrElement, pib.dsMeter, pib.dsAlgDrop, pib.frwkBaseFilter];
  return classes.map((prc) => ({ prid: pridOf(prc, instance) }));
}

function filterOf({ protocol, source, destination }: FlowKey) {
  const [dstAddr, srcAddr] = [addressToBytes(destination.address), addressToBytes(source.address)];
  return {
    addrType: dstAddr.length === 4 ? ("ipv4" as const) : ("ipv6" as const),
    dstAddr,
    dstPrefixLength: dstAddr.length * 8,
    srcAddr,
    srcPrefixLength: srcAddr.length * 8,
    dscp: -1,
    flowId: -1,
    protocol: IP_PROTOCOL[protocol],
    dstL4PortMin: destination.port,
    dstL4PortMax: destination.port,
    srcL4PortMin: source.port ?? 0,
    srcL4PortMax: source.port ?? 65535,
  };
}
