/** UsageIndication and UsageConfirmation. */
import { octets } from "../../model/units.js";
import type { FlowCounters } from "../../model/usage.js";
import { CALL_ID_OCTETS, timeText } from "./authorisation.js";
import {
  attributeNumber,
  NOT_CRITICAL,
  readExtensions,
  readParties,
  readPeerClaim,
  readRequiredParty,
  readStatus,
  readTransactionId,
  writeExtensions,
  writeParties,
  writeParty,
  writePeerClaim,
  writeStatus,
} from "./common-elements.js";
import { badField } from "./decode-error.js";
import {
  binaryOf,
  childOf,
  childrenOf,
  decimalField,
  formatDecimal,
  parseWhole,
  requiredChild,
  textOf,
  timestampField,
  wholeField,
  wordOf,
} from "./fields.js";
import type { SessionTraffic, TerminationCause, UsageConfirmation, UsageDetail, UsageIndication } from "./messages.js";
import { EXTENSION, RELEASE_SOURCES, ROLES, type Role, TERMINATION_CAUSE_TYPES } from "./vocabulary.js";
import type { XmlElement } from "./xml-reader.js";
import { element, optional, type XmlNode } from "./xml-writer.js";

const CAUSES_MAX = 8;

function readCause(node: XmlElement): TerminationCause {
  return {
    type: wordOf("TerminationCause type", node.attributes.type ?? "", TERMINATION_CAUSE_TYPES),
    code: parseWhole("TCCode", requiredChild(node, "TCCode").text, 99_999),
    description: textOf(node, "Description"),
  };
}

const writeCause = ({ type, code, description }: TerminationCause): XmlNode =>
  element("TerminationCause", [element("TCCode", String(code)), optional("Description", description)], { type });

function readCounters(node: XmlElement): FlowCounters {
  const count = (key: string): number => attributeNumber(node, key);
  return {
    inProfile: { packets: count("inProfilePackets"), octets: octets(count("inProfileOctets")) },
    outOfProfile: { packets: count("outOfProfilePackets"), octets: octets(count("outOfProfileOctets")) },
  };
}

function readTraffic(detail: XmlElement): SessionTraffic | undefined {
  const nodes = childrenOf(detail, EXTENSION.usage);
  const way = (direction: string): XmlElement | undefined =>
    nodes.find(({ attributes }) => attributes.direction === direction);
  const [up, down] = [way("up"), way("down")];
  if (up === undefined && down === undefined) return undefined;
  if (up === undefined || down === undefined) throw badField(EXTENSION.usage, "needs both directions");
  return { up: readCounters(up), down: readCounters(down) };
}

/**
 * The standard has totals of a direction only; they go into Statistics for those who read the standard,
 * the split by profile into our extension. Both count layer-3 octets, as the kernel does.
 */
function writeTraffic({ up, down }: SessionTraffic, role: Role): readonly XmlNode[] {
  const forward = { direction: "source-to-destination" };
  const backward = { direction: "destination-to-source" };
  const [upward, downward] = role === "destination" ? [backward, forward] : [forward, backward];
  const total = (of: FlowCounters, key: "packets" | "octets"): string =>
    String(of.inProfile[key] + of.outOfProfile[key]);
  const split = (direction: string, { inProfile, outOfProfile }: FlowCounters): XmlNode =>
    element(EXTENSION.usage, "", {
      ...NOT_CRITICAL,
      direction,
      layer: "3",
      inProfilePackets: String(inProfile.packets),
      inProfileOctets: String(inProfile.octets),
      outOfProfilePackets: String(outOfProfile.packets),
      outOfProfileOctets: String(outOfProfile.octets),
    });
  const metrics = element(
    "Metrics",
    [
      element("TotalOctets", total(up, "octets"), { ...NOT_CRITICAL, ...upward }),
      element("TotalOctets", total(down, "octets"), { ...NOT_CRITICAL, ...downward }),
      element("TotalPackets", total(up, "packets"), { ...NOT_CRITICAL, ...upward }),
      element("TotalPackets", total(down, "packets"), { ...NOT_CRITICAL, ...downward }),
    ],
    { ...NOT_CRITICAL, type: "rtp" },
  );
  return [element("Statistics", [metrics], NOT_CRITICAL), split("up", up), split("down", down)];
}

function readDetail(node: XmlElement): UsageDetail {
  const unit = textOf(node, "Unit");
  if (unit !== undefined && unit !== "s") throw badField("Unit", "only seconds are settled");
  const amount = decimalField(node, "Amount");
  if (amount === undefined) throw badField("Amount", "missing in UsageDetail");
  const causes = childrenOf(node, "TerminationCause");
  if (causes.length > CAUSES_MAX) throw badField("TerminationCause", `more than ${CAUSES_MAX}`);
  const release = textOf(node, "ReleaseSource");
  return {
    seconds: amount * (decimalField(node, "Increment") ?? 1),
    terminationCauses: causes.map(readCause),
    startTime: timestampField(node, "StartTime"),
    endTime: timestampField(node, "EndTime"),
    alertTime: timestampField(node, "AlertTime"),
    connectTime: timestampField(node, "ConnectTime"),
    releaseSource: release === undefined ? undefined : wordOf("ReleaseSource", release, RELEASE_SOURCES),
    traffic: readTraffic(node),
  };
}

function writeDetail(detail: UsageDetail, role: Role): XmlNode {
  return element("UsageDetail", [
    ...(detail.terminationCauses ?? []).map(writeCause),
    element("Amount", formatDecimal(detail.seconds)),
    element("Increment", "1"),
    element("Unit", "s"),
    optional("StartTime", timeText(detail.startTime)),
    optional("EndTime", timeText(detail.endTime)),
    optional("AlertTime", timeText(detail.alertTime)),
    optional("ConnectTime", timeText(detail.connectTime)),
    optional("ReleaseSource", detail.releaseSource),
    ...(detail.traffic === undefined ? [] : writeTraffic(detail.traffic, role)),
  ]);
}

export function readUsageIndication(node: XmlElement, componentId: string): UsageIndication {
  const transactionId = readTransactionId(node);
  if (transactionId === undefined) throw badField("TransactionId", "missing in UsageIndication");
  const roleInfo = childOf(node, "RoleInfo");
  const state = roleInfo === undefined ? undefined : textOf(roleInfo, "State");
  return {
    kind: "UsageIndication",
    componentId,
    timestamp: timestampField(node, "Timestamp"),
    role: wordOf("Role", requiredChild(node, "Role").text, ROLES),
    state: state?.slice(0, 32),
    transactionId,
    callId: binaryOf(requiredChild(node, "CallId"), CALL_ID_OCTETS),
    source: readRequiredParty(node, "SourceInfo"),
    sourceAlternates: readParties(node, "SourceAlternate"),
    destination: readRequiredParty(node, "DestinationInfo"),
    destinationAlternates: readParties(node, "DestinationAlternate"),
    setupAttempt: wholeField(node, "SetupAttempt", 1000),
    detail: readDetail(requiredChild(node, "UsageDetail")),
    ...readPeerClaim(node),
    extensions: readExtensions(node),
  };
}

export function writeUsageIndication(usage: UsageIndication): XmlNode {
  return element(
    "UsageIndication",
    [
      optional("Timestamp", timeText(usage.timestamp)),
      element("Role", usage.role),
      usage.state === undefined ? undefined : element("RoleInfo", [element("State", usage.state)]),
      element("TransactionId", usage.transactionId),
      element("CallId", usage.callId.toString("base64"), { encoding: "base64" }),
      writeParty("SourceInfo", usage.source),
      ...writeParties("SourceAlternate", usage.sourceAlternates),
      writeParty("DestinationInfo", usage.destination),
      ...writeParties("DestinationAlternate", usage.destinationAlternates),
      optional("SetupAttempt", usage.setupAttempt === undefined ? undefined : String(usage.setupAttempt)),
      writeDetail(usage.detail, usage.role),
      ...writePeerClaim(usage),
      ...writeExtensions(usage.extensions),
    ],
    { componentId: usage.componentId },
  );
}

export function readUsageConfirmation(node: XmlElement, componentId: string): UsageConfirmation {
  const timestamp = timestampField(node, "Timestamp");
  return { kind: "UsageConfirmation", componentId, timestamp, status: readStatus(node) };
}

export function writeUsageConfirmation({ componentId, timestamp, status }: UsageConfirmation): XmlNode {
  const children = [optional("Timestamp", timeText(timestamp)), writeStatus(status)];
  return element("UsageConfirmation", children, { componentId });
}
