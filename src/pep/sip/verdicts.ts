/** From COPS decisions to what the proxy does with a SIP message. Pure. */
import { COMMAND } from "../../cops/codec/codes.js";
import type { DecMessage } from "../../cops/codec/message.js";
import { decodeDirectives, NO_DIRECTIVES, type SipDirectives } from "../../cops/sip/directives.js";
import { refusalStatus } from "../../model/decision.js";
import type { ExtraHeader } from "../../sip/message/build.js";
import { type HostPort, parseHostPort } from "../../sip/message/grammar.js";
import { parseSipUri } from "../../sip/message/uri.js";
import type { RefusedVerdict, RequestVerdict, ResponseVerdict, SessionEnding } from "../../sip/proxy/policy.js";

export type Ruling =
  | { readonly granted: true; readonly directives: SipDirectives }
  | { readonly granted: false; readonly directives: SipDirectives }
  /** No usable answer: as if the policy server were not there. */
  | { readonly granted: undefined; readonly text: string };

/** What a decision says. An Error object, or a decision without a command, is no answer. @throws DecodeError */
export function rulingOf(dec: DecMessage): Ruling {
  const decision = dec.decisions[0];
  if (dec.error !== undefined) return { granted: undefined, text: `COPS error ${dec.error.code}` };
  if (decision === undefined) return { granted: undefined, text: "a decision without a command" };
  const directives = decision.clientSpecific === undefined ? NO_DIRECTIVES : decodeDirectives(decision.clientSpecific);
  if (decision.command === COMMAND.install) return { granted: true, directives };
  if (decision.command === COMMAND.remove) return { granted: false, directives };
  return { granted: undefined, text: `decision command ${decision.command}` };
}

export function requestVerdict(ruling: Exclude<Ruling, { granted: undefined }>): RequestVerdict {
  const { directives } = ruling;
  if (!ruling.granted) return refusedBy(directives);
  const nextHop = directives.nextHop === undefined ? undefined : hopOf(directives.nextHop);
  const { addHeaders, removeHeaders, direct } = directives;
  const route = { ...(nextHop === undefined ? {} : { nextHop }), ...(direct === true ? { direct } : {}) };
  return { forward: true, addHeaders, removeHeaders, ...route };
}

export function responseVerdict(ruling: Exclude<Ruling, { granted: undefined }>): ResponseVerdict {
  const { addHeaders, removeHeaders, ackHeaders } = ruling.directives;
  if (!ruling.granted) return refusedBy(ruling.directives);
  return { forward: true, addHeaders, removeHeaders, ...(ackHeaders === undefined ? {} : { ackHeaders }) };
}

/** What a decision that nobody asked for makes of a session that was granted. */
export type TakenBack =
  | { readonly do: "hangUp"; readonly ending: SessionEnding }
  /** It goes on as it can; its parties are told. */
  | { readonly do: "notify"; readonly headers: readonly ExtraHeader[] };

export function takenBack(ruling: Exclude<Ruling, { granted: undefined }>): TakenBack {
  const { addHeaders, reason } = ruling.directives;
  if (ruling.granted) return { do: "notify", headers: addHeaders };
  const { forward: _, ...refusal } = refusedBy(ruling.directives);
  const headers = reason === undefined ? [] : [{ name: "Reason", value: reason }];
  return { do: "hangUp", ending: { refusal, headers } };
}

function refusedBy({ refusal, addHeaders }: SipDirectives): RefusedVerdict {
  const { status, phrase } = refusal ?? refusalStatus("notAuthorised");
  return { forward: false, status, phrase, headers: addHeaders };
}

function hopOf(nextHop: string): HostPort | undefined {
  const uri = parseSipUri(nextHop);
  return uri === undefined ? parseHostPort(nextHop) : { host: uri.host, port: uri.port };
}
