/** The a= lines that decide about flows and rates. Others are ignored, as RFC 8866 §5.13 wants. */
import { DecodeError } from "../../model/errors.js";
import type { SdpCodec, SdpDirection } from "./description.js";

export interface AttributeLine {
  readonly value: string;
  readonly number: number;
  readonly offset: number;
}

/** What attributes are written into. At session level the media ones are read and not used. */
export interface AttributeTarget {
  direction?: SdpDirection;
  maxPacketRate?: number;
  rtcp?: { readonly port: number; readonly address?: string };
  rtcpMux: boolean;
  ptime?: number;
  maxptime?: number;
  headerExtensions?: boolean;
  codecs: Map<string, SdpCodec>;
  parameters?: Map<string, string>;
}

type Reader = (value: string, target: AttributeTarget) => boolean;

const direction =
  (name: SdpDirection): Reader =>
  (_value, target) => {
    target.direction = name;
    return true;
  };

/** Milliseconds in a packet; some agents write fractions. */
function milliseconds(value: string): number | undefined {
  const number = /^\d{1,4}(?:\.\d{1,3})?$/.test(value) ? Number(value) : 0;
  return number >= 1 ? number : undefined;
}

/** Each gives false if the value is not what the attribute's standard says. */
const READERS: Readonly<Record<string, Reader>> = {
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
  // Some agents end a line with a space, which changes no meaning.
  const value = colon < 0 ? "" : line.value.slice(colon + 1).trim();
  if (reader === undefined || reader(value, target)) return;
  const column = colon + 4;
  throw new DecodeError("SDP_SYNTAX", `SDP line ${line.number} column ${column}: a=${name} cannot be read`, {
    offset: line.offset + column - 1,
    object: `a=${name}`,
  });
}
