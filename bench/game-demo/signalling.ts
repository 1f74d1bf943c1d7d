/** Counts the SIP messages of one session, hop by hop: what a session with negotiated quality costs beside a plain call. Pure. */
import type { WireMessage } from "../../src/lab/wire-message.js";
import type { SeenMessage } from "./browsers.js";
import type { HopEvidence } from "./evidence.js";

/** Of a message that was sent again because its answer took long, as the callee does with a 2xx (RFC 3261 §13.3.1.4). */
export const AGAIN = " again";

/** Method or status code of each message of the session, in order. @param callId - of the INVITE */
export function dialogMessages(messages: readonly SeenMessage[], callId: string): readonly string[] {
  const known = new Set<string>();
  return messages.flatMap(({ text }) => {
    if (headerOf(text, "Call-ID", "i") !== callId) return [];
    const [first = ""] = text.split("\r\n", 1);
    const name = /^SIP\/2\.0 (\d{3}) /.exec(first)?.[1] ?? /^([A-Z]+) \S+ SIP\/2\.0$/.exec(first)?.[1];
    if (name === undefined) return [];
    const isAgain = known.has(text);
    known.add(text);
    return [isAgain ? name + AGAIN : name];
  });
}

/** Of the first INVITE; undefined before there was one. */
export function callIdOf(messages: readonly SeenMessage[]): string | undefined {
  const invite = messages.find(({ text }) => text.startsWith("INVITE "));
  return invite === undefined ? undefined : headerOf(invite.text, "Call-ID", "i");
}

const headerOf = (text: string, name: string, compact: string): string | undefined =>
  new RegExp(`\\r\\n(?:${name}|${compact})[ \\t]*:[ \\t]*(\\S+)`, "i").exec(text)?.[1];

/** Between the proxies, from what tshark decoded. One INVITE to one callee has one 2xx and one ACK: more are the same again. */
export function proxyMessages(messages: readonly WireMessage[], callId: string): readonly string[] {
  const known = new Set<string>();
  return messages.flatMap(({ protocol, callId: of, from, to, message }) => {
    const ends = [from, to];
    if (protocol !== "SIP" || of !== callId || !ends.includes("SIP1") || !ends.includes("SIP2")) return [];
    if (message === "BYE") known.clear();
    const isAgain = known.has(message) && (message === "200" || message === "ACK");
    known.add(message);
    return [isAgain ? message + AGAIN : message];
  });
}

/** The teardown begins with the first BYE. */
export function hopEvidence(hop: string, names: readonly string[]): HopEvidence {
  const bye = names.indexOf("BYE");
  const border = bye === -1 ? names.length : bye;
  return { hop, setup: counted(names.slice(0, border)), teardown: counted(names.slice(border)) };
}

function counted(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
