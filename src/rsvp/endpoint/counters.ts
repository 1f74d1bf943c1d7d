/** What became of messages, for the operator. */
import type { DecodeReason } from "../codec/errors.js";
import type { Verdict } from "../reliability/receiver.js";
import type { Refusal } from "../security/authenticator.js";

export type EndpointCounter =
  | Verdict
  | `refused.${Refusal}`
  | `unreadable.${DecodeReason}`
  /** Not sent: no key that could sign where everything is to be signed. */
  | "unsigned"
  | "unacknowledged"
  | "summaries"
  | "challenges"
  /** Neighbours that have started again. */
  | "restarts"
  | "transportErrors"
  /** RSVP-E2E-IGNORE (RFC 3175 §3.1) that was received, as only the transport of an edge does. */
  | "endToEnd";

export class Counters {
  readonly #counts = new Map<EndpointCounter, number>();

  add(counter: EndpointCounter): void {
    this.#counts.set(counter, this.get(counter) + 1);
  }

  refused(why: Refusal): void {
    this.add(`refused.${why}`);
  }

  unreadable(reason: DecodeReason): void {
    this.add(`unreadable.${reason}`);
  }

  get(counter: EndpointCounter): number {
    return this.#counts.get(counter) ?? 0;
  }

  all(): ReadonlyMap<EndpointCounter, number> {
    return new Map(this.#counts);
  }
}
