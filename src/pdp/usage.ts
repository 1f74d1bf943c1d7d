/** From a closed session to what is settled: its counters by direction, and the OSP report about them. Pure. */
import type { FlowDirection } from "../model/flow.js";
import { addFlowCounters, type FlowCounters, ZERO_FLOW_COUNTERS } from "../model/usage.js";
import type { UsageReport } from "../osp/client.js";
import { parseTransactionId, type TerminationCause } from "../osp/codec/messages.js";
import type { ReleaseSource } from "../osp/codec/vocabulary.js";
import type { EndCause, SessionRecord } from "./session-record.js";

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
      terminationCauses: [terminationOf(record.cause)],
      releaseSource: releaseSourceOf(record),
      traffic: { up: trafficOf(record, "up"), down: trafficOf(record, "down") },
    },
    extensions: { session: record.id, serviceClass: record.class },
  };
}

/** RFC 3398 and the field map the end of a call to the SIP status that would have said so. */
function terminationOf(cause: EndCause | undefined): TerminationCause {
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
      return { type: "sip", code: 503, description: "refused" };
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
