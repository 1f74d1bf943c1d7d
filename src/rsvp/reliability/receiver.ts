/**
 * The receiving half of RFC 2961 for one neighbour: what is new, a refresh, a repetition or out of order (§4.5), what is
 * to be acknowledged (§4.6), and what a summary refreshes (§5.3). No clock and no socket; state is kept in place.
 */
import type { MessageId, MessageIdAck } from "../codec/objects.js";
import { isEarlier, type MessageRole, type ReliabilityRules } from "./rules.js";

/** A message as it came, already found genuine and well formed: others are not acknowledged (§4.5). */
export interface Incoming<Message> {
  readonly role: MessageRole;
  readonly key: string;
  readonly message: Message;
  readonly messageId?: MessageId;
  /** Milliseconds that the state lives without a refresh. */
  readonly lifetime: number;
}

/** `repeat` and `outOfOrder` are not to be handled. */
export type Verdict = "new" | "refresh" | "repeat" | "outOfOrder";

interface Known<Message> {
  readonly id: number;
  readonly torn: boolean;
  readonly message: Message;
  readonly lifetime: number;
  expires: number;
}

export class ReliableReceiver<Message> {
  readonly #rules: ReliabilityRules;
  readonly #restarted: () => void;
  #epoch: number | undefined;
  /** By key; the one that was refreshed longest ago comes first. */
  readonly #states = new Map<string, Known<Message>>();
  readonly #keyOfId = new Map<number, string>();
  readonly #notices = new Set<number>();
  #acks: MessageIdAck[] = [];
  #ackDue = Number.POSITIVE_INFINITY;

  /** @param restarted - called when the neighbour has another epoch than before */
  constructor(rules: ReliabilityRules, restarted: () => void = () => undefined) {
    this.#rules = rules;
    this.#restarted = restarted;
  }

  received(incoming: Incoming<Message>, now: number): Verdict {
    this.#forgetOld(now);
    const { messageId, key } = incoming;
    if (messageId === undefined) {
      if (incoming.role !== "notice") this.#forget(key);
      return "new";
    }
    this.#enter(messageId.epoch);
    const verdict = incoming.role === "notice" ? this.#notice(messageId.id) : this.#state(incoming, messageId.id, now);
    if (messageId.ackDesired && verdict !== "outOfOrder") this.#acknowledge("ack", messageId, now);
    return verdict;
  }

  /** The messages that a summary stands for; what is not known is answered with a NACK (§5.4). */
  summary(epoch: number, ids: readonly number[], now: number): readonly Message[] {
    const refreshed: Message[] = [];
    let nacks = 0;
    for (const id of ids) {
      const known = epoch === this.#epoch ? this.#liveById(id, now) : undefined;
      if (known !== undefined) {
        known.expires = now + known.lifetime;
        refreshed.push(known.message);
      } else if (nacks < this.#rules.maxNacks) {
        nacks += 1;
        this.#acknowledge("nack", { epoch, id }, now);
      }
    }
    return refreshed;
  }

  /** When acknowledgements may wait no longer, or Infinity. */
  nextDue(): number {
    return this.#ackDue;
  }

  /** Acknowledgements for one message, also to ride in one that goes to the neighbour anyhow. */
  takeAcks(): readonly MessageIdAck[] {
    const taken = this.#acks.slice(0, this.#rules.maxAcks);
    this.#acks = this.#acks.slice(taken.length);
    if (this.#acks.length === 0) this.#ackDue = Number.POSITIVE_INFINITY;
    return taken;
  }

  /** §4.5: identifiers of another epoch say nothing about the order. */
  #enter(epoch: number): void {
    if (this.#epoch === epoch) return;
    const isFirst = this.#epoch === undefined;
    this.#epoch = epoch;
    this.#states.clear();
    this.#keyOfId.clear();
    this.#notices.clear();
    if (!isFirst) this.#restarted();
  }

  #notice(id: number): Verdict {
    if (this.#notices.has(id)) return "repeat";
    this.#notices.add(id);
    const [oldest] = this.#notices;
    if (this.#notices.size > this.#rules.maxNotices && oldest !== undefined) this.#notices.delete(oldest);
    return "new";
  }

  #state({ key, role, message, lifetime }: Incoming<Message>, id: number, now: number): Verdict {
    const torn = role === "tear";
    const known = this.#live(key, now);
    if (known !== undefined && isEarlier(id, known.id)) return "outOfOrder";
    const verdict = known?.id !== id ? "new" : torn ? "repeat" : "refresh";
    this.#forget(key);
    if (this.#states.size >= this.#rules.maxStates) return verdict;
    const life = torn ? this.#rules.tornMemory : lifetime;
    this.#states.set(key, { id, torn, message, lifetime: life, expires: now + life });
    this.#keyOfId.set(id, key);
    return verdict;
  }

  #live(key: string, now: number): Known<Message> | undefined {
    const known = this.#states.get(key);
    if (known === undefined || known.expires > now) return known;
    this.#forget(key);
    return undefined;
  }

  #liveById(id: number, now: number): Known<Message> | undefined {
    const key = this.#keyOfId.get(id);
    const known = key === undefined ? undefined : this.#live(key, now);
    return known?.torn === false ? known : undefined;
  }

  #forget(key: string): void {
    const known = this.#states.get(key);
    if (known === undefined) return;
    this.#states.delete(key);
    if (this.#keyOfId.get(known.id) === key) this.#keyOfId.delete(known.id);
  }

  #acknowledge(kind: MessageIdAck["kind"], { epoch, id }: Pick<MessageId, "epoch" | "id">, now: number): void {
    // A neighbour that does not let them go gets no more: it sends its message again.
    if (this.#acks.length >= this.#rules.maxNacks) return;
    const delay = kind === "ack" ? this.#rules.ackDelay : this.#rules.nackDelay;
    this.#acks.push({ kind, epoch, id });
    this.#ackDue = Math.min(this.#ackDue, this.#acks.length >= this.#rules.maxAcks ? now : now + delay);
  }

  /** A few at a time: each call adds one at most. */
  #forgetOld(now: number): void {
    for (let turn = 0; turn < 2; turn += 1) {
      const [oldest] = this.#states;
      if (oldest === undefined || oldest[1].expires > now) return;
      this.#forget(oldest[0]);
    }
  }
}
