/**
 * The sending half of RFC 2961 towards one target: MESSAGE_ID on what is new, retransmission until it is acknowledged
 * (§6), Srefresh instead of refreshes (§5). No clock and no socket: times come with the events. State is kept in place, as
 * a copy for each of a thousand messages would cost the square.
 */
import type { MessageId } from "../codec/objects.js";
import { RetryQueue } from "./retry-queue.js";
import type { MessageIds, MessageRole, ReliabilityRules } from "./rules.js";

/** What a caller wants sent. */
export interface Outgoing<Message> {
  readonly role: MessageRole;
  /** Names the state; a tear has the key of the state that it is about, which is a new one if it comes again. */
  readonly key: string;
  /** Equal for messages that say the same: then it is a refresh. */
  readonly content: string;
  readonly message: Message;
}

export type SenderAction<Message> =
  | { readonly do: "transmit"; readonly message: Message; readonly messageId?: MessageId }
  | { readonly do: "summary"; readonly epoch: number; readonly ids: readonly number[] }
  /** Sent as often as the rules allow, and nobody acknowledged it. */
  | { readonly do: "unacknowledged"; readonly message: Message };

interface Sent<Message> extends Outgoing<Message> {
  readonly id: number;
  acknowledged: boolean;
  /** Transmissions of the current try; 0 when none is under way. */
  attempts: number;
  due: number;
  /** Refreshes since the last whole message. */
  summaries: number;
  last: number;
}

export class ReliableSender<Message> {
  readonly #rules: ReliabilityRules;
  readonly #ids: MessageIds;
  readonly #forgotten: (id: number, key: string) => void;
  /** By key; the one that was sent longest ago comes first. */
  readonly #states = new Map<string, Sent<Message>>();
  readonly #byId = new Map<number, Sent<Message>>();
  /** By the number of transmissions so far, less one. */
  readonly #retries: readonly RetryQueue<Sent<Message>>[];
  #summary = new Set<Sent<Message>>();
  #summaryDue = Number.POSITIVE_INFINITY;
  /** False once the neighbour said that it does not know MESSAGE_ID (§4.8). */
  #identified = true;

  /** @param forgotten - told of each identifier that is of no use any more */
  constructor(
    rules: ReliabilityRules,
    ids: MessageIds,
    forgotten: (id: number, key: string) => void = () => undefined,
  ) {
    this.#rules = rules;
    this.#ids = ids;
    this.#forgotten = forgotten;
    this.#retries = Array.from({ length: rules.retransmitLimit }, () => new RetryQueue<Sent<Message>>());
  }

  /** Nothing would be lost with this object. */
  get isEmpty(): boolean {
    return this.#identified && this.#byId.size === 0;
  }

  /** @param capable - the neighbour is known to do all of RFC 2961 (§2) */
  send(outgoing: Outgoing<Message>, capable: boolean, now: number): readonly SenderAction<Message>[] {
    this.#forgetOld(now);
    // A notice may answer somebody who does not exist: it is repeated only to who is known to acknowledge.
    const plain = outgoing.role === "notice" && !capable;
    if (plain || !this.#identified) return [{ do: "transmit", message: outgoing.message }];
    const known = outgoing.role === "notice" ? undefined : this.#states.get(outgoing.key);
    if (known !== undefined && outgoing.role === "state" && known.content === outgoing.content) {
      return this.#refresh(known, capable, now);
    }
    if (known !== undefined) this.#forget(known);
    const sent = { ...outgoing, id: this.#ids.next(), ...UNSENT, last: now };
    this.#byId.set(sent.id, sent);
    if (sent.role === "state") this.#states.set(sent.key, sent);
    return [this.#transmit(sent, now)];
  }

  /** §4.6. Also said by a PathErr or ResvErr about the state (§4.5): see `acknowledgedBy`. */
  acknowledged(id: number): boolean {
    const sent = this.#byId.get(id);
    if (sent === undefined) return false;
    sent.acknowledged = true;
    sent.attempts = 0;
    if (sent.role !== "state") this.#forget(sent);
    return true;
  }

  /** An error about this state came back: it has arrived (§4.5). */
  acknowledgedBy(key: string): void {
    const sent = this.#states.get(key);
    if (sent !== undefined) this.acknowledged(sent.id);
  }

  /** §5.4: the neighbour has no state for a summary's identifier, so it gets the whole message. */
  notAcknowledged(id: number, now: number): readonly SenderAction<Message>[] {
    const sent = this.#byId.get(id);
    if (sent?.role !== "state" || sent.attempts > 0) return [];
    sent.acknowledged = false;
    sent.summaries = 0;
    return [this.#transmit(sent, now)];
  }

  /** §4.8: an error 13 for class 23 came back; everything is sent again, and from now on, without MESSAGE_ID. */
  unsupported(): readonly SenderAction<Message>[] {
    if (!this.#identified) return [];
    this.#identified = false;
    const waiting = [...this.#byId.values()].filter(({ attempts }) => attempts > 0);
    for (const sent of this.#byId.values()) this.#forget(sent);
    return waiting.map(({ message }) => ({ do: "transmit", message }));
  }

  nextDue(): number {
    return this.#retries.reduce((next, queue) => Math.min(next, queue.next(this.#isCurrent)), this.#summaryDue);
  }

  due(capable: boolean, now: number): readonly SenderAction<Message>[] {
    const actions: SenderAction<Message>[] = [];
    for (const queue of this.#retries) {
      for (let sent = queue.takeDue(now, this.#isCurrent); sent !== undefined; ) {
        actions.push(this.#retry(sent, now));
        sent = queue.takeDue(now, this.#isCurrent);
      }
    }
    if (this.#summaryDue <= now) actions.push(...this.#summarise(capable));
    return actions;
  }

  readonly #isCurrent = (sent: Sent<Message>, due: number): boolean =>
    sent.attempts > 0 && sent.due === due && this.#byId.get(sent.id) === sent;

  /** §4.5: a refresh has the identifier of the message that first said so. */
  #refresh(sent: Sent<Message>, capable: boolean, now: number): readonly SenderAction<Message>[] {
    sent.last = now;
    this.#states.delete(sent.key);
    this.#states.set(sent.key, sent);
    // §5: only what the neighbour is known to have can be summed up.
    if (capable && sent.acknowledged && sent.summaries < this.#rules.fullEvery - 1) {
      sent.summaries += 1;
      this.#summary.add(sent);
      this.#summaryDue = Math.min(this.#summaryDue, now + this.#rules.summaryDelay);
      return [];
    }
    sent.summaries = 0;
    return [{ do: "transmit", message: sent.message, messageId: this.#idOf(sent, !sent.acknowledged) }];
  }

  #transmit(sent: Sent<Message>, now: number): SenderAction<Message> {
    sent.attempts = 0;
    return this.#retry(sent, now);
  }

  /** §6.3. */
  #retry(sent: Sent<Message>, now: number): SenderAction<Message> {
    const { retransmitInterval, retransmitGrowth, retransmitLimit } = this.#rules;
    if (sent.attempts >= retransmitLimit) {
      sent.attempts = 0;
      if (sent.role !== "state") this.#forget(sent);
      return { do: "unacknowledged", message: sent.message };
    }
    sent.due = now + retransmitInterval * (1 + retransmitGrowth) ** sent.attempts;
    this.#retries[sent.attempts]?.add(sent.due, sent);
    sent.attempts += 1;
    return { do: "transmit", message: sent.message, messageId: this.#idOf(sent, true) };
  }

  /** A neighbour that can no longer read a summary gets what it would have said (§2). */
  #summarise(capable: boolean): readonly SenderAction<Message>[] {
    const sents = [...this.#summary].filter((sent) => this.#byId.get(sent.id) === sent);
    this.#summary = new Set();
    this.#summaryDue = Number.POSITIVE_INFINITY;
    if (!capable) {
      return sents.map((sent) => ({ do: "transmit", message: sent.message, messageId: this.#idOf(sent, false) }));
    }
    const actions: SenderAction<Message>[] = [];
    for (let at = 0; at < sents.length; at += this.#rules.maxListed) {
      const ids = sents.slice(at, at + this.#rules.maxListed).map(({ id }) => id);
      actions.push({ do: "summary", epoch: this.#ids.epoch, ids });
    }
    return actions;
  }

  #idOf({ id }: Sent<Message>, ackDesired: boolean): MessageId {
    return { ackDesired, epoch: this.#ids.epoch, id };
  }

  #forget(sent: Sent<Message>): void {
    this.#byId.delete(sent.id);
    this.#forgotten(sent.id, sent.key);
    this.#summary.delete(sent);
    if (this.#states.get(sent.key) === sent) this.#states.delete(sent.key);
  }

  /** A few at a time: each call adds one at most. */
  #forgetOld(now: number): void {
    for (let turn = 0; turn < 2; turn += 1) {
      const [oldest] = this.#states.values();
      if (oldest === undefined || oldest.attempts > 0 || now - oldest.last < this.#rules.sentMemory) return;
      this.#forget(oldest);
    }
  }
}

const UNSENT = { acknowledged: false, attempts: 0, due: 0, summaries: 0 };
