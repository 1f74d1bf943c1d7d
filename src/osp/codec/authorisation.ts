/** AuthorisationRequest and AuthorisationResponse, in both spellings. */
import {
  NOT_CRITICAL,
  readExtensions,
  readOptionalParty,
  readParties,
  readPeerClaim,
  readRequiredParty,
  readStatus,
  readTransactionId,
  spell,
  spellingOf,
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
  formatTimestamp,
  parseSignalAddress,
  requiredChild,
  textOf,
  timestampField,
  wholeField,
  wordOf,
} from "./fields.js";
import type { AuthorisationRequest, AuthorisationResponse, Destination } from "./messages.js";
import { readTariff, writeTariff } from "./tariff-element.js";
import { SERVICE_TYPES, type ServiceType } from "./vocabulary.js";
import type { XmlElement } from "./xml-reader.js";
import { binary, element, optional, type XmlNode } from "./xml-writer.js";

export const CALL_ID_OCTETS = 256;
/** The toolkit takes no larger token. */
export const TOKEN_OCTETS = 3200;
const DESTINATIONS_MAX = 16;

export const timeText = (at: Parameters<typeof formatTimestamp>[0] | undefined): string | undefined =>
  at === undefined ? undefined : formatTimestamp(at);

/** `<Service/>` is voice; anything else names its type in an attribute. */
function readService(parent: XmlElement): ServiceType | undefined {
  const service = childOf(parent, "Service");
  const type = service === undefined ? undefined : childOf(service, "ServiceType");
  const word = type?.attributes.type ?? type?.text;
  return word === undefined || word === "" ? undefined : wordOf("ServiceType", word, SERVICE_TYPES);
}

const writeService = (service: ServiceType | undefined): XmlNode =>
  element("Service", service === undefined ? "" : [element("ServiceType", "", { type: service })]);

export function readAuthorisationRequest(node: XmlElement, componentId: string): AuthorisationRequest {
  const token = childOf(node, "Token");
  return {
    kind: "AuthorisationRequest",
    componentId,
    spelling: spellingOf(node.name),
    timestamp: timestampField(node, "Timestamp"),
    callId: binaryOf(requiredChild(node, "CallId"), CALL_ID_OCTETS),
    source: readRequiredParty(node, "SourceInfo"),
    sourceAlternates: readParties(node, "SourceAlternate"),
    destination: readRequiredParty(node, "DestinationInfo"),
    destinationAlternates: readParties(node, "DestinationAlternate"),
    service: readService(node),
    maximumDestinations: wholeField(node, "MaximumDestinations", 1000),
    ...readPeerClaim(node),
    token: token === undefined ? undefined : binaryOf(token, TOKEN_OCTETS),
    extensions: readExtensions(node),
  };
}

export function writeAuthorisationRequest(request: AuthorisationRequest): XmlNode {
  const { maximumDestinations } = request;
  return element(
    spell(request.spelling, "Request"),
    [
      optional("Timestamp", timeText(request.timestamp)),
      binary("CallId", request.callId),
      writeParty("SourceInfo", request.source),
      ...writeParties("SourceAlternate", request.sourceAlternates),
      writeParty("DestinationInfo", request.destination),
      ...writeParties("DestinationAlternate", request.destinationAlternates),
      writeService(request.service),
      optional("MaximumDestinations", maximumDestinations === undefined ? undefined : String(maximumDestinations)),
      // A Token is no part of this request in the standard: only who knows our use of it shall look.
      request.token === undefined ? undefined : binary("Token", request.token, NOT_CRITICAL),
      ...writePeerClaim(request),
      ...writeExtensions(request.extensions),
    ],
    { componentId: request.componentId },
  );
}

function readLimit(destination: XmlElement): number | undefined {
  const detail = childOf(destination, "UsageDetail");
  if (detail === undefined) return undefined;
  const unit = textOf(detail, "Unit");
  if (unit !== "s") throw badField("Unit", "only seconds can limit a session");
  const amount = decimalField(detail, "Amount");
  return amount === undefined ? undefined : amount * (decimalField(detail, "Increment") ?? 1);
}

function readDestination(node: XmlElement): Destination {
  const signalAddress = textOf(node, "DestinationSignalAddress");
  if (signalAddress === undefined || parseSignalAddress(signalAddress) === undefined) {
    throw badField("DestinationSignalAddress", "neither [address]:port nor name:port");
  }
  return {
    callId: binaryOf(requiredChild(node, "CallId"), CALL_ID_OCTETS),
    destination: readOptionalParty(node, "DestinationInfo"),
    signalAddress,
    token: binaryOf(requiredChild(node, "Token"), TOKEN_OCTETS),
    validAfter: timestampField(node, "ValidAfter"),
    validUntil: timestampField(node, "ValidUntil"),
    limit: readLimit(node),
    extensions: readExtensions(node),
  };
}

function writeDestination(destination: Destination): XmlNode {
  const { limit } = destination;
  return element("Destination", [
    binary("CallId", destination.callId),
    destination.destination === undefined ? undefined : writeParty("DestinationInfo", destination.destination),
    element("DestinationSignalAddress", destination.signalAddress),
    binary("Token", destination.token),
    optional("ValidAfter", timeText(destination.validAfter)),
    optional("ValidUntil", timeText(destination.validUntil)),
    limit === undefined
      ? undefined
      : element("UsageDetail", [
          element("Amount", formatDecimal(limit)),
          element("Increment", "1"),
          element("Service"),
          element("Unit", "s"),
        ]),
    ...writeExtensions(destination.extensions),
  ]);
}

export function readAuthorisationResponse(node: XmlElement, componentId: string): AuthorisationResponse {
  const destinations = childrenOf(node, "Destination");
  if (destinations.length > DESTINATIONS_MAX) throw badField("Destination", `more than ${DESTINATIONS_MAX}`);
  return {
    kind: "AuthorisationResponse",
    componentId,
    spelling: spellingOf(node.name),
    timestamp: timestampField(node, "Timestamp"),
    status: readStatus(node),
    transactionId: readTransactionId(node),
    destinations: destinations.map(readDestination),
    tariff: readTariff(node),
  };
}

export function writeAuthorisationResponse(response: AuthorisationResponse): XmlNode {
  return element(
    spell(response.spelling, "Response"),
    [
      optional("Timestamp", timeText(response.timestamp)),
      writeStatus(response.status),
      optional("TransactionId", response.transactionId),
      ...response.destinations.map(writeDestination),
      writeTariff(response.tariff),
    ],
    { componentId: response.componentId },
  );
}
