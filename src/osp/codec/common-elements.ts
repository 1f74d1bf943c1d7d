/** Elements that several components carry: parties, Status, our extensions, peer identity. */
import type { GrantResult } from "../../model/quality.js";
import { parseSessionId } from "../../model/session.js";
import { bitsPerSecond } from "../../model/units.js";
import { badField } from "./decode-error.js";
import { childOf, childrenOf, parseWhole, requiredChild, textOf, wholeField, wordOf } from "./fields.js";
import { type Extensions, type Party, parseTransactionId, type Spelling, type TransactionId } from "./messages.js";
import type { Status } from "./status.js";
import { EXTENSION } from "./vocabulary.js";
import type { XmlElement } from "./xml-reader.js";
import { element, optional, type XmlNode } from "./xml-writer.js";

const VALUE_LENGTH = 512;
const LIST_LENGTH = 64;
const RESULTS: readonly GrantResult[] = ["granted", "reduced", "bestEffort"];
/** Keeps bandwidths far from where doubles lose units. */
const BANDWIDTH_MAX = 1e12;

/** Extensions and identity are for those who know them; others must pass them over. */
export const NOT_CRITICAL = { critical: "False" } as const;

function readParty({ name, attributes, text }: XmlElement): Party {
  if (text === "" || text.length > VALUE_LENGTH) throw badField(name, `needs 1..${VALUE_LENGTH} characters`);
  return { type: (attributes.type ?? "").slice(0, 32), value: text };
}

export const readRequiredParty = (parent: XmlElement, name: string): Party => readParty(requiredChild(parent, name));

export function readOptionalParty(parent: XmlElement, name: string): Party | undefined {
  const child = childOf(parent, name);
  return child === undefined ? undefined : readParty(child);
}

/** Alternates; a peer that sends an empty one means nothing by it. */
export function readParties(parent: XmlElement, name: string): readonly Party[] {
  const children = childrenOf(parent, name).filter(({ text }) => text !== "");
  if (children.length > LIST_LENGTH) throw badField(name, `more than ${LIST_LENGTH} times`);
  return children.map(readParty);
}

export const writeParty = (name: string, { type, value }: Party): XmlNode =>
  element(name, value, { type: type === "" ? undefined : type });

export const writeParties = (name: string, parties: readonly Party[] = []): readonly XmlNode[] =>
  parties.map((party) => writeParty(name, party));

/** Three digits by the standard; a missing Status is the peer's fault, never success. */
export function readStatus(parent: XmlElement): Status {
  const status = requiredChild(parent, "Status");
  const code = textOf(status, "Code") ?? "";
  if (!/^\d{3}$/.test(code)) throw badField("Code", "not three digits");
  return { code: Number(code), description: textOf(status, "Description") };
}

export const writeStatus = ({ code, description }: Status): XmlNode =>
  element("Status", [element("Code", String(code)), optional("Description", description)]);

export function readTransactionId(parent: XmlElement): TransactionId | undefined {
  const text = textOf(parent, "TransactionId");
  if (text === undefined) return undefined;
  const id = parseTransactionId(text);
  if (id === undefined) throw badField("TransactionId", "not an unsigned 64 bit decimal");
  return id;
}

export function readExtensions(parent: XmlElement): Extensions | undefined {
  const sessionText = textOf(parent, EXTENSION.session);
  const session = sessionText === undefined ? undefined : parseSessionId(sessionText);
  if (sessionText !== undefined && session === undefined) throw badField(EXTENSION.session, "not a session id");
  const rate = wholeField(parent, EXTENSION.bandwidth, BANDWIDTH_MAX);
  const bandwidth = rate === undefined ? undefined : bitsPerSecond(rate);
  const serviceClass = textOf(parent, EXTENSION.serviceClass);
  if (serviceClass !== undefined && !/^[\w.-]{1,64}$/.test(serviceClass)) {
    throw badField(EXTENSION.serviceClass, "not a name of 1..64 letters, digits, dots, dashes");
  }
  const resultText = textOf(parent, EXTENSION.result);
  const result = resultText === undefined ? undefined : wordOf(EXTENSION.result, resultText, RESULTS);
  const isEmpty = [session, bandwidth, serviceClass, result].every((value) => value === undefined);
  return isEmpty ? undefined : { session, bandwidth, serviceClass, result };
}

export function writeExtensions(extensions: Extensions | undefined): readonly (XmlNode | undefined)[] {
  if (extensions === undefined) return [];
  const { session, bandwidth, serviceClass, result } = extensions;
  return [
    optional(EXTENSION.session, session, NOT_CRITICAL),
    // bit/s at layer 3. The standard's Unit cannot say it: receivers take no other Unit than seconds.
    optional(EXTENSION.bandwidth, bandwidth === undefined ? undefined : String(Math.ceil(bandwidth)), {
      ...NOT_CRITICAL,
      unit: "bit/s",
    }),
    optional(EXTENSION.serviceClass, serviceClass, NOT_CRITICAL),
    optional(EXTENSION.result, result, NOT_CRITICAL),
  ];
}

export interface PeerClaim {
  readonly customerId: string | undefined;
  readonly deviceId: string | undefined;
}

export const readPeerClaim = (parent: XmlElement): PeerClaim => ({
  customerId: textOf(parent, "CustomerId"),
  deviceId: textOf(parent, "DeviceId"),
});

export const writePeerClaim = (claim: Partial<PeerClaim>): readonly (XmlNode | undefined)[] => [
  optional("CustomerId", claim.customerId, NOT_CRITICAL),
  optional("DeviceId", claim.deviceId, NOT_CRITICAL),
];

export const spellingOf = (name: string): Spelling => (name.startsWith("Authoriz") ? "z" : "s");
export const spell = (spelling: Spelling | undefined, rest: "Request" | "Response"): string =>
  spelling === "z" ? `Authorization${rest}` : `Authorisation${rest}`;

/** A whole number that stands in an attribute. */
export function attributeNumber({ name, attributes }: XmlElement, key: string): number {
  return parseWhole(`${name}/${key}`, attributes[key] ?? "");
}
