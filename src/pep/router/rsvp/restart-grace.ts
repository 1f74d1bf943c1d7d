/**
 * A node that comes back knows no Path, and what neighbours had reserved through it would be answered with errors (RFC 2205
 * §3.1.4) and torn down by their receivers, with calls inside. So for a while after the start a Resv waits for its Paths,
 * which neighbours send again within a refresh; what they do not send in that time gets its error at the next refresh.
 */

import { filterKey, sessionKey } from "../../../rsvp/codec/keys.js";
import type { ResvMessage } from "../../../rsvp/codec/message.js";
import type { NodeMachine } from "../../../rsvp/endpoint/node-driver.js";
import type { Moment, NodeAction, NodeEvent, ReceivedEvent } from "../../../rsvp/machine/events.js";
import type { RsvpNode } from "../../../rsvp/machine/node.js";

type ResvEvent = ReceivedEvent & { readonly message: ResvMessage };

/** Messages that wait, all sessions together: what is beyond is not held back. */
const MAX_HELD = 4096;

const isResv = (event: NodeEvent): event is ResvEvent => event.type === "received" && event.message.kind === "Resv";

export class RestartGrace implements NodeMachine {
  readonly #node: RsvpNode;
  readonly #until: number;
  /** The last one of each session and next hop, by session. */
  readonly #held = new Map<string, Map<string, ResvEvent>>();
  #count = 0;

  /** @param until - end of the grace, in the time of the events */
  constructor(node: RsvpNode, until: number) {
    this.#node = node;
    this.#until = until;
  }

  step(event: NodeEvent, moment: Moment): readonly NodeAction[] {
    if (moment.now >= this.#until) {
      this.#held.clear();
      return this.#node.step(event, moment);
    }
    if (isResv(event) && this.#count < MAX_HELD && !this.#hasPaths(event)) {
      this.#hold(event);
      return [{ do: "ignore", what: "Resv before its Path, after a restart" }];
    }
    const actions = [...this.#node.step(event, moment)];
    const key = keyOf(event);
    if (key !== undefined && this.#held.has(key)) this.#release(key, event, moment, actions);
    return actions;
  }

  #hold(event: ResvEvent): void {
    const key = sessionKey(event.message.session);
    const place = this.#held.get(key) ?? new Map<string, ResvEvent>();
    const { address, lih } = event.message.hop;
    const before = place.size;
    place.set(`${event.arrival.interface} ${address} ${lih}`, event);
    this.#count += place.size - before;
    this.#held.set(key, place);
  }

  #release(key: string, event: NodeEvent, moment: Moment, actions: NodeAction[]): void {
    const place = this.#held.get(key) ?? new Map<string, ResvEvent>();
    // It was taken back before it was looked at.
    const isTorn = event.type === "received" && event.message.kind === "ResvTear";
    for (const [hop, waiting] of [...place]) {
      if (!isTorn && !this.#hasPaths(waiting)) continue;
      place.delete(hop);
      this.#count -= 1;
      if (!isTorn) actions.push(...this.#node.step(waiting, moment));
    }
    if (place.size === 0) this.#held.delete(key);
  }

  /** Of every sender that it names. */
  #hasPaths({ message }: ResvEvent): boolean {
    const paths = this.#node.session(message.session)?.paths;
    if (paths === undefined || paths.size === 0) return false;
    const { flows } = message;
    if (flows.style === "WF") return true;
    const filters = flows.style === "FF" ? flows.flows.map(({ filter }) => filter) : flows.filters;
    return filters.every((filter) => paths.has(filterKey(filter)));
  }
}

/** The session that an event is about, if it is one that can bring a Path or take back a Resv. */
function keyOf(event: NodeEvent): string | undefined {
  if (event.type === "received") return sessionKey(event.message.session);
  return event.type === "open" ? sessionKey(event.session) : undefined;
}
