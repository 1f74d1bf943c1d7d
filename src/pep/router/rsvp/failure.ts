/** Why an aggregate is not what was wanted, in a sentence's end. */
import type { BytesPerSecond } from "../../../model/units.js";
import { ADMISSION, POLICY, RSVP_ERROR } from "../../../rsvp/codec/codes.js";
import type { AggregateFailure } from "../../../rsvp/machine/aggregate.js";

const CAUSES: Readonly<Record<number, string>> = {
  [RSVP_ERROR.admission]: "no admission",
  [RSVP_ERROR.policy]: "against policy",
  [RSVP_ERROR.noPath]: "no path",
  [RSVP_ERROR.noSender]: "no sender",
  [RSVP_ERROR.preempted]: "preempted",
  [RSVP_ERROR.trafficControl]: "traffic control cannot do it",
  [RSVP_ERROR.trafficControlSystem]: "traffic control failed",
  [RSVP_ERROR.rsvpSystem]: "RSVP failed",
};

/** RFC 2205 appendix B, RFC 4495 §5.1. */
export function describeFailure(failure: AggregateFailure): string {
  if (failure.kind === "timeout") return "no answer in time";
  const { node, code, value } = failure.error;
  if (code === RSVP_ERROR.admission && value === ADMISSION.bandwidth) return `no bandwidth left at ${node}`;
  if (code === RSVP_ERROR.policy && value === POLICY.partialPreemption) return `partly taken back by ${node}`;
  return `${CAUSES[code] ?? "refused"} at ${node} (error ${code}, value ${value})`;
}

/** @param left - what is still granted */
export const describeLoss = (left: BytesPerSecond): string =>
  left === 0 ? "the reservation was lost" : "a part was taken back";
