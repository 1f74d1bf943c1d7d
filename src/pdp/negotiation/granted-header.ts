/** How agents are told what was granted: the header field `Sluice-Granted`, and where it goes. Pure. */
import type { SipDirectives, SipHeader } from "../../cops/sip/directives.js";
import type { MediaGrant } from "../../model/quality.js";
import type { SessionRecord } from "../session-record.js";

export const GRANTED_HEADER = "Sluice-Granted";

type Granted = Pick<SessionRecord, "grants">;

/**
 * One header field with a value for each medium, or none where nobody asked for a class or a quality.
 * @param agent - name of this policy server
 */
export function grantedHeaders({ grants = [] }: Granted, agent: string): readonly SipHeader[] {
  if (grants.length === 0) return [];
  return [{ name: GRANTED_HEADER, value: grants.map((grant) => grantedValue(grant, agent)).join(", ") }];
}

/**
 * What the proxy does with the 2xx or the reliable provisional that a decision lets go on: the caller is told by it, the callee by
 * its ACK or PRACK. Not to be said for other provisionals: what is reserved for them may still change. Where the proxies leave the
 * dialog no ACK passes them, and the caller's agent passes on what it read.
 */
export function answerDirectives(
  record: Granted & Pick<SessionRecord, "directives">,
  agent: string,
): Pick<SipDirectives, "addHeaders" | "ackHeaders"> {
  const addHeaders = grantedHeaders(record, agent);
  if (addHeaders.length === 0 || record.directives.direct === true) return { addHeaders };
  return { addHeaders, ackHeaders: addHeaders };
}

/** What is reserved for any other message: the proxy asks about the 2xx, which tells. */
export const untoldDirectives = ({ grants = [] }: Granted): Pick<SipDirectives, "untold"> =>
  grants.length === 0 ? {} : { untold: true };

function grantedValue(grant: MediaGrant, agent: string): string {
  const { index, sessionClass, phb, result, toCaller, toCallee, measured } = grant;
  const parameters = [
    ...(sessionClass === undefined ? [] : [`class=${sessionClass}`]),
    `phb=${phb}`,
    `result=${result}`,
    `to-caller=${kilobits(toCaller)}`,
    `to-callee=${kilobits(toCallee)}`,
    ...(measured === undefined
      ? []
      : [
          `latency=${decimal(measured.latency, 3)}`,
          `jitter=${decimal(measured.jitter, 3)}`,
          `loss=${decimal(measured.loss, 6)}`,
        ]),
    `by=${agent}`,
  ];
  return [String(index), ...parameters].join(";");
}

/** Whole: never more than there is. */
const kilobits = (rate: number): number => Math.floor(rate / 1000);

/** Without zeros at the end. */
const decimal = (value: number, digits: number): string => String(Number(value.toFixed(digits)));
