/** What a well-formed message must have before a proxy touches it (RFC 3261 §16.3, §8.2, §18.3). */
import { parseNumber, splitOutside } from "./grammar.js";
import { hasControl } from "./header-line.js";
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from "./limits.js";
import type { SipMessage, SipRequest, SipResponse } from "./message.js";
import type { Defect } from "./parse.js";
import { parseSipUri, uriScheme } from "./uri.js";
import { parseVia } from "./via.js";

/** The answer to a request that is not taken. */
export interface Rejection {
  readonly status: 400 | 416 | 483 | 505 | 513;
  readonly phrase: string;
}

const SINGLE = ["from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type"] as const;
const CALL_ID = /^[A-Za-z0-9\-.!%*_+`'~()<>:\\"/[\]?{}]+(?:@[A-Za-z0-9\-.!%*_+`'~()<>:\\"/[\]?{}]+)?$/;

/** Undefined if the request may be processed. 483 is the proxy core's, since OPTIONS may be answered at its last hop. */
export function validateRequest(
  request: SipRequest,
  defects: readonly Defect[] = [],
  limits: MessageLimits = DEFAULT_MESSAGE_LIMITS,
): Rejection | undefined {
  if (defects.some((defect) => defect.kind === "version")) return { status: 505, phrase: "Version Not Supported" };
  if (defects.some((defect) => defect.kind === "size")) return { status: 513, phrase: "Message Too Large" };
  const defect = defects[0]?.text ?? messageDefect(request, limits) ?? requestDefect(request);
  if (defect !== undefined) return { status: 400, phrase: `Bad ${defect}` };
  // §16.3 step 2: a scheme that this proxy cannot route by. sips wants TLS, which it has not.
  if (uriScheme(request.requestUri) !== "sip") return { status: 416, phrase: "Unsupported URI Scheme" };
  return undefined;
}

/** True if the response can be taken; one that cannot is dropped, for nothing ever answers a response. */
export function isValidResponse(
  response: SipResponse,
  defects: readonly Defect[] = [],
  limits: MessageLimits = DEFAULT_MESSAGE_LIMITS,
): boolean {
  return defects.length === 0 && messageDefect(response, limits) === undefined;
}

const COPIED = ["via", "from", "to", "call-id", "cseq"];

/** §8.2.6.2 copies these from the request; without them no answer can be formed. ACK is never answered (§17). */
export function isAnswerable(request: SipRequest): boolean {
  if (request.headers.some((line) => COPIED.includes(line.key) && hasControl(line))) return false;
  const first = request.headerList("via")[0];
  return (
    request.method !== "ACK" &&
    first !== undefined &&
    parseVia(first) !== undefined &&
    COPIED.every((name) => (request.header(name) ?? "") !== "")
  );
}

/** The name of what is wrong, or undefined. */
function messageDefect(message: SipMessage, limits: MessageLimits): string | undefined {
  const repeated = SINGLE.find((name) => message.headerLines(name).length > 1);
  if (repeated !== undefined) return repeated;
  const vias = message.headerLines("via").map((value) => splitOutside(value, ","));
  const count = vias.reduce((sum, list) => sum + (list?.length ?? 0), 0);
  if (count === 0 || count > limits.vias || vias.includes(undefined) || message.vias.length !== count) return "Via";
  if (message.from === undefined) return "From";
  if (message.to === undefined) return "To";
  if (!CALL_ID.test(message.callId)) return "Call-ID";
  if (message.cseq === undefined) return "CSeq";
  const lists = ["route", "record-route"] as const;
  const badList = lists.find((name) => !isRouteList(message.headerLines(name), limits.routes));
  if (badList !== undefined) return badList;
  const warning = message.header("content-length");
  return warning !== undefined && parseNumber(warning, 0, 10_000_000) === undefined ? "Content-Length" : undefined;
}

function requestDefect(request: SipRequest): string | undefined {
  // §8.1.1.5: the method in CSeq is the request's.
  if (request.cseq?.method !== request.method) return "CSeq";
  if (request.header("max-forwards") !== undefined && request.maxForwards === undefined) return "Max-Forwards";
  if (uriScheme(request.requestUri) === undefined) return "Request-URI";
  if (!/^sips?:/i.test(request.requestUri)) return undefined;
  const uri = parseSipUri(request.requestUri);
  // §19.1.1 table 1: a Request-URI carries no headers.
  return uri === undefined || uri.headers !== undefined ? "Request-URI" : undefined;
}

function isRouteList(values: readonly string[], limit: number): boolean {
  let count = 0;
  for (const value of values) {
    const entries = splitOutside(value, ",");
    if (entries === undefined) return false;
    count += entries.length;
    // §20.34: each is a name-addr, hence in angle brackets.
    if (!entries.every((entry) => /<[^<>\s]+>/.test(entry))) return false;
  }
  return count <= limit;
}
