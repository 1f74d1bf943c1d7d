/** The a= lines that decide about flows and rates. Others are ignored, as RFC 8866 §5.13 wants. */
import { DecodeError } from "../../model/errors.js";
import type { AttributeReader, AttributeReaders, AttributeTarget } from "./attribute-reader.js";
import { BUNDLE_READERS } from "./bundle.js";
import type { SdpDirection } from "./description.js";
import { QUALITY_READERS } from "./quality/readers.js";
import { SECURITY_READERS } from "./security.js";

export interface AttributeLine {
  readonly value: string;
  readonly number: number;
  readonly offset: number;
}

const direction =
  (name: SdpDirection): AttributeReader =>
  (_value, target) => {
    target.direction = name;
    return true;
  };

/** Milliseconds in a packet; some agents write fractions. */
function milliseconds(value: string): number | undefined {
  const number = /^\d{1,4}(?:\.\d{1,3})?$/.test(value) ? Number(value) : 0;
  return number >= 1 ? number : undefined;
}

const READERS: AttributeReaders = {
  ...BUNDLE_READERS,
  ...QUALITY_READERS,
  ...SECURITY_READERS,
  sendrecv: direction("sendrecv"),
  sendonly: direction("sendonly"),
  recvonly: direction("recvonly"),
  inactive: direction("inactive"),
  "rtcp-mux": (_value, target) => {
    target.rtcpMux = true;
    return true;
  },
  rtcp: (value, target) => {
    const match = /^(\d{1,5})(?: IN IP[46] (\S+))?$/.exec(value);
    const port = Number(match?.[1] ?? 0);
    if (match === null || port < 1 || port > 65_535) return false;
    target.rtcp = match[2] === undefined ? { port } : { port, address: match[2] };
    return true;
  },
  ptime: (value, target) => {
    const time = milliseconds(value);
    if (time !== undefined) target.ptime = time;
    return time !== undefined;
  },
  maxptime: (value, target) => {
    const time = milliseconds(value);
    if (time !== undefined) target.maxptime = time;
    return time !== undefined;
  },
  extmap: (_value, target) => {
    target.headerExtensions = true;
    return true;
  },
  maxprate: (value, target) => {
    const rate = /^\d{1,6}(?:\.\d{1,6})?$/.test(value) ? Number(value) : 0;
    if (rate > 0) target.maxPacketRate = rate;
    return rate > 0;
  },
  rtpmap: (value, target) => {
    const match = /^(\d{1,3}) ([^\s/]+)\/(\d{1,9})(?:\/(\d{1,2}))?$/.exec(value);
    if (match === null || Number(match[1]) > 127) return false;
    const [, format = "", name = "", clock, channels] = match;
    target.codecs.set(format, {
      name: name.toLowerCase(),
      clockRate: Number(clock),
      channels: Math.max(1, Number(channels ?? 1)),
    });
    return true;
  },
  fmtp: (value, target) => {
    const match = /^(\S+) (.+)$/.exec(value);
    if (match === null) return false;
    target.parameters ??= new Map();
    target.parameters.set(match[1] ?? "", match[2] ?? "");
    return true;
  },
};

/** @throws DecodeError SDP_SYNTAX for a known attribute with a value that cannot be read */
export function readAttribute(line: AttributeLine, target: AttributeTarget): void {
  const colon = line.value.indexOf(":");
  const name = colon < 0 ? line.value : line.value.slice(0, colon);
  const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
  if (reader === undefined) return;
  // Some agents end a line with a space, which changes no meaning; RFC 5432 §3 allows one before the value.
  const written = colon < 0 ? "" : line.value.slice(colon + 1);
  const read = reader(written.trim(), target);
  if (read === true) return;
  const { at, text } = read === false ? { at: 0, text: "its value is not what its standard says" } : read;
  const column = colon < 0 ? 3 : colon + 4 + written.length - written.trimStart().length + at;
  throw new DecodeError("SDP_SYNTAX", `SDP line ${line.number} column ${column}: a=${name} cannot be read: ${text}`, {
    offset: line.offset + column - 1,
    object: `a=${name}`,
  });
}
