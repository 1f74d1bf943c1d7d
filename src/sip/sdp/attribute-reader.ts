/** What the readers of a= lines have in common: what they write into, and how they say what is wrong. */
import type { MediaSecurity, QualityNeed } from "../../model/quality.js";
import type { SdpCodec, SdpCrypto, SdpDirection, SdpFingerprint, SdpRtcp, SdpSetup } from "./description.js";
import type { DesiredQosStatus, QosHint, QosStatus, SdpSessionClass } from "./quality/description.js";

/** What attributes are written into. At session level the media ones are read and not used. */
export interface AttributeTarget {
  direction?: SdpDirection;
  maxPacketRate?: number;
  rtcp?: SdpRtcp;
  rtcpMux: boolean;
  ptime?: number;
  maxptime?: number;
  headerExtensions?: boolean;
  codecs: Map<string, SdpCodec>;
  parameters?: Map<string, string>;
  mid?: string;
  bundles?: string[][];
  bundleOnly?: boolean;
  ice?: boolean;
  hiddenCandidates?: boolean;
  cryptos?: SdpCrypto[];
  fingerprints?: SdpFingerprint[];
  setup?: SdpSetup;
  sessionClass?: SdpSessionClass;
  needs?: { send?: QualityNeed; recv?: QualityNeed };
  requiredSecurity?: MediaSecurity;
  hint?: QosHint;
  preconditions?: { current: QosStatus[]; desired: DesiredQosStatus[]; confirm: QosStatus[] };
  mechanisms?: { send?: readonly string[]; recv?: readonly string[] };
}

/** Where in the value, 0-based, and what is wrong there. */
export interface Fault {
  readonly at: number;
  readonly text: string;
}

/** Gives false, or where and why, if the value is not what the attribute's standard says. */
export type AttributeReader = (value: string, target: AttributeTarget) => boolean | Fault;

export type AttributeReaders = Readonly<Record<string, AttributeReader>>;

export const fault = (at: number, text: string): Fault => ({ at, text });

/** A value that may stand once in a scope. */
export const AGAIN = fault(0, "it is there already");

/** RFC 8866 §9: token. */
export const isToken = (text: string): boolean => /^[!#-'*+\-.0-9A-Z^-~]+$/.test(text);

/** The value of a parameter that is not known: visible, without a semicolon. */
export const isParameterValue = (text: string): boolean => /^[!-:<-~]+$/.test(text);

export interface Part {
  readonly part: string;
  readonly at: number;
}

/** Parts between one-character separators, each with its place, spaces around it left out. */
export function partsOf(text: string, separator: string, from = 0): readonly Part[] {
  const parts: Part[] = [];
  for (let at = from; at <= text.length; ) {
    const next = text.indexOf(separator, at);
    const end = next < 0 ? text.length : next;
    const raw = text.slice(at, end);
    const part = raw.trim();
    parts.push({ part, at: part === raw ? at : at + raw.length - raw.trimStart().length });
    at = end + 1;
  }
  return parts;
}
