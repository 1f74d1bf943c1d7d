/**
 * The bindings of one address of record, and what may befall them (RFC 3261 §10.3, RFC 5626 §6). Pure; a binding's life:
 * ```
 *  none --REGISTER--> bound --REGISTER again--> bound
 *                       | expires 0, `*`, its time over, its connection gone
 *                       v
 *                      none
 * ```
 * A REGISTER is carried out as a whole or not at all.
 */
import type { Timestamp } from "../../model/units.js";
import { parseSipUri, type SipUri } from "../message/uri.js";
import type { FlowId } from "../transport/transport.js";
import type { Arrived, Binding } from "./binding.js";
import type { RegisterWish, WantedContact } from "./register-request.js";

/** Times in seconds, as REGISTER counts them. */
export interface RegistrarLimits {
  readonly minExpires: number;
  readonly maxExpires: number;
  readonly defaultExpires: number;
  /** Bindings of one user. */
  readonly bindings: number;
}

export const DEFAULT_REGISTRAR_LIMITS: RegistrarLimits = {
  minExpires: 30,
  maxExpires: 3600,
  defaultExpires: 600,
  bindings: 10,
};

export type RegistrarEvent =
  | {
      readonly kind: "register";
      readonly wish: RegisterWish;
      readonly arrived: Arrived;
      readonly now: Timestamp;
      /** When the credentials end that prove it. */
      readonly until?: Timestamp | undefined;
    }
  /** The connection is gone for good. */
  | { readonly kind: "flowLost"; readonly flow: FlowId; readonly now: Timestamp }
  /** Time passed. */
  | { readonly kind: "sweep"; readonly now: Timestamp };

export type RegistrarAnswer =
  /** 200 with all bindings that there are now. */
  | { readonly status: 200; readonly outbound: boolean }
  | { readonly status: 423; readonly minExpires: number }
  | { readonly status: 403 | 500; readonly phrase: string };

export interface RegistrarStep {
  readonly bindings: readonly Binding[];
  /** To a REGISTER. */
  readonly answer?: RegistrarAnswer;
}

export function stepRegistrar(
  before: readonly Binding[],
  event: RegistrarEvent,
  limits: RegistrarLimits,
): RegistrarStep {
  // What has run out is no binding any more, whoever asks.
  const live = before.filter(({ expires }) => expires > event.now);
  switch (event.kind) {
    case "register":
      return register(live, event, limits);
    case "flowLost":
      // RFC 5626 §6: a binding is as good as its connection. §5.3: requests to it fail from now on.
      return { bindings: live.filter(({ arrived }) => arrived.flow !== event.flow) };
    case "sweep":
      return { bindings: live };
  }
}

type Registration = Extract<RegistrarEvent, { kind: "register" }>;

function register(live: readonly Binding[], event: Registration, limits: RegistrarLimits): RegistrarStep {
  const { wish } = event;
  if (wish.contacts === "all") {
    // §10.3 step 6: each binding of this Call-ID only if the request is newer than it.
    if (live.some((binding) => isOutOfOrder(binding, wish))) return { bindings: live, answer: OUT_OF_ORDER };
    return { bindings: [], answer: { status: 200, outbound: false } };
  }
  let bindings = live;
  for (const contact of wish.contacts) {
    const lasts = contact.expires ?? limits.defaultExpires;
    // §10.3 step 7: an hour and more is never too brief.
    if (lasts > 0 && lasts < Math.min(limits.minExpires, 3600)) {
      return { bindings: live, answer: { status: 423, minExpires: limits.minExpires } };
    }
    const existing = bindings.find((binding) => isSame(binding, contact));
    if (existing !== undefined && isOutOfOrder(existing, wish)) return { bindings: live, answer: OUT_OF_ORDER };
    const others = bindings.filter((binding) => binding !== existing);
    if (lasts === 0) bindings = others;
    else bindings = [...others, bound(event, { contact, existing, expires: end(event, lasts, limits) })];
  }
  if (bindings.length > limits.bindings) {
    return { bindings: live, answer: { status: 403, phrase: "Too Many Registrations" } };
  }
  const flows = wish.contacts.some(({ regId, expires }) => regId !== undefined && expires !== 0);
  // RFC 5626 §6: said only if the agent has offered it, and its connection is one.
  return { bindings, answer: { status: 200, outbound: flows && wish.outbound && event.arrived.flow !== undefined } };
}

/** §10.3: a request that was overtaken changes nothing. */
const OUT_OF_ORDER: RegistrarAnswer = { status: 500, phrase: "Out Of Order" };

const isOutOfOrder = (binding: Binding, { callId, cseq }: RegisterWish): boolean =>
  binding.callId === callId && cseq <= binding.cseq;

/** §10.3 step 7: the registrar may choose a shorter time than it was asked for. Nobody is reached who could not log in. */
function end({ now, until }: Registration, lasts: number, limits: RegistrarLimits): Timestamp {
  const wanted = now + Math.min(lasts, limits.maxExpires) * 1000;
  return Math.min(wanted, until ?? wanted) as Timestamp;
}

function bound(
  { wish, arrived, now }: Registration,
  { contact, existing, expires }: { contact: WantedContact; existing: Binding | undefined; expires: Timestamp },
): Binding {
  return {
    aor: wish.aor,
    contact: contact.uri,
    q: contact.q,
    expires,
    since: existing?.since ?? now,
    updated: now,
    callId: wish.callId,
    cseq: wish.cseq,
    arrived,
    ...(contact.instance === undefined ? {} : { instance: contact.instance }),
    ...(contact.regId === undefined ? {} : { regId: contact.regId }),
    ...(wish.agent === undefined ? {} : { agent: wish.agent }),
  };
}

/** RFC 5626 §6: instance and reg-id together name a binding, whatever its Contact. Else URIs are compared. */
function isSame(binding: Binding, contact: WantedContact): boolean {
  if (contact.regId !== undefined && contact.instance !== undefined) {
    return binding.instance === contact.instance && binding.regId === contact.regId;
  }
  return binding.regId === undefined && isSameUri(binding.contact, contact.uri);
}

/** Parameters that make another URI if only one of two has them (§19.1.4). */
const TELLING = ["user", "ttl", "method", "maddr", "transport"];

/** §19.1.4, for sip: URIs without headers. The user is compared as written, as escapes of letters are rare. */
export function isSameUri(one: string, other: string): boolean {
  if (one === other) return true;
  const [left, right] = [parseSipUri(one), parseSipUri(other)];
  if (left === undefined || right === undefined) return false;
  if (left.scheme !== right.scheme || left.user !== right.user || left.host !== right.host) return false;
  return left.port === right.port && hasSameParameters(left, right);
}

function hasSameParameters(left: SipUri, right: SipUri): boolean {
  const names = new Set([...left.parameters.keys(), ...right.parameters.keys()]);
  return [...names].every((name) => {
    const both = left.parameters.has(name) && right.parameters.has(name);
    if (!both) return !TELLING.includes(name);
    return left.parameters.get(name)?.toLowerCase() === right.parameters.get(name)?.toLowerCase();
  });
}
