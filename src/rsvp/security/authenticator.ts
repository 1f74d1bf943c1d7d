/** Signs what is sent and checks what comes, RFC 2747 §4; the sender's half of the handshake, §4.3. No clock, no socket. */
import { randomBytes } from "node:crypto";
import type { IpAddress } from "../../model/ip.js";
import { INTEGRITY_FLAG } from "../codec/codes.js";
import { decodePacket } from "../codec/decode.js";
import { encodePacket } from "../codec/encode.js";
import { RsvpDecodeError } from "../codec/errors.js";
import { readHeader } from "../codec/header.js";
import { readIntegrity, signPacket, verifyDigest } from "../codec/integrity.js";
import type { RsvpPacket } from "../codec/message.js";
import type { Challenge } from "../codec/objects.js";
import type { KeyTable } from "./key-table.js";
import { type ChosenKey, type SecurityAssociation, signingKey, verifyingKey } from "./keys.js";
import {
  RECEIVER_INITIAL,
  type ReceiverAction,
  type ReceiverEvent,
  type ReceiverRefusal,
  type ReceiverState,
  receiverStep,
} from "./receiver.js";
import { senderAddress } from "./sender-address.js";
import { SequenceSource } from "./sequence.js";

/** Why a message was not used; for counters. */
export type Refusal = ReceiverRefusal | "malformed" | "missing" | "unknownKey" | "digest" | "full" | "own";

/** The sender's address is that of RSVP_HOP where there is one. */
export type Verdict =
  | { readonly pass: true; readonly sender: IpAddress; readonly signed: boolean }
  | { readonly pass: false; readonly why: Refusal };

/** A challenge to be sent, itself unsigned. */
export interface ChallengeToSend {
  readonly challenge: Challenge;
  readonly interface: string;
  readonly destination: IpAddress;
}

export interface ArrivalPlace {
  readonly interface: string;
  readonly source: IpAddress;
  readonly now: number;
}

export interface AuthenticatorOptions {
  readonly table: KeyTable;
  /** Addresses of this node: who signs with the same key cannot be told from its own echo. */
  readonly isOwn: (address: IpAddress) => boolean;
  /** A key past its end is used, as there is no other (§5.3): once for each key. */
  readonly keyExpired: (keyId: number) => void;
}

const COOKIE_LENGTH = 8;
const CHALLENGE_INTERVAL_MS = 1000;
const MAX_CHALLENGES = 6;
/** Senders and keys that are remembered: only who has a key can add to them. */
const MAX_RECEIVERS = 4096;

interface Receiver {
  state: ReceiverState;
  readonly association: SecurityAssociation;
  readonly keyId: number;
  readonly interface: string;
  readonly sender: IpAddress;
}

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #sequence = new SequenceSource();
  readonly #receivers = new Map<string, Receiver>();
  /** Those with a challenge under way. */
  readonly #challenged = new Set<Receiver>();
  readonly #warned = new Set<number>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /**
   * The packet as octets, signed where its place has keys; undefined if it has none that could sign there, and nothing
   * unsigned may go.
   * @param neighbour - whom it is addressed to; undefined if the next node takes it for its Router Alert
   */
  encode(packet: RsvpPacket, name: string | undefined, neighbour: IpAddress | undefined, now: number) {
    const { table } = this.#options;
    const association = neighbour === undefined ? table.ofNextNode(name) : table.of(name, neighbour);
    if (association === undefined) {
      return name !== undefined && table.isSecured(name) ? undefined : encodePacket(packet);
    }
    const chosen = signingKey(association.keys, now);
    return chosen === undefined ? undefined : this.#sign(packet, chosen, now);
  }

  /** The Integrity Response to a challenge (§4.2), signed with the key that it names; undefined if we sign with no such. */
  respond(challenge: Challenge, packet: Omit<RsvpPacket, "message">, place: ArrivalPlace): Buffer | undefined {
    const association = this.#options.table.of(place.interface, place.source);
    const keys = association?.keys.filter(({ id }) => id === challenge.keyId) ?? [];
    const chosen = signingKey(keys, place.now);
    if (chosen === undefined) return undefined;
    return this.#sign({ ...packet, message: { kind: "IntegrityResponse", challenge } }, chosen, place.now);
  }

  /**
   * Whether a message may be used. Nothing but header, INTEGRITY and RSVP_HOP is looked at before its digest is right.
   * Bundles pass: their sub-messages are checked each (RFC 2961 §3.2).
   */
  check(octets: Buffer, place: ArrivalPlace): { readonly verdict: Verdict; readonly send: readonly ChallengeToSend[] } {
    try {
      return this.#check(octets, place);
    } catch (error) {
      if (error instanceof RsvpDecodeError) return refused("malformed");
      throw error;
    }
  }

  /** When `due` is wanted next, or Infinity. */
  nextDue(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { state } of this.#challenged) if (state.phase === "challenged") next = Math.min(next, state.due);
    return next;
  }

  /** Challenges that have not been answered in time. */
  due(now: number): readonly ChallengeToSend[] {
    return [...this.#challenged].flatMap((receiver) => this.#step(receiver, { type: "due", now }).send);
  }

  #sign(packet: RsvpPacket, { key, expired }: ChosenKey, now: number): Buffer {
    if (expired) this.#warnExpired(key.id);
    const integrity = { flags: INTEGRITY_FLAG.handshake, keyId: key.id, sequence: this.#sequence.next(now) };
    return signPacket(packet, integrity, key.secret);
  }

  #check(octets: Buffer, place: ArrivalPlace): Checked {
    const { table, isOwn } = this.#options;
    const { kind } = readHeader(octets);
    // A challenge is taken unsigned (§4.2), a Bundle is but a wrapper.
    if (kind === "IntegrityChallenge" || kind === "Bundle") return passed(place.source, false);
    const sender = senderAddress(octets, place.source);
    if (isOwn(sender)) return refused("own");
    const association = table.of(place.interface, sender);
    if (association === undefined) {
      return table.isSecured(place.interface) ? refused("missing") : passed(sender, false);
    }
    const integrity = readIntegrity(octets);
    if (integrity === undefined) return refused("missing");
    const { keyId, sequence, flags } = integrity;
    const chosen = verifyingKey(association.keys, keyId, place.now);
    if (chosen === undefined) return refused("unknownKey");
    if (!verifyDigest(octets, chosen.key.secret)) return refused("digest");
    if (chosen.expired) this.#warnExpired(keyId);
    const receiver = this.#receiverOf(association, keyId, sender, place.interface);
    if (receiver === undefined) return refused("full");
    if (kind === "IntegrityResponse") {
      const { message } = decodePacket(octets);
      if (message.kind !== "IntegrityResponse" || message.challenge.keyId !== keyId) return refused("response");
      const { send, actions } = this.#step(receiver, { type: "response", sequence, cookie: message.challenge.cookie });
      return { verdict: verdictOf(actions, sender), send };
    }
    const willing = (flags & INTEGRITY_FLAG.handshake) !== 0;
    const cookie = randomBytes(COOKIE_LENGTH);
    const { send, actions } = this.#step(receiver, { type: "message", sequence, willing, now: place.now, cookie });
    return { verdict: verdictOf(actions, sender), send };
  }

  #receiverOf(association: SecurityAssociation, keyId: number, sender: IpAddress, name: string): Receiver | undefined {
    const key = `${association.interface ?? "*"} ${association.neighbour ?? "*"} ${keyId} ${sender}`;
    const known = this.#receivers.get(key);
    if (known !== undefined || this.#receivers.size >= MAX_RECEIVERS) return known;
    const receiver = { state: RECEIVER_INITIAL, association, keyId, interface: name, sender };
    this.#receivers.set(key, receiver);
    return receiver;
  }

  #step(receiver: Receiver, event: ReceiverEvent) {
    const { handshake, window } = receiver.association;
    const rules = { handshake, window, challengeInterval: CHALLENGE_INTERVAL_MS, maxChallenges: MAX_CHALLENGES };
    const { state, actions } = receiverStep(rules, receiver.state, event);
    receiver.state = state;
    if (state.phase === "challenged") this.#challenged.add(receiver);
    else this.#challenged.delete(receiver);
    const send = actions.flatMap((action) =>
      action.do === "challenge"
        ? [
            {
              challenge: { keyId: receiver.keyId, cookie: action.cookie },
              interface: receiver.interface,
              destination: receiver.sender,
            },
          ]
        : [],
    );
    return { send, actions };
  }

  #warnExpired(keyId: number): void {
    if (this.#warned.has(keyId)) return;
    this.#warned.add(keyId);
    this.#options.keyExpired(keyId);
  }
}

interface Checked {
  readonly verdict: Verdict;
  readonly send: readonly ChallengeToSend[];
}

const passed = (sender: IpAddress, signed: boolean): Checked => ({ verdict: { pass: true, sender, signed }, send: [] });
const refused = (why: Refusal): Checked => ({ verdict: { pass: false, why }, send: [] });

function verdictOf(actions: readonly ReceiverAction[], sender: IpAddress): Verdict {
  for (const action of actions) {
    if (action.do === "accept") return { pass: true, sender, signed: true };
    if (action.do === "drop") return { pass: false, why: action.why };
  }
  return { pass: false, why: "replay" };
}
