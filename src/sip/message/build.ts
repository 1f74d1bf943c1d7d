/** Messages that this element makes itself: responses (§8.2.6), CANCEL (§9.1), ACK for failures (§17.1.1.3). */
import { type HeaderLine, makeHeaderLine } from "./header-line.js";
import { SipRequest, SipResponse } from "./message.js";
import type { Rejection } from "./validate.js";

export interface ExtraHeader {
  readonly name: string;
  readonly value: string;
}

export interface ResponseOptions {
  readonly phrase?: string;
  readonly headers?: readonly ExtraHeader[];
  /** Put into To if the request had none there (§8.2.6.2). Not for 100. */
  readonly toTag?: string;
}

const EMPTY = Buffer.alloc(0);

const PHRASES: Readonly<Record<number, string>> = {
  100: "Trying",
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  408: "Request Timeout",
  420: "Bad Extension",
  481: "Call/Transaction Does Not Exist",
  482: "Loop Detected",
  483: "Too Many Hops",
  487: "Request Terminated",
  500: "Server Internal Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** A response formed as §8.2.6 says: Via lines, From, To, Call-ID and CSeq as they came. */
export function responseTo(request: SipRequest, status: number, options: ResponseOptions = {}): SipResponse {
  const headers: HeaderLine[] = request.headers.filter((line) => line.key === "via");
  for (const key of ["from", "to", "call-id", "cseq"]) {
    const line = request.headers.find((candidate) => candidate.key === key);
    if (line === undefined) continue;
    const tag = key === "to" && request.toTag === undefined ? options.toTag : undefined;
    headers.push(tag === undefined ? line : tagged(line, tag));
  }
  for (const extra of options.headers ?? []) headers.push(makeHeaderLine(extra.name, extra.value));
  headers.push(makeHeaderLine("Content-Length", "0"));
  const phrase = Buffer.from((options.phrase ?? PHRASES[status] ?? "").replaceAll(/[\r\n\0]/g, " "), "utf8");
  return new SipResponse(`SIP/2.0 ${status} ${phrase.toString("latin1")}`, headers, EMPTY);
}

export function rejectionOf(request: SipRequest, rejection: Rejection, toTag: string): SipResponse {
  return responseTo(request, rejection.status, { phrase: rejection.phrase, toTag });
}

function tagged(line: HeaderLine, tag: string): HeaderLine {
  return { ...line, raw: `${line.raw};tag=${tag}`, value: `${line.value};tag=${tag}` };
}

/** §9.1: CANCEL has the Request-URI, the top Via, From, To, Call-ID, CSeq number and Route of what it cancels. */
export function cancelFor(request: SipRequest): SipRequest {
  return derived(
    request,
    "CANCEL",
    request.headers.find((line) => line.key === "to"),
  );
}

/** §17.1.1.3: as CANCEL, but To is the response's, so that the ACK finds the server transaction of RFC 2543 peers too. */
export function ackForFailure(request: SipRequest, response: SipResponse): SipRequest {
  return derived(
    request,
    "ACK",
    response.headers.find((line) => line.key === "to"),
  );
}

function derived(request: SipRequest, method: "ACK" | "CANCEL", to: HeaderLine | undefined): SipRequest {
  const only = (key: string): HeaderLine[] => request.headers.filter((line) => line.key === key);
  const headers = [
    ...only("via").slice(0, 1).map(topEntry(request)),
    makeHeaderLine("Max-Forwards", "70"),
    ...only("route"),
    ...only("from"),
    ...(to === undefined ? [] : [to]),
    ...only("call-id"),
    makeHeaderLine("CSeq", `${request.cseq?.number ?? 0} ${method}`),
    makeHeaderLine("Content-Length", "0"),
  ];
  return new SipRequest(`${method} ${request.requestUri} SIP/2.0`, headers, EMPTY);
}

/** A single Via entry, also if the request's first line joined several. */
function topEntry(request: SipRequest): (line: HeaderLine) => HeaderLine {
  const top = request.topVia?.raw;
  return (line) => (top === undefined || top === line.value ? line : makeHeaderLine("Via", top));
}

export interface InDialogParts {
  /** The INVITE as it was sent to the callee. */
  readonly invite: SipRequest;
  /** The 2xx that made the dialog. */
  readonly accepted: SipResponse;
  readonly method: "ACK" | "BYE";
  readonly via: string;
}

/**
 * A request of the caller's side inside the dialog that a 2xx made (§12.2.1.1): for ending towards the callee a dialog
 * that the caller was never told of. The route set is the 2xx's Record-Route in reverse, without what stands behind us.
 */
export function inDialogRequest(parts: InDialogParts, routeSet: readonly string[]): SipRequest {
  const { invite, accepted, method } = parts;
  const number = (invite.cseq?.number ?? 0) + (method === "BYE" ? 1 : 0);
  const target = accepted.contact?.uri ?? invite.requestUri;
  const headers = [
    makeHeaderLine("Via", parts.via),
    makeHeaderLine("Max-Forwards", "70"),
    ...routeSet.map((route) => makeHeaderLine("Route", route)),
    ...invite.headers.filter((line) => line.key === "from"),
    ...accepted.headers.filter((line) => line.key === "to"),
    ...invite.headers.filter((line) => line.key === "call-id"),
    makeHeaderLine("CSeq", `${number} ${method}`),
    makeHeaderLine("Content-Length", "0"),
  ];
  return new SipRequest(`${method} ${target} SIP/2.0`, headers, EMPTY);
}
