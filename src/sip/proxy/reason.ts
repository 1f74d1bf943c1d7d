/** Why a dialog is ended by this proxy, told to who is ended: the Reason header field (RFC 3326 §2). Pure. */
import type { ExtraHeader } from "../message/build.js";
import type { SipMessage } from "../message/message.js";
import type { RefusedVerdict } from "./policy.js";

/** Octets of the text; a warning may be longer than anybody reads. */
const MAX_TEXT = 200;

/** `SIP` with the status that the other side was refused with, and the sentence of its Warning if there is one. */
export function reasonOf({ status, phrase, headers = [] }: Omit<RefusedVerdict, "forward">): ExtraHeader {
  const warning = headers.find(({ name }) => name.toLowerCase() === "warning")?.value;
  const told = /^\d{3} \S+ "((?:[^"\\]|\\.)*)"/.exec(warning ?? "")?.[1];
  const text = (told ?? phrase).replaceAll(/["\\\r\n\0]/g, "'").slice(0, MAX_TEXT);
  return { name: "Reason", value: `SIP;cause=${status};text="${text}"` };
}

/** What a party itself has said of it: passed on with the end that it asked for. */
export const reasonsIn = (message: SipMessage): readonly ExtraHeader[] =>
  message.headerLines("reason").map((value) => ({ name: "Reason", value }));
