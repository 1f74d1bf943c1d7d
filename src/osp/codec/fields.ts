/** Reading and writing of the formats that fields share: times, numbers, binary values, addresses. */
import { familyOf } from "../../model/ip.js";
import type { Timestamp } from "../../model/units.js";
import { badField } from "./decode-error.js";
import type { XmlElement } from "./xml-reader.js";

export const childrenOf = (parent: XmlElement, name: string): readonly XmlElement[] =>
  parent.children.filter((child) => child.name === name);

export const childOf = (parent: XmlElement, name: string): XmlElement | undefined =>
  parent.children.find((child) => child.name === name);

export function requiredChild(parent: XmlElement, name: string): XmlElement {
  const child = childOf(parent, name);
  if (child === undefined) throw badField(name, `missing in ${parent.name}`);
  return child;
}

/** Text of a child; undefined if the child is missing or empty. */
export function textOf(parent: XmlElement, name: string): string | undefined {
  const text = childOf(parent, name)?.text;
  return text === "" ? undefined : text;
}

/** `YYYY-MM-DDThh:mm:ssZ`, the only form the field reads: UTC, no fractions, no offsets. */
export function formatTimestamp(at: Timestamp): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** Undefined if `text` is not exactly that form, or no day of the calendar. */
export function parseTimestamp(text: string): Timestamp | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(text)) return undefined;
  const at = Date.parse(text);
  // The engine rolls 31 February over into March: only what comes back unchanged was a date.
  return at >= 0 && formatTimestamp(at as Timestamp) === text ? (at as Timestamp) : undefined;
}

/** An empty time (ValidAfter, ValidUntil) means unlimited, as a missing one does. */
export function timestampField(parent: XmlElement, name: string): Timestamp | undefined {
  const text = textOf(parent, name);
  if (text === undefined) return undefined;
  const at = parseTimestamp(text);
  if (at === undefined) throw badField(name, "not a time of the form YYYY-MM-DDThh:mm:ssZ");
  return at;
}

export function parseWhole(name: string, text: string, high: number = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= high)) throw badField(name, `not a whole number 0..${high}`);
  return value;
}

export function wholeField(parent: XmlElement, name: string, high?: number): number | undefined {
  const text = textOf(parent, name);
  return text === undefined ? undefined : parseWhole(name, text, high);
}

/** A decimal such as `12` or `12.345`. */
export function decimalField(parent: XmlElement, name: string): number | undefined {
  const text = textOf(parent, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,12}(\.\d{1,6})?$/.test(text)) throw badField(name, "not a decimal number");
  return Number(text);
}

/** At most three decimals, none that are zero. */
export const formatDecimal = (value: number): string => String(Math.round(value * 1000) / 1000);

/** Octets of a binary element: base64 if it says so, else its character data. */
export function binaryOf(element: XmlElement, high: number): Buffer {
  const encoding = element.attributes.encoding?.toLowerCase();
  if (encoding !== undefined && encoding !== "base64" && encoding !== "cdata") {
    throw badField(element.name, "encoding is neither base64 nor cdata");
  }
  const octets = encoding === "base64" ? decodeBase64(element.text) : Buffer.from(element.text, "utf8");
  if (octets === undefined) throw badField(element.name, "not base64");
  if (octets.length === 0 || octets.length > high) throw badField(element.name, `needs 1..${high} octets`);
  return octets;
}

/** Strict: node's own decoder skips what it does not know. Line breaks inside are allowed. */
export function decodeBase64(text: string): Buffer | undefined {
  const compact = text.replace(/[\t\r\n ]+/g, "");
  return compact.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(compact)
    ? Buffer.from(compact, "base64")
    : undefined;
}

/** One of a list of words, whatever its case. */
export function wordOf<W extends string>(name: string, text: string, words: readonly W[]): W {
  const word = words.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
  if (word === undefined) throw badField(name, `none of ${words.join(", ")}`);
  return word;
}

export interface SignalAddress {
  /** IP address without brackets, or a DNS name. */
  readonly host: string;
  readonly port: number | undefined;
}

/** `[192.0.2.1]:5060`, `[2001:db8::1]`, `192.0.2.1:5060`, `sip2.b.example:5060`; undefined for anything else. */
export function parseSignalAddress(text: string): SignalAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F.:]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, name, digits] = match;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  if (bracketed !== undefined && familyOf(bracketed) === undefined) return undefined;
  return { host: bracketed ?? name ?? "", port };
}

/** Addresses of both families go in brackets, names do not. */
export function formatSignalAddress({ host, port }: SignalAddress): string {
  const shown = familyOf(host) === undefined ? host : `[${host}]`;
  return port === undefined ? shown : `${shown}:${port}`;
}
