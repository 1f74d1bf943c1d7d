/** What a REGISTER asks for (RFC 3261 §10.2, §10.3 steps 5 to 7; RFC 5626 §4.2, §6). Pure: reads, changes nothing. */
import { parseNumber } from "../message/grammar.js";
import type { SipRequest } from "../message/message.js";
import { parseNameAddr, parseSipUri } from "../message/uri.js";
import type { AddressOfRecord, InstanceId } from "./binding.js";

export interface WantedContact {
  readonly uri: string;
  /** Thousandths. */
  readonly q: number;
  /** Seconds; undefined: the registrar's choice. 0 takes the binding away. */
  readonly expires: number | undefined;
  readonly instance?: InstanceId;
  readonly regId?: number;
}

export interface RegisterWish {
  readonly aor: AddressOfRecord;
  readonly callId: string;
  readonly cseq: number;
  /** `all`: `Contact: *` with `Expires: 0`. Empty: only asks what there is. */
  readonly contacts: "all" | readonly WantedContact[];
  /** The agent knows RFC 5626. */
  readonly outbound: boolean;
  readonly agent?: string;
}

export type RegisterReading =
  | { readonly ok: true; readonly wish: RegisterWish }
  | { readonly ok: false; readonly status: 400; readonly phrase: string };

/** Contacts in one request; each is one more that must be answered. */
const MAX_CONTACTS = 16;
const MAX_URI = 512;
const MAX_EXPIRES = 2 ** 32 - 1;

/** User and domain of a SIP URI in canonical form (§10.3 step 5); undefined if it names no user. */
export function aorOf(uriText: string): { user: string; domain: string; aor: AddressOfRecord } | undefined {
  const uri = parseSipUri(uriText);
  if (uri?.user === undefined) return undefined;
  const user = unescaped(uri.user);
  if (user === undefined || user.length > MAX_URI) return undefined;
  return { user, domain: uri.host, aor: `${user}@${uri.host}` as AddressOfRecord };
}

/** Undefined for a broken escape, and for characters that would let one address look like another. */
function unescaped(user: string): string | undefined {
  try {
    const text = decodeURIComponent(user);
    return /[\p{Cc}\s@]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

export function readRegister(request: SipRequest): RegisterReading {
  const named = aorOf(request.to?.uri ?? "");
  if (named === undefined) return bad("To");
  const entries = request.headerList("contact");
  const lasts = request.header("expires");
  // §20.19: an Expires that cannot be read counts as 3600; here the registrar's own default serves.
  const expires = lasts === undefined ? undefined : parseNumber(lasts, 0, MAX_EXPIRES);
  const common = {
    aor: named.aor,
    callId: request.callId,
    cseq: request.cseq?.number ?? 0,
    outbound: request.headerList("supported").some((tag) => tag.toLowerCase() === "outbound"),
    ...agentOf(request),
  };
  if (entries.includes("*")) {
    // §10.3 step 6: alone, and only to take everything away.
    if (entries.length > 1 || expires !== 0) return bad("Contact");
    return { ok: true, wish: { ...common, contacts: "all" } };
  }
  if (entries.length > MAX_CONTACTS) return bad("Contact");
  const contacts = entries.map((entry) => readContact(entry, expires));
  if (!contacts.every((contact) => contact !== undefined)) return bad("Contact");
  // RFC 5626 §6: a flow is registered by itself.
  const lasting = contacts.filter((contact) => contact.expires !== 0);
  if (lasting.length > 1 && lasting.some((contact) => contact.regId !== undefined)) return bad("Contact");
  return { ok: true, wish: { ...common, contacts } };
}

const bad = (what: string): RegisterReading => ({ ok: false, status: 400, phrase: `Bad ${what}` });

function agentOf(request: SipRequest): { agent?: string } {
  const agent = request.header("user-agent")?.replaceAll(/[^\x20-\x7e]/g, "?");
  return agent === undefined ? {} : { agent: agent.slice(0, 80) };
}

function readContact(entry: string, expiresHeader: number | undefined): WantedContact | undefined {
  const contact = parseNameAddr(entry);
  if (contact === undefined || contact.uri.length > MAX_URI) return undefined;
  // Only what a request can be sent to: §10 knows other schemes, this proxy cannot route by them.
  const uri = parseSipUri(contact.uri);
  if (uri === undefined || uri.scheme !== "sip" || uri.headers !== undefined) return undefined;
  const { parameters } = contact;
  const q = quality(parameters.get("q"));
  if (q === undefined) return undefined;
  const own = parameters.get("expires");
  const expires = own === undefined ? expiresHeader : parseNumber(own, 0, MAX_EXPIRES);
  const instance = instanceOf(parameters.get("+sip.instance"));
  // RFC 5626 §6: a reg-id without an instance is ignored.
  const regId = instance === undefined ? undefined : parseNumber(parameters.get("reg-id") ?? "", 1, 2 ** 31 - 1);
  return {
    uri: contact.uri,
    q,
    expires,
    ...(instance === undefined ? {} : { instance }),
    ...(regId === undefined ? {} : { regId }),
  };
}

/** §25.1 qvalue. Without one an agent is as good as any. */
function quality(text: string | undefined): number | undefined {
  if (text === undefined) return 1000;
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Math.round(Number(text) * 1000) : undefined;
}

/** `"<urn:uuid:…>"` */
const instanceOf = (text: string | undefined): InstanceId | undefined =>
  /^"<([^<>"\\\s]{1,128})>"$/.exec(text ?? "")?.[1];
