/** How a denial by policy is said in RSVP: error 2 with the values of RFC 2750 appendix A. */
import { ERROR_SPEC_CLASS } from "../../../cops/rsvp/codes.js";
import type { RsvpObjectOctets } from "../../../cops/rsvp/objects.js";
import type { DenialCause } from "../../../cops/rsvp/reservation-request.js";
import { RSVP_ERROR } from "../../../rsvp/codec/codes.js";
import { type ErrorAnswer, RsvpDecodeError } from "../../../rsvp/codec/errors.js";
import { readObject } from "../../../rsvp/codec/object.js";
import { objectFormOf } from "../../../rsvp/codec/object-table.js";
import type { NodeMachine } from "../../../rsvp/endpoint/node-driver.js";
import type { Moment, NodeAction, NodeEvent } from "../../../rsvp/machine/events.js";
import type { ReservationRef } from "../../../rsvp/machine/keys.js";

/** RFC 2750 appendix A: error values of error 2. */
export const POLICY_VALUE = { unknown: 2, reject: 3, exceed: 4, preempt: 5, pdp: 9 } as const;

const policyError = (value: number): ErrorAnswer => ({ code: RSVP_ERROR.policy, value });

/** RFC 2749 §3.7: the server knows best what to say; but what it says must be an error of policy. */
export function errorOf(cause: DenialCause): ErrorAnswer {
  switch (cause.by) {
    case "server": {
      const spec = cause.objects.map(errorSpecOf).find((found) => found !== undefined);
      return spec?.code === RSVP_ERROR.policy ? spec : policyError(POLICY_VALUE.reject);
    }
    case "localPolicy":
      return policyError(POLICY_VALUE.pdp);
    case "unsupportedDecision":
      return policyError(POLICY_VALUE.unknown);
  }
}

function errorSpecOf({ classNum, cType, contents }: RsvpObjectOctets): ErrorAnswer | undefined {
  const form = objectFormOf(classNum, cType);
  if (classNum !== ERROR_SPEC_CLASS || form === undefined) return undefined;
  try {
    const { name, value } = readObject(form, { classNum, cType, contents, offset: 0 });
    return name === "errorSpec" ? { code: value.code, value: value.value } : undefined;
  } catch (error) {
    if (error instanceof RsvpDecodeError) return undefined;
    throw error;
  }
}

/**
 * A node that tells receivers why the policy server took a reservation away, where RSVP by itself would say that it was
 * preempted (error 12).
 */
export class PolicyErrors implements NodeMachine {
  readonly #node: NodeMachine;
  readonly #take: (ref: ReservationRef) => ErrorAnswer | undefined;

  /** @param take - the error for a reservation that is taken away for policy reasons, once */
  constructor(node: NodeMachine, take: (ref: ReservationRef) => ErrorAnswer | undefined) {
    this.#node = node;
    this.#take = take;
  }

  step(event: NodeEvent, moment: Moment): readonly NodeAction[] {
    const actions = this.#node.step(event, moment);
    if (event.type !== "preempt" || event.granted !== undefined) return actions;
    const error = this.#take(event.ref);
    return error === undefined ? actions : actions.map((action) => withError(action, error));
  }
}

function withError(action: NodeAction, error: ErrorAnswer): NodeAction {
  if (action.do !== "send" || action.message.kind !== "ResvErr") return action;
  const { message } = action;
  if (message.error.code !== RSVP_ERROR.preempted) return action;
  return { ...action, message: { ...message, error: { ...message.error, ...error } } };
}
