/**
 * SIP messages as values (RFC 3261 §7). A message keeps its lines as they came, so that whatever this program does not
 * understand is forwarded octet for octet; typed views are made when asked for and kept. An edit gives a new message
 * that shares every untouched line. Text is held as latin1: one character is one octet.
 */

import { parseNumber, splitOutside } from "./grammar.js";
import { type HeaderLine, headerKey, makeHeaderLine } from "./header-line.js";
import { type NameAddr, parseNameAddr } from "./uri.js";
import { parseVia, type Via } from "./via.js";

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

/** Where an entry of a comma-joined header stands. */
interface Entry {
  readonly line: number;
  readonly text: string;
}

export abstract class SipMessage {
  abstract readonly kind: "request" | "response";
  readonly startLine: string;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer;
  private viaCache: readonly Via[] | undefined;
  private fromCache: NameAddr | undefined | null = null;
  private toCache: NameAddr | undefined | null = null;

  protected constructor(startLine: string, headers: readonly HeaderLine[], body: Buffer) {
    this.startLine = startLine;
    this.headers = headers;
    this.body = body;
  }

  protected abstract with(headers: readonly HeaderLine[]): this;

  /** The value of the first header field of that name (long or compact form, any case). */
  header(name: string): string | undefined {
    const key = headerKey(name);
    return this.headers.find((line) => line.key === key)?.value;
  }

  /** The values of all header fields of that name, one for each line. */
  headerLines(name: string): string[] {
    const key = headerKey(name);
    return this.headers.filter((line) => line.key === key).map((line) => line.value);
  }

  /** The entries of a list header, comma-joined lines taken apart (§7.3.1), trimmed. */
  headerList(name: string): string[] {
    return this.entries(name).map((entry) => entry.text);
  }

  /** Via entries that can be read, topmost first. The validator tells whether all can. */
  get vias(): readonly Via[] {
    this.viaCache ??= this.headerList("via").flatMap((text) => parseVia(text) ?? []);
    return this.viaCache;
  }

  get topVia(): Via | undefined {
    return this.vias[0];
  }

  get callId(): string {
    return this.header("call-id") ?? "";
  }

  get cseq(): CSeq | undefined {
    const match = /^(\d{1,10})[ \t]+(\S+)$/.exec(this.header("cseq") ?? "");
    const number = parseNumber(match?.[1] ?? "", 0, 2 ** 31 - 1);
    return number === undefined ? undefined : { number, method: match?.[2] ?? "" };
  }

  get from(): NameAddr | undefined {
    if (this.fromCache === null) this.fromCache = parseNameAddr(this.header("from") ?? "");
    return this.fromCache;
  }

  get to(): NameAddr | undefined {
    if (this.toCache === null) this.toCache = parseNameAddr(this.header("to") ?? "");
    return this.toCache;
  }

  get fromTag(): string | undefined {
    return this.from?.parameters.get("tag");
  }

  get toTag(): string | undefined {
    return this.to?.parameters.get("tag");
  }

  /** The first Contact. */
  get contact(): NameAddr | undefined {
    const first = this.headerList("contact")[0];
    return first === undefined ? undefined : parseNameAddr(first);
  }

  get maxForwards(): number | undefined {
    return parseNumber(this.header("max-forwards") ?? "", 0, 255);
  }

  get contentLength(): number | undefined {
    return parseNumber(this.header("content-length") ?? "", 0, 10_000_000);
  }

  /** Lower case, without parameters. */
  get contentType(): string | undefined {
    return this.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  }

  get routes(): string[] {
    return this.headerList("route");
  }

  get recordRoutes(): string[] {
    return this.headerList("record-route");
  }

  /** Puts a Via in front of all others (§16.6 step 8). */
  prependVia(value: string): this {
    return this.insertBefore("via", makeHeaderLine("Via", value));
  }

  /** Takes the topmost Via entry away (§16.7 step 3), also out of a comma-joined line. */
  removeTopVia(): this {
    return this.removeFirstEntry("via");
  }

  /** Rewrites the topmost Via entry (§18.2.1: received, rport). */
  replaceTopVia(value: string): this {
    const rest = this.removeFirstEntry("via");
    return rest.with(spliced(rest.headers, firstIndex(this.headers, "via"), 0, makeHeaderLine("Via", value)));
  }

  prependRecordRoute(value: string): this {
    return this.insertBefore("record-route", makeHeaderLine("Record-Route", value));
  }

  removeTopRoute(): this {
    return this.removeFirstEntry("route");
  }

  /** Takes the last Route entry away (§16.4: a strict router put the request's target there). */
  removeLastRoute(): this {
    const entries = this.entries("route");
    const last = entries.at(-1);
    return last === undefined ? this : this.rewriteEntries("Route", entries.slice(0, -1), last.line);
  }

  appendRoute(value: string): this {
    const at = this.headers.findLastIndex((line) => line.key === "route");
    const index = at < 0 ? this.headers.length : at + 1;
    return this.with(spliced(this.headers, index, 0, makeHeaderLine("Route", value)));
  }

  /** Replaces the first header field of that name where it stands and drops others; adds it at the end if there is none. */
  setHeader(name: string, value: string): this {
    const key = headerKey(name);
    const line = makeHeaderLine(name, value);
    const at = firstIndex(this.headers, key);
    if (at < 0) return this.with([...this.headers, line]);
    return this.with(this.headers.flatMap((old, index) => (index === at ? [line] : old.key === key ? [] : [old])));
  }

  addHeader(name: string, value: string): this {
    return this.with([...this.headers, makeHeaderLine(name, value)]);
  }

  removeHeader(name: string): this {
    const key = headerKey(name);
    return firstIndex(this.headers, key) < 0 ? this : this.with(this.headers.filter((line) => line.key !== key));
  }

  toBuffer(): Buffer {
    let head = `${this.startLine}\r\n`;
    for (const line of this.headers) head += `${line.raw}\r\n`;
    return Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), this.body]);
  }

  private entries(name: string): Entry[] {
    const key = headerKey(name);
    const entries: Entry[] = [];
    this.headers.forEach((header, line) => {
      if (header.key !== key) return;
      for (const text of splitOutside(header.value, ",") ?? [header.value]) entries.push({ line, text: text.trim() });
    });
    return entries;
  }

  private insertBefore(key: string, line: HeaderLine): this {
    return this.with(spliced(this.headers, Math.max(0, firstIndex(this.headers, key)), 0, line));
  }

  private removeFirstEntry(key: "via" | "route"): this {
    const entries = this.entries(key);
    const first = entries[0];
    return first === undefined
      ? this
      : this.rewriteEntries(key === "via" ? "Via" : "Route", entries.slice(1), first.line);
  }

  /** Writes one line anew from the entries that are left on it; the others stay as they came. */
  private rewriteEntries(name: string, left: readonly Entry[], line: number): this {
    const onLine = left.filter((entry) => entry.line === line).map((entry) => entry.text);
    if (onLine.length === 0) return this.with(this.headers.toSpliced(line, 1));
    const key = headerKey(name);
    const value = onLine.join(", ");
    return this.with(this.headers.toSpliced(line, 1, { raw: `${name}: ${value}`, key, value }));
  }
}

function firstIndex(headers: readonly HeaderLine[], key: string): number {
  return headers.findIndex((line) => line.key === key);
}

function spliced(headers: readonly HeaderLine[], at: number, remove: number, line: HeaderLine): HeaderLine[] {
  return headers.toSpliced(at, remove, line);
}

export class SipRequest extends SipMessage {
  override readonly kind = "request";
  readonly method: string;
  readonly requestUri: string;

  constructor(startLine: string, headers: readonly HeaderLine[], body: Buffer) {
    super(startLine, headers, body);
    const first = startLine.indexOf(" ");
    const last = startLine.lastIndexOf(" SIP/");
    this.method = first < 0 ? startLine : startLine.slice(0, first);
    this.requestUri = last <= first ? startLine.slice(first + 1).trim() : startLine.slice(first + 1, last).trim();
  }

  replaceRequestUri(uri: string): SipRequest {
    return new SipRequest(`${this.method} ${uri} SIP/2.0`, this.headers, this.body);
  }

  protected override with(headers: readonly HeaderLine[]): this {
    return new SipRequest(this.startLine, headers, this.body) as this;
  }
}

export class SipResponse extends SipMessage {
  override readonly kind = "response";
  readonly status: number;
  readonly phrase: string;

  constructor(startLine: string, headers: readonly HeaderLine[], body: Buffer) {
    super(startLine, headers, body);
    const match = /^SIP\/2\.0 (\d{3})(?: (.*))?$/i.exec(startLine);
    this.status = Number(match?.[1] ?? 0);
    this.phrase = match?.[2] ?? "";
  }

  protected override with(headers: readonly HeaderLine[]): this {
    return new SipResponse(this.startLine, headers, this.body) as this;
  }
}
