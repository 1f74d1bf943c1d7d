/** A strict reader of SDP, line by line (RFC 8866 §5, §9). Errors say line and column. */
import { DecodeError } from "../../model/errors.js";
import type { AttributeTarget } from "./attribute-reader.js";
import { readAttribute } from "./attributes.js";
import { STATIC_CODECS } from "./codecs.js";
import type { SdpBandwidth, SdpCodec, SdpDirection, SdpMedia, SessionDescription } from "./description.js";

export interface SdpLimits {
  readonly octets: number;
  readonly lines: number;
  readonly media: number;
  readonly formats: number;
}

export const DEFAULT_SDP_LIMITS: SdpLimits = { octets: 32_768, lines: 1_000, media: 32, formats: 64 };

/** One line without its end, and where it stands. */
export interface SdpLine {
  readonly type: string;
  readonly value: string;
  /** 1-based. */
  readonly number: number;
  /** Octets from the start of the description. */
  readonly offset: number;
}

/** A scope that is still being read. */
export interface Draft extends AttributeTarget {
  connection?: string;
  bandwidth: { -readonly [K in keyof SdpBandwidth]: SdpBandwidth[K] };
  direction?: SdpDirection;
}

interface MediaDraft extends Draft {
  kind: string;
  port: number;
  portCount: number;
  protocol: string;
  formats: string[];
  codecs: Map<string, SdpCodec>;
  line: number;
}

const BANDWIDTHS = { AS: "as", TIAS: "tias", RS: "rs", RR: "rr" } as const;

/** @throws DecodeError SDP_SYNTAX, with line and column in the message; SDP_TOO_LARGE */
export function readSdp(octets: Buffer, limits: SdpLimits = DEFAULT_SDP_LIMITS): SessionDescription {
  if (octets.length > limits.octets) {
    throw new DecodeError("SDP_TOO_LARGE", `SDP has ${octets.length} octets, at most ${limits.octets} are read`, {
      offset: 0,
      object: "session-description",
    });
  }
  const lines = splitLines(octets.toString("latin1"), limits);
  const origin = readStart(lines);
  const session = newDraft();
  const media: MediaDraft[] = [];
  for (const line of lines.slice(3)) {
    if (line.type === "m") {
      if (media.length >= limits.media) throw sdpError(line, 1, "too many m= lines");
      media.push(readMedia(line, limits));
    } else readScopeLine(line, media.at(-1) ?? session);
  }
  const { bundles = [], ...scope } = session;
  return { origin, session: scope, bundles, media: media.map(finish) };
}

/** RFC 8866 §5: lines end with CRLF; a lone LF is accepted too. */
function splitLines(text: string, limits: SdpLimits): SdpLine[] {
  const lines: SdpLine[] = [];
  let offset = 0;
  let number = 0;
  while (offset < text.length) {
    const end = text.indexOf("\n", offset);
    const stop = end < 0 ? text.length : end;
    const raw = text.slice(offset, text[stop - 1] === "\r" ? stop - 1 : stop);
    number += 1;
    const line = { type: raw[0] ?? "", value: raw.slice(2), number, offset };
    if (number > limits.lines) throw sdpError(line, 1, "too many lines");
    if (!/^[vosiuepcbtrzkam]$/.test(line.type)) throw sdpError(line, 1, "no type letter of SDP");
    if (raw[1] !== "=") throw sdpError(line, 2, "a type is followed by =");
    const control = raw.search(/[\0\r]/);
    if (control >= 0) throw sdpError(line, control + 1, "a control character");
    lines.push(line);
    offset = stop + 1;
  }
  return lines;
}

/** v=, o= and s= come first, once each, in this order. */
function readStart(lines: readonly SdpLine[]): SessionDescription["origin"] {
  const [version, origin, name] = lines;
  const nowhere = { type: "", value: "", number: lines.length + 1, offset: 0 };
  if (version?.type !== "v" || version.value !== "0") throw sdpError(version ?? nowhere, 1, "v=0 must come first");
  if (origin?.type !== "o") throw sdpError(origin ?? nowhere, 1, "o= must follow v=");
  const fields = origin.value.split(" ");
  const [, sessionId = "", sessionVersion = "", net] = fields;
  if (fields.length !== 6 || !/^\d+$/.test(sessionId) || !/^\d+$/.test(sessionVersion) || net !== "IN") {
    throw sdpError(origin, 3, "o= has user, session id, version, IN, address type and address");
  }
  if (name?.type !== "s") throw sdpError(name ?? nowhere, 1, "s= must follow o=");
  return { sessionId, version: sessionVersion };
}

function newDraft(): Draft {
  return { bandwidth: {}, rtcpMux: false, codecs: new Map() };
}

function readScopeLine(line: SdpLine, target: Draft): void {
  switch (line.type) {
    case "c":
      // RFC 8866 §5.7: several c= of one medium are layered multicast, which nothing here can serve.
      if (target.connection !== undefined) throw sdpError(line, 1, "a second c=");
      target.connection = readConnection(line);
      return;
    case "b":
      readBandwidth(line, target);
      return;
    case "a":
      readAttribute(line, target);
      return;
    case "v":
    case "o":
    case "s":
      // §5: s= has no place in a media section, and none of them comes twice.
      throw sdpError(line, 1, `a second ${line.type}=`);
    default:
      // i, u, e, p, t, r, z, k: read by people and by recorders.
      return;
  }
}

function readConnection(line: SdpLine): string {
  const match = /^IN IP[46] (\S+)$/.exec(line.value);
  if (match === null) throw sdpError(line, 3, "c= is IN, IP4 or IP6, and an address");
  return match[1] ?? "";
}

function readBandwidth(line: SdpLine, target: Draft): void {
  const match = /^([A-Za-z0-9-]+):(\d{1,10})$/.exec(line.value);
  if (match === null) throw sdpError(line, 3, "b= is a type, a colon and a number");
  const key = BANDWIDTHS[match[1] as keyof typeof BANDWIDTHS];
  // §5.8: other types, such as CT or X-…, are ignored.
  if (key !== undefined) target.bandwidth[key] = Number(match[2]);
}

function readMedia(line: SdpLine, limits: SdpLimits): MediaDraft {
  const match = /^([A-Za-z0-9-]+) (\d{1,5})(?:\/(\d{1,5}))? (\S+)((?: \S+)+)$/.exec(line.value);
  const [, kind = "", port = "", count = "1", protocol = "", formats = ""] = match ?? [];
  if (match === null) throw sdpError(line, 3, "m= is a medium, a port, a protocol and formats");
  if (Number(port) > 65_535) throw sdpError(line, kind.length + 4, "the port is above 65535");
  if (Number(count) < 1 || Number(count) > 8) throw sdpError(line, kind.length + port.length + 5, "1 to 8 port pairs");
  const list = formats.trim().split(" ");
  if (list.length > limits.formats) throw sdpError(line, 3, "too many formats");
  return {
    ...newDraft(),
    kind: kind.toLowerCase(),
    port: Number(port),
    portCount: Number(count),
    protocol: protocol.toUpperCase(),
    formats: list,
    line: line.number,
  };
}

function finish(draft: MediaDraft): SdpMedia {
  const { parameters, bundles, rtcp, ...rest } = draft;
  const codecs = new Map<string, SdpCodec>();
  for (const format of draft.formats) {
    const codec = draft.codecs.get(format) ?? STATIC_CODECS[format];
    const fmtp = parameters?.get(format);
    if (codec !== undefined) codecs.set(format, fmtp === undefined ? codec : { ...codec, parameters: fmtp });
  }
  // Browsers that offer rtcp-mux write a=rtcp:9 IN IP4 0.0.0.0, which is a place for nothing.
  const isNowhere = draft.rtcpMux && (rtcp?.address === "0.0.0.0" || rtcp?.address === "::");
  return { ...rest, codecs, ...(rtcp === undefined || isNowhere ? {} : { rtcp }) };
}

/** @param column - 1-based */
export function sdpError(line: SdpLine, column: number, text: string): DecodeError {
  return new DecodeError("SDP_SYNTAX", `SDP line ${line.number} column ${column}: ${text}`, {
    offset: line.offset + column - 1,
    object: line.type === "" ? "session-description" : `${line.type}=`,
  });
}
