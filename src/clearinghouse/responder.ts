/** From the body of a request to the body of its answer: decode, identify, decide, remember, encode. No sockets. */
import { createHash, randomInt } from "node:crypto";
import type { Clock } from "../model/clock.js";
import type { Logger } from "../model/log.js";
import type { Timestamp } from "../model/units.js";
import { type Envelope, OspDecodeError } from "../osp/codec/decode-error.js";
import { decodeMessage, encodeMessage } from "../osp/codec/message.js";
import type {
  AuthorisationRequest,
  Component,
  EncodableComponent,
  OspMessage,
  UsageIndication,
} from "../osp/codec/messages.js";
import { isSuccess, STATUS, type Status, statusOf } from "../osp/codec/status.js";
import { responseNameOf } from "../osp/codec/vocabulary.js";
import { type AuthoriserParts, authorise, type Exchange, refuse, type Verdict } from "./authoriser.js";
import type { PeerRule } from "./rules.js";
import type { ClearinghouseStore, ExchangeResult } from "./store.js";
import { Throttle } from "./throttle.js";
import { takeUsage } from "./usage-intake.js";

export interface ResponderParts extends AuthoriserParts {
  readonly store: ClearinghouseStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What was seen of a peer since the start. */
export interface PeerStatus {
  readonly id: string;
  readonly mayOriginate: boolean;
  readonly mayTerminate: boolean;
  readonly requests: number;
  readonly refused: number;
  readonly lastSeen: Timestamp | undefined;
  readonly lastAddress: string | undefined;
}

export interface Answer {
  readonly body: Buffer;
  /** Components that were understood, for the event log. */
  readonly components: readonly Component[];
}

type Decided = AuthorisationRequest | UsageIndication;

const DEFAULT_RATE = 100;
const newRandom = (): string => String(randomInt(1, 2 ** 31));
const isDecided = (component: Component): component is Decided =>
  component.kind === "AuthorisationRequest" || component.kind === "UsageIndication";

export class Responder {
  readonly #parts: ResponderParts;
  readonly #rates: Throttle;
  readonly #complaints: Throttle;
  readonly #seen = new Map<string, Omit<PeerStatus, "id" | "mayOriginate" | "mayTerminate">>();

  constructor(parts: ResponderParts) {
    this.#parts = parts;
    this.#rates = new Throttle(parts.clock);
    this.#complaints = new Throttle(parts.clock);
  }

  /**
   * Answers a body from `address`. Never rejects: what goes wrong is a Status of the answer.
   * @param onDecoded called before anything is decided, if the body can be read
   */
  async respond(body: Buffer, address: string, onDecoded: (components: readonly Component[]) => void): Promise<Answer> {
    let message: OspMessage;
    try {
      message = decodeMessage(body);
    } catch (error) {
      return { body: this.#answerUnreadable(error, address), components: [] };
    }
    onDecoded(message.components);
    return { body: await this.#answer(message, body, address), components: message.components };
  }

  peers(): readonly PeerStatus[] {
    const nothing = { requests: 0, refused: 0, lastSeen: undefined, lastAddress: undefined };
    return this.#parts.book.rules.peers.map(({ id, mayOriginate, mayTerminate }) => ({
      id,
      mayOriginate,
      mayTerminate,
      ...(this.#seen.get(id) ?? nothing),
    }));
  }

  async #answer(message: OspMessage, body: Buffer, address: string): Promise<Buffer> {
    const decided = message.components.filter(isDecided);
    if (decided.length === 0) return this.#encode(message, () => STATUS.internal);
    const peer = this.#identify(decided, address);
    if (peer === undefined) {
      this.#complain("clearinghouse.peer.unknown", address, {});
      return this.#encode(message, () => statusOf(STATUS.unauthorised, "unknown peer"));
    }
    const { store, clock } = this.#parts;
    const receivedAt = clock.now();
    if (
      !this.#rates.take(peer.id, peer.requestsPerSecond ?? DEFAULT_RATE, (peer.requestsPerSecond ?? DEFAULT_RATE) * 2)
    ) {
      this.#note(peer, address, true);
      return this.#encode(message, () => statusOf(STATUS.rateExceeded, `${peer.id} asks too often`));
    }
    const digest = createHash("sha256").update(body).digest();
    let refused = false;
    try {
      const response = await store.exchange({ peer: peer.id, digest, receivedAt }, (tx) => {
        const result = this.#decide(message, { peer, now: receivedAt, tx });
        refused = !result.remember;
        return result;
      });
      this.#note(peer, address, refused);
      return response;
    } catch (error) {
      // Nothing was kept, so the peer may send the same body again: 5xx tells it so.
      this.#parts.log.error("clearinghouse.exchange.failed", { peer: peer.id, error: String(error) });
      return this.#encode(message, () => STATUS.internal);
    }
  }

  /** Every component must come from the same peer: one body is answered, and remembered, for one. */
  #identify(components: readonly Decided[], address: string): PeerRule | undefined {
    const peers = components.map((component) => this.#parts.book.identify(address, component));
    return peers.every((peer) => peer === peers[0]) ? peers[0] : undefined;
  }

  /** An answer that granted or stored anything must be the same when the request comes again. */
  #decide(message: OspMessage, exchange: Exchange): ExchangeResult {
    let remember = false;
    const response = this.#encode(message, (component) => {
      const verdict = this.#verdict(component, exchange);
      const status = "status" in verdict ? verdict.status : verdict;
      remember ||= isSuccess(status);
      if (!isSuccess(status)) this.#complain("clearinghouse.refused", exchange.peer.id, { status });
      return verdict;
    });
    return { response, remember };
  }

  #verdict(component: Decided, exchange: Exchange): Verdict | Status {
    if (component.kind === "UsageIndication") return takeUsage(component, exchange);
    return authorise(this.#parts, component, exchange);
  }

  #encode(message: OspMessage, decide: (component: Decided) => Verdict | Status): Buffer {
    const timestamp = this.#parts.clock.now();
    const components = message.components
      .map((component) => answerTo(component, timestamp, decide))
      .filter((component) => component !== undefined);
    const answers = components.length === 0 ? [fallback(timestamp, STATUS.badRequest)] : components;
    return encodeMessage({ messageId: message.messageId, random: newRandom(), components: answers });
  }

  /** Every request that could be made out gets the Status; where none could, a bare AuthorisationResponse carries it. */
  #answerUnreadable(error: unknown, address: string): Buffer {
    const known = error instanceof OspDecodeError ? error : undefined;
    if (known === undefined) this.#parts.log.error("clearinghouse.decode.failed", { error: String(error) });
    else this.#complain("clearinghouse.unreadable", address, { code: known.code, error: known.message });
    const status =
      known === undefined ? STATUS.internal : { code: known.status, description: known.message.slice(0, 200) };
    const timestamp = this.#parts.clock.now();
    const envelope: Envelope = known?.envelope ?? { messageId: "0", components: [] };
    const answers = envelope.components.flatMap(({ name, componentId }): EncodableComponent[] => {
      const answerName = responseNameOf(name);
      return answerName === undefined ? [] : [{ kind: "other", name: answerName, componentId, timestamp, status }];
    });
    const components = answers.length === 0 ? [fallback(timestamp, status)] : answers;
    return encodeMessage({ messageId: envelope.messageId, random: newRandom(), components });
  }

  #note({ id }: PeerRule, address: string, refused: boolean): void {
    const before = this.#seen.get(id);
    this.#seen.set(id, {
      requests: (before?.requests ?? 0) + 1,
      refused: (before?.refused ?? 0) + (refused ? 1 : 0),
      lastSeen: this.#parts.clock.now(),
      lastAddress: address,
    });
  }

  /** At most a few lines a minute about one peer or stranger, however much it sends. */
  #complain(event: string, about: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.#complaints.take(`${event} ${about}`, 1 / 10, 5)) this.#parts.log.warn(event, { about, ...fields });
  }
}

const fallback = (timestamp: Timestamp, status: Status): EncodableComponent => ({
  kind: "AuthorisationResponse",
  componentId: "0",
  timestamp,
  status,
  destinations: [],
});

/** Undefined for a component that is itself an answer: nobody waits for one to it. */
function answerTo(
  component: Component,
  timestamp: Timestamp,
  decide: (component: Decided) => Verdict | Status,
): EncodableComponent | undefined {
  const { kind, componentId } = component;
  switch (kind) {
    case "AuthorisationRequest": {
      const outcome = decide(component);
      const verdict = "status" in outcome ? outcome : refuse(outcome, outcome.description ?? "");
      return { kind: "AuthorisationResponse", componentId, spelling: component.spelling, timestamp, ...verdict };
    }
    case "UsageIndication": {
      const outcome = decide(component);
      const status = "status" in outcome ? outcome.status : outcome;
      return { kind: "UsageConfirmation", componentId, timestamp, status };
    }
    case "other":
    case "invalid": {
      const name = responseNameOf(component.name);
      const status =
        kind === "other"
          ? STATUS.unimplemented
          : { code: component.error.status, description: component.error.message.slice(0, 200) };
      return name === undefined ? undefined : { kind: "other", name, componentId, timestamp, status };
    }
    case "AuthorisationResponse":
    case "UsageConfirmation":
      return undefined;
  }
}
