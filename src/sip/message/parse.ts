/** Octets of one message to a value (RFC 3261 §7, §18.3). Says what is wrong; whether to answer is the validator's. */
import { DecodeError } from "../../model/errors.js";
import { parseNumber } from "./grammar.js";
import { type HeaderLine, hasControl, parseHeaderLine } from "./header-line.js";
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from "./limits.js";
import { SipRequest, SipResponse } from "./message.js";

/** What is wrong with a message that could still be taken apart. */
export interface Defect {
  readonly kind: "version" | "size" | "syntax";
  readonly text: string;
}

export type ParseResult =
  | { readonly kind: "request"; readonly request: SipRequest; readonly defects: readonly Defect[] }
  | { readonly kind: "response"; readonly response: SipResponse; readonly defects: readonly Defect[] }
  /** Nothing but line ends: a peer keeping its NAT binding open (RFC 5626 §3.5.1). */
  | { readonly kind: "keepalive" };

/**
 * @param framing - `stream`: the message was cut out of one by its Content-Length, or could not be
 * @throws DecodeError SIP_TOO_LARGE, SIP_START_LINE, SIP_TOO_MANY_HEADERS: what cannot even be answered.
 */
export function parseMessage(
  octets: Buffer,
  limits: MessageLimits = DEFAULT_MESSAGE_LIMITS,
  framing: "message" | "stream" = "message",
): ParseResult {
  // One octet more is let in, to be able to answer 513 to a request that is too large; twice is not worth an answer.
  if (octets.length > limits.messageOctets * 2) {
    throw fail("SIP_TOO_LARGE", `the datagram has ${octets.length} octets`, 0, "message");
  }
  const start = skipLineEnds(octets);
  if (start === octets.length) return { kind: "keepalive" };
  const defects: Defect[] = [];
  const blank = octets.indexOf("\r\n\r\n", start, "latin1");
  if (blank < 0) defects.push({ kind: "syntax", text: "end of header" });
  const lines = unfold(octets.toString("latin1", start, blank < 0 ? octets.length : blank), limits);
  const startLine = lines[0] ?? "";
  if (startLine.length > limits.startLineOctets || /[\r\n\0]/.test(startLine)) {
    throw fail("SIP_START_LINE", "the first line is too long or has control characters", start, "start-line");
  }
  if (octets.length > limits.messageOctets) defects.push({ kind: "size", text: "message too large" });
  const headers = readHeaders(lines, limits, defects);
  const body = takeBody(blank < 0 ? Buffer.alloc(0) : octets.subarray(blank + 4), headers, defects);
  if (framing === "stream") defects.push(...streamDefects(headers, limits));
  return build(startLine, headers, { body, defects, start });
}

function build(
  startLine: string,
  headers: readonly HeaderLine[],
  rest: { readonly body: Buffer; readonly defects: Defect[]; readonly start: number },
): ParseResult {
  const { body, defects, start } = rest;
  if (/^SIP\//i.test(startLine)) {
    const response = new SipResponse(startLine, headers, body);
    if (response.status < 100 || response.status > 699) {
      throw fail("SIP_START_LINE", "the status line does not start with SIP/2.0 and a status", start, "Status-Line");
    }
    return { kind: "response", response, defects };
  }
  // Lenient on purpose: spaces in wrong places still tell the method, so that 400 can be answered.
  if (!/^[A-Za-z0-9\-.!%*_+`'~]+[ \t].*[ \t]SIP\/\d+\.\d+[ \t]*$/i.test(startLine)) {
    throw fail("SIP_START_LINE", "the first line is neither a request line nor a status line", start, "Request-Line");
  }
  const version = /SIP\/(\d+\.\d+)[ \t]*$/i.exec(startLine)?.[1];
  if (version !== "2.0") defects.push({ kind: "version", text: `SIP version ${version}` });
  else if (!/^\S+ \S+ SIP\/2\.0$/i.test(startLine)) defects.push({ kind: "syntax", text: "Request-Line" });
  return { kind: "request", request: new SipRequest(startLine, headers, body), defects };
}

function skipLineEnds(octets: Buffer): number {
  let at = 0;
  while (at < octets.length && (octets[at] === 0x0d || octets[at] === 0x0a)) at += 1;
  return at;
}

/** Logical lines: a line that starts with a space or a tab belongs to the one before (§7.3.1). */
function unfold(head: string, limits: MessageLimits): string[] {
  const lines: string[] = [];
  let pieces: string[] = [];
  for (const line of head.split("\r\n")) {
    const folded = line.startsWith(" ") || line.startsWith("\t");
    if (!folded && pieces.length > 0) {
      lines.push(pieces.join("\r\n"));
      pieces = [];
      if (lines.length > limits.headers + 1) {
        throw fail("SIP_TOO_MANY_HEADERS", `more than ${limits.headers} header fields`, 0, "message-header");
      }
    }
    pieces.push(line);
  }
  const last = pieces.join("\r\n");
  if (last !== "") lines.push(last);
  return lines;
}

function readHeaders(lines: readonly string[], limits: MessageLimits, defects: Defect[]): HeaderLine[] {
  const headers: HeaderLine[] = [];
  for (const raw of lines.slice(1)) {
    const line = raw.length > limits.headerOctets ? undefined : parseHeaderLine(raw);
    if (line === undefined || hasControl(line)) {
      defects.push({ kind: "syntax", text: `header field ${headers.length + 1}` });
    }
    if (line !== undefined) headers.push(line);
  }
  if (headers.length > limits.headers) defects.push({ kind: "syntax", text: "too many header fields" });
  return headers;
}

/** §18.3: over UDP what follows the body is dropped, and a body shorter than announced is an error. */
function takeBody(rest: Buffer, headers: readonly HeaderLine[], defects: Defect[]): Buffer {
  const announced = headers.filter((line) => line.key === "content-length").map((line) => line.value);
  const first = announced[0];
  if (first === undefined) return rest;
  const length = parseNumber(first, 0, 10_000_000);
  if (length === undefined || announced.some((value) => value !== first) || length > rest.length) {
    defects.push({ kind: "syntax", text: "Content-Length" });
    return rest;
  }
  return rest.subarray(0, length);
}

/** §20.14: over a stream the length must be there. One that is too large was not waited for. */
function streamDefects(headers: readonly HeaderLine[], limits: MessageLimits): Defect[] {
  const announced = headers.find((line) => line.key === "content-length")?.value;
  if (announced === undefined) return [{ kind: "syntax", text: "Content-Length" }];
  const isLarge = /^\d+$/.test(announced) && Number(announced) > limits.messageOctets;
  return isLarge ? [{ kind: "size", text: "message too large" }] : [];
}

function fail(code: string, message: string, offset: number, object: string): DecodeError {
  return new DecodeError(code, `SIP: ${message}`, { offset, object });
}
