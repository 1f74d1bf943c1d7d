/** From a closed session to what is settled: its counters by direction, and the OSP report about them. Pure. */
import { refusalStatus } from "../model/decision.js";
import { type FlowDirection, flowKeyId } from "../model/flow.js";
import type { GrantResult } from "../model/quality.js";
import { type BitsPerSecond, bitsPerSecond } from "../model/units.js";
import { addFlowCounters, type FlowCounters, ZERO_FLOW_COUNTERS } from "../model/usage.js";
import type { UsageReport } from "../osp/client.js";
import { parseTransactionId, type TerminationCause } from "../osp/codec/messages.js";
import type { ReleaseSource } from "../osp/codec/vocabulary.js";
import { rateOf } from "./admission.js";
import type { SessionRecord } from "./session-record.js";

/** Kernel counters of all flows that the session had, octets at layer 3. */
export function trafficOf(record: SessionRecord, direction: FlowDirection): FlowCounters {
  return [...record.flows, ...record.past]
    .filter(({ flow }) => flow.direction === direction)
    .reduce((sum, { final }) => addFlowCounters(sum, final ?? ZERO_FLOW_COUNTERS), ZERO_FLOW_COUNTERS);
}

/** Milliseconds from answer to hang-up; none if it was never answered. */
export function durationOf({ answered, ended }: SessionRecord): number {
  return answered === undefined || ended === undefined ? 0 : Math.max(0, ended - answered);
}

/** What names a report for ever: reports of one session differ by its transaction. */
export const usageKey = (record: SessionRecord): string => `${record.side}:${record.transactionId}:${record.id}`;

/** Undefined for a session that no clearinghouse numbered. */
export function usageReport(record: SessionRecord): UsageReport | undefined {
  const transactionId = parseTransactionId(record.transactionId);
  if (transactionId === undefined) return undefined;
  const ended = record.ended ?? record.created;
  return {
    timestamp: ended,
    role: record.side === "originating" ? "source" : "destination",
    transactionId,
    callId: Buffer.from(record.callId),
    source: { type: "sip", value: record.caller },
    destination: { type: "sip", value: record.callee },
    detail: {
      seconds: durationOf(record) / 1000,
      startTime: record.answered ?? record.created,
      endTime: ended,
      ...(record.answered === undefined ? {} : { connectTime: record.answered }),
      terminationCauses: [terminationOf(record)],
      releaseSource: releaseSourceOf(record),
      traffic: { up: trafficOf(record, "up"), down: trafficOf(record, "down") },
    },
    extensions: {
      session: record.id,
      serviceClass: serviceClassOf(record),
      bandwidth: grantedRate(record),
      result: resultOf(record),
    },
  };
}

/**
 * What the session held at its end: of the direction with more, at layer 3. One that was shed or ended held its last flows until
 * then; flows of answers before those had the same keys, or were other media.
 */
export function grantedRate({ flows, past }: Pick<SessionRecord, "flows" | "past">): BitsPerSecond {
  const last = new Map((flows.length > 0 ? flows : past).map((each) => [flowKeyId(each.flow.key), each.flow]));
  const held = [...last.values()];
  return bitsPerSecond(Math.max(rateOf(held, "up"), rateOf(held, "down")));
}

/** The class of its flows, where they are all of one; else that of the session. */
export function serviceClassOf({ class: name, flows, past }: SessionRecord): string | undefined {
  const classes = new Set([...flows, ...past].map((each) => each.class ?? name));
  return classes.size === 1 ? [...classes][0] : name;
}

/** The worst of what its media were granted. */
export function resultOf({ grants = [], treatment, shed }: SessionRecord): GrantResult {
  // Whose bandwidth was taken back was served until then.
  if (treatment === "bestEffort" && shed === undefined) return "bestEffort";
  const results = new Set(grants.map(({ result }) => result));
  if (results.has("reduced") || results.size > 1) return "reduced";
  return results.has("bestEffort") && shed === undefined ? "bestEffort" : "granted";
}

/** RFC 3398 and the field map the end of a call to the SIP status that would have said so. */
function terminationOf({ cause, refusal }: Pick<SessionRecord, "cause" | "refusal">): TerminationCause {
  switch (cause) {
    case "bye":
      return { type: "sip", code: 200, description: "BYE" };
    case "cancel":
      return { type: "sip", code: 487, description: "CANCEL" };
    case "timeout":
      return { type: "sip", code: 408, description: "time-out" };
    case "failure":
      return { type: "sip", code: 480, description: "not answered" };
    case "preempted":
      // RFC 4411 §1: what Q.850 has for it.
      return { type: "q850", code: 8, description: "preemption" };
    case "refused":
      return {
        type: "sip",
        code: refusalStatus(refusal?.reason ?? "policyUnavailable").status,
        description: "refused",
      };
    case "idle":
    case "expired":
      // Q.850 §2.2.7: recovery on timer expiry.
      return { type: "q850", code: 102, description: cause === "idle" ? "no media" : "not refreshed" };
    case "left":
      return { type: "sip", code: 410, description: "a party left" };
    case "lost":
    case undefined:
      return { type: "sip", code: 500, description: "lost" };
  }
}

function releaseSourceOf({ cause }: SessionRecord): ReleaseSource {
  if (cause === "preempted" || cause === "idle" || cause === "expired") return "internal";
  return cause === "cancel" ? "source" : cause === "failure" ? "destination" : "unknown";
}
