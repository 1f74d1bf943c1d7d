/** SIP as a telephone of the tests writes and reads it; nothing of src, so that both cannot be wrong in the same way. */

export interface SipText {
  /** 0 of a request. */
  readonly status: number;
  /** Of a response that of its CSeq. */
  readonly method: string;
  readonly text: string;
  readonly body: string;
}

export function readSip(text: string): SipText {
  const end = text.indexOf("\r\n\r\n");
  const status = text.startsWith("SIP/2.0 ") ? Number(text.slice(8, 11)) : 0;
  const method = status === 0 ? text.slice(0, text.indexOf(" ")) : (header({ text }, "CSeq")?.split(" ")[1] ?? "");
  return { status, method, text, body: end < 0 ? "" : text.slice(end + 4) };
}

/** Values of all header fields of a name, in their order. */
export function headers({ text }: Pick<SipText, "text">, name: string): readonly string[] {
  const head = text.split("\r\n\r\n", 1)[0] ?? "";
  const start = `${name.toLowerCase()}:`;
  return head.split("\r\n").flatMap((line) => {
    return line.toLowerCase().startsWith(start) ? [line.slice(start.length).trim()] : [];
  });
}

export const header = (message: Pick<SipText, "text">, name: string): string | undefined => headers(message, name)[0];

/** As `headers`, where several values may stand in one field. No value here holds a comma of its own. */
export const values = (message: SipText, name: string): readonly string[] =>
  headers(message, name).flatMap((value) => value.split(",").map((part) => part.trim()));

export const tagOf = (value = ""): string => /;tag=([^;>\s]+)/.exec(value)?.[1] ?? "";

export function uriOf(value = ""): string {
  return /<([^>]+)>/.exec(value)?.[1] ?? value;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Where a SIP URI with an IPv4 address leads to. */
export function placeOf(uri: string): Place {
  const found = /^sip:(?:[^@]*@)?([\d.]+)(?::(\d+))?/.exec(uri);
  if (found === null) throw new Error(`no address in ${uri}`);
  return { address: found[1] ?? "", port: Number(found[2] ?? 5060) };
}

/** @param lines - start line and header fields; the length is added */
export function writeSip(lines: readonly string[], body = ""): string {
  const type = body === "" ? [] : ["Content-Type: application/sdp"];
  return [...lines, ...type, `Content-Length: ${Buffer.byteLength(body)}`, "", body].join("\r\n");
}

/** A response to a request, with what RFC 3261 §8.2.6.2 has copied into it. */
export function respond(
  request: SipText,
  status: number,
  { tag = "", lines = [], body = "" }: { tag?: string; lines?: readonly string[]; body?: string } = {},
): string {
  const copied = ["Via", "Record-Route", "From", "Call-ID", "CSeq"].flatMap((name) =>
    headers(request, name).map((value) => `${name}: ${value}`),
  );
  const to = header(request, "To") ?? "";
  const added = tag === "" || tagOf(to) !== "" ? "" : `;tag=${tag}`;
  return writeSip([`SIP/2.0 ${status} Whatever`, ...copied, `To: ${to}${added}`, ...lines], body);
}
