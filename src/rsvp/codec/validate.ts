/** What RFC 2205, RFC 2211 and RFC 3175 ask of the values in a message that could be read. */
import { familyOf, type IpAddress } from "../../model/ip.js";
import { badValue, type LegiblePath, type LegibleResv, trafficControl } from "./errors.js";
import type { ErroredFlows, FlowDescriptors, PathMessage, ResvMessage, SessionMessage } from "./message.js";
import type { FilterSpec, Flowspec, Hop, Session } from "./objects.js";
import { serviceRateFault, tokenBucketFault } from "./token-bucket.js";

/** @throws RsvpDecodeError, with an answer where RFC 2205 §B has one */
export function validateMessage(message: SessionMessage): void {
  checkSession(message.session);
  if ("hop" in message) checkHop(message.hop);
  checkFilters(message.session, filtersOf(message));
  if (message.kind === "Path") checkSender(message);
  if (message.kind === "Resv") checkFlowspecs(message);
}

/** Whether an error message may go where a bad message says that it came from. @throws RsvpDecodeError */
export function validateLegible({ session, hop, ...rest }: LegiblePath | LegibleResv): void {
  checkSession(session);
  checkHop(hop);
  if (rest.kind === "Path") checkFilters(session, [rest.sender.template]);
  else if ("filters" in rest.flows) checkFilters(session, rest.flows.filters);
}

/** RFC 2205 §A.1: destination and protocol are not 0. */
function checkSession(session: Session): void {
  if (isUnspecified(session.destination)) throw badValue("session without a destination", place("SESSION"));
  if (session.kind === "ip" && session.protocol === 0) throw badValue("session without a protocol", place("SESSION"));
}

/** RFC 2205 §B: "Next hop/Previous hop address in HOP object is illegal". */
function checkHop({ address }: Hop): void {
  if (isUnspecified(address) || isMulticast(address)) throw badValue(`hop address ${address}`, place("RSVP_HOP"));
}

function filtersOf(message: SessionMessage): readonly FilterSpec[] {
  switch (message.kind) {
    case "Path":
    case "PathErr":
      return [message.sender.template];
    case "PathTear":
      return [message.template];
    case "Resv":
    case "ResvConf":
      return descriptorFilters(message.flows);
    case "ResvErr":
    case "ResvTear":
      return "filters" in message.flows ? message.flows.filters : [];
  }
}

function descriptorFilters(flows: FlowDescriptors): readonly FilterSpec[] {
  switch (flows.style) {
    case "WF":
      return [];
    case "SE":
      return flows.filters;
    case "FF":
      return flows.flows.map(({ filter }) => filter);
  }
}

function checkFilters(session: Session, filters: readonly FilterSpec[]): void {
  for (const filter of filters) checkFilter(filter, session);
}

function checkFilter(filter: FilterSpec, session: Session): void {
  const detail = place("FILTER_SPEC or SENDER_TEMPLATE");
  // RFC 4860 §3.1: an aggregate's filter in another session, and the other way round, is a formatting error.
  if ((filter.port === undefined) !== (session.kind !== "ip")) {
    throw badValue(`sender of the wrong kind for a session of kind ${session.kind}`, detail);
  }
  if (familyOf(filter.address) !== familyOf(session.destination)) {
    throw badValue("sender and session of different address families", detail);
  }
  if (isUnspecified(filter.address)) throw badValue("sender without an address", detail);
  // RFC 2205 §3.2, rule 2.
  if (session.kind === "ip" && session.port === 0 && filter.port !== 0) {
    throw badValue("source port in a session without a destination port", detail);
  }
}

function checkSender({ sender }: PathMessage): void {
  const fault = tokenBucketFault(sender.tspec);
  if (fault !== undefined) throw trafficControl("badTspec", fault, place("SENDER_TSPEC"));
}

function checkFlowspecs({ session, hop, flows }: ResvMessage): void {
  for (const errored of singleDescriptors(flows)) {
    const fault = flowspecFault(errored.flowspec);
    if (fault === undefined) continue;
    const error = trafficControl("badFlowspec", fault, place("FLOWSPEC"));
    throw error.within({ kind: "Resv", session, hop, flows: errored });
  }
}

/** Each FF reservation stands for itself, and an error names the one it is about (RFC 2205 §3.1.8). */
function singleDescriptors(flows: FlowDescriptors): readonly (ErroredFlows & { readonly flowspec: Flowspec })[] {
  if (flows.style !== "FF") return [flows];
  return flows.flows.map(({ filter, flowspec }) => ({ style: "FF", flowspec, filters: [filter] }));
}

function flowspecFault(flowspec: Flowspec): string | undefined {
  const fault = tokenBucketFault(flowspec.tspec);
  if (fault !== undefined || flowspec.kind === "controlledLoad") return fault;
  return serviceRateFault(flowspec.rate, flowspec.tspec);
}

const isUnspecified = (address: IpAddress): boolean => address === "0.0.0.0" || address === "::";

function isMulticast(address: IpAddress): boolean {
  if (familyOf(address) === 6) return address.startsWith("ff") && address.indexOf(":") === 4;
  const first = Number.parseInt(address, 10);
  return first >= 224;
}

const place = (object: string) => ({ offset: 0, object });
