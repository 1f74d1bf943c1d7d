/** Takes UsageIndications in: who may report what, and under which key a report is stored once. */
import type { TransactionId, UsageIndication } from "../osp/codec/messages.js";
import { STATUS, type Status, statusOf } from "../osp/codec/status.js";
import type { Exchange } from "./authoriser.js";
import type { TransactionRecord, UsageKey, UsageRecord, UsageRole } from "./store.js";

/** Success also for a report that is there already: the peer did not get our first answer. */
export function takeUsage(usage: UsageIndication, { peer, now, tx }: Exchange): Status {
  const { role } = usage;
  if (role === "other") return statusOf(STATUS.badRequest, "only source and destination report usage");
  const transaction = tx.findTransaction(usage.transactionId);
  if (transaction === undefined) return statusOf(STATUS.badRequest, "unknown TransactionId");
  if (!transaction.callId.equals(usage.callId)) {
    return statusOf(STATUS.badRequest, "the CallId is not the transaction's");
  }
  if (!isParty(transaction, role, peer.id)) {
    return statusOf(STATUS.unauthorised, `${peer.id} is not the ${role} of this transaction`);
  }
  // A destination that checked the token by itself never asked us: its report binds it.
  if (role === "destination" && transaction.terminatingPeer === undefined) {
    if (!peer.mayTerminate) return statusOf(STATUS.routeBlocked, `${peer.id} may not terminate`);
    tx.bindTerminating(transaction.id, peer.id, now);
  }
  tx.addUsage(recordOf(usage, role, peer.id, now), keyOf(usage));
  const { sourceClosedAt, destinationClosedAt } = tx.findTransaction(transaction.id) ?? transaction;
  if (sourceClosedAt !== undefined && destinationClosedAt !== undefined) tx.settle(transaction.id, now);
  return STATUS.success;
}

const isParty = ({ originatingPeer, terminatingPeer }: TransactionRecord, role: UsageRole, peer: string): boolean =>
  role === "source" ? originatingPeer === peer : terminatingPeer === undefined || terminatingPeer === peer;

function recordOf(usage: UsageIndication, role: UsageRole, peer: string, now: UsageRecord["receivedAt"]): UsageRecord {
  const { detail } = usage;
  const cause = detail.terminationCauses?.[0];
  const transactionId: TransactionId = usage.transactionId;
  return {
    role,
    transactionId,
    callId: printableCallId(usage.callId),
    session: usage.extensions?.session,
    peer,
    source: usage.source.value,
    destination: usage.destination.value,
    start: detail.startTime,
    end: detail.endTime,
    seconds: detail.seconds,
    traffic: detail.traffic,
    terminationCause: cause === undefined ? undefined : { type: cause.type, code: cause.code },
    releaseSource: detail.releaseSource,
    serviceClass: usage.extensions?.serviceClass,
    rate: usage.extensions?.bandwidth,
    result: usage.extensions?.result,
    receivedAt: now,
  };
}

const FINAL_STATES = /^(|stop.*|end.*)$/i;

function keyOf(usage: UsageIndication): UsageKey {
  const state = usage.state ?? "";
  const transport = usage.destinationAlternates?.find(({ type }) => type === "transport");
  return {
    destinationAddress: transport?.value ?? "",
    setupAttempt: usage.setupAttempt ?? 0,
    state,
    final: FINAL_STATES.test(state),
  };
}

/** SIP Call-IDs are printable (RFC 3261 §25.1); H.323's sixteen octets are not. */
function printableCallId(callId: Buffer): string {
  const text = callId.toString("latin1");
  return /^[\x21-\x7e]+$/.test(text) ? text : `base64:${callId.toString("base64")}`;
}
