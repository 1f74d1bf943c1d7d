/** The Message envelope: octets <-> components. Both directions are pure. */
import { unreachable } from "../../model/errors.js";
import {
  readAuthorisationRequest,
  readAuthorisationResponse,
  timeText,
  writeAuthorisationRequest,
  writeAuthorisationResponse,
} from "./authorisation.js";
import { writeStatus } from "./common-elements.js";
import { OspDecodeError } from "./decode-error.js";
import type { Component, EncodableComponent, OspMessage } from "./messages.js";
import { readUsageConfirmation, readUsageIndication, writeUsageConfirmation, writeUsageIndication } from "./usage.js";
import { isComponentName, isKnownElement } from "./vocabulary.js";
import { DEFAULT_XML_LIMITS, envelopeOf, readXml, type XmlElement, type XmlLimits } from "./xml-reader.js";
import { element, optional, writeXml, type XmlNode } from "./xml-writer.js";

/**
 * Decodes a message. A component that breaks a rule of its own becomes `invalid`, so that the others can be answered.
 * @throws OspDecodeError with status 400 (no Message, no component), 410 (encoding), 411 (syntax, limits) or
 * 412 (an unknown element that is critical spoils the whole message); its envelope says whom to answer.
 */
export function decodeMessage(bytes: Uint8Array, limits: XmlLimits = DEFAULT_XML_LIMITS): OspMessage {
  const root = readXml(bytes, limits);
  const envelope = envelopeOf(root);
  if (root.name !== "Message") {
    throw new OspDecodeError(400, "the document element is not Message", { offset: 0, object: root.name.slice(0, 64) });
  }
  const stranger = findUnknownCritical(root);
  if (stranger !== undefined) {
    const object = stranger.slice(0, 64);
    throw new OspDecodeError(412, `unknown critical element ${object}`, { offset: 0, object }, envelope);
  }
  const nodes = root.children.filter(({ name }) => isComponentName(name));
  if (nodes.length === 0) {
    throw new OspDecodeError(400, "the message has no component", { offset: 0, object: "Message" }, envelope);
  }
  const components = nodes.map((node) => readComponent(node, (node.attributes.componentId ?? "0").slice(0, 64)));
  return { messageId: envelope.messageId, random: root.attributes.random, components };
}

/** Every element is critical unless it says it is not; what is not critical may hold anything. */
function findUnknownCritical(parent: XmlElement): string | undefined {
  for (const child of parent.children) {
    const known = isKnownElement(child.name);
    if (!known && child.attributes.critical?.toLowerCase() !== "false") return child.name;
    const inside = known ? findUnknownCritical(child) : undefined;
    if (inside !== undefined) return inside;
  }
  return undefined;
}

function readComponent(node: XmlElement, componentId: string): Component {
  try {
    switch (node.name) {
      case "AuthorisationRequest":
      case "AuthorizationRequest":
        return readAuthorisationRequest(node, componentId);
      case "AuthorisationResponse":
      case "AuthorizationResponse":
        return readAuthorisationResponse(node, componentId);
      case "UsageIndication":
        return readUsageIndication(node, componentId);
      case "UsageConfirmation":
        return readUsageConfirmation(node, componentId);
      default:
        return { kind: "other", name: node.name, componentId };
    }
  } catch (error) {
    if (!(error instanceof OspDecodeError)) throw error;
    return { kind: "invalid", name: node.name, componentId, error };
  }
}

/** Encodes a message as it goes on the wire. */
export function encodeMessage(message: OspMessage<EncodableComponent>): Buffer {
  const attributes = { messageId: message.messageId, random: message.random };
  return writeXml(element("Message", message.components.map(writeComponent), attributes));
}

function writeComponent(component: EncodableComponent): XmlNode {
  switch (component.kind) {
    case "AuthorisationRequest":
      return writeAuthorisationRequest(component);
    case "AuthorisationResponse":
      return writeAuthorisationResponse(component);
    case "UsageIndication":
      return writeUsageIndication(component);
    case "UsageConfirmation":
      return writeUsageConfirmation(component);
    case "other": {
      const { name, componentId, timestamp, status } = component;
      const children = [
        optional("Timestamp", timeText(timestamp)),
        status === undefined ? undefined : writeStatus(status),
      ];
      return element(name, children, { componentId });
    }
    default:
      return unreachable(component, "writeComponent");
  }
}
