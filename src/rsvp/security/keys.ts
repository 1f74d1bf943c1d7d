/** Keys of RFC 2747 §5: which one signs, and which ones are accepted, at a time. */
import { createSecretKey, type KeyObject } from "node:crypto";
import { ProtocolError } from "../../model/errors.js";
import type { IpAddress } from "../../model/ip.js";

export interface RsvpKey {
  /** Key Identifier: 48 bits, unique among the keys of an association. */
  readonly id: number;
  /** HMAC-MD5, the algorithm that every implementation has (RFC 2747 §6). A KeyObject prints nothing of itself. */
  readonly secret: KeyObject;
  /** KeyStartValid and KeyEndValid: epoch ms, the end excluded. `Infinity` for a key that does not end. */
  readonly from: number;
  readonly until: number;
  /** Two keys, one for each direction, keep a message of ours from being played back to us. */
  readonly use: "both" | "send" | "receive";
}

const MAX_KEY_ID = 2 ** 48 - 1;

export function rsvpKey(id: number, secret: Buffer, validity: Partial<Omit<RsvpKey, "id" | "secret">> = {}): RsvpKey {
  if (!Number.isInteger(id) || id < 0 || id > MAX_KEY_ID) {
    throw new ProtocolError("RSVP_KEY_ID", `an RSVP key identifier has 48 bits, not ${id}`);
  }
  return { id, secret: createSecretKey(secret), from: 0, until: Number.POSITIVE_INFINITY, use: "both", ...validity };
}

/** Where keys are used; at least one of interface and neighbour is named. */
export interface SecurityAssociation {
  readonly interface?: string;
  /** The neighbour's address, as in its RSVP_HOP. */
  readonly neighbour?: IpAddress;
  readonly keys: readonly RsvpKey[];
  readonly handshake: HandshakePolicy;
  /** Messages of one sender that may overtake each other; 1: none (RFC 2747 §4.2). */
  readonly window: number;
}

/**
 * RFC 2747 §4.3. `off`: the first message that is signed well sets the sequence. `willing`: the sender is challenged
 * first if it says that it answers. `required`: nothing is accepted from one that does not.
 */
export type HandshakePolicy = "off" | "willing" | "required";

export interface ChosenKey {
  readonly key: RsvpKey;
  /** Past its end and used all the same, as there is no other (RFC 2747 §5.3). The operator is to be told. */
  readonly expired: boolean;
}

/** Half of the overlap of two keys, or this where the older one has no end. */
const SETTLING_MS = 60_000;

/** The key to sign with: the newest whose overlap with its forerunner is half over (§5.1). */
export function signingKey(keys: readonly RsvpKey[], now: number): ChosenKey | undefined {
  const byStart = keys.filter(({ use, from }) => use !== "receive" && from <= now).sort((a, b) => a.from - b.from);
  const valid = byStart.filter(({ until }) => now < until);
  for (let index = valid.length - 1; index >= 0; index -= 1) {
    const key = valid[index];
    const before = valid[index - 1];
    if (key === undefined) continue;
    if (before === undefined || now >= switchOver(before, key)) return { key, expired: false };
  }
  return lastExpired(byStart);
}

/** The middle of the overlap: clocks that differ by less than half of it agree on what is accepted. */
function switchOver(before: RsvpKey, key: RsvpKey): number {
  const half = (Math.min(before.until, key.until) - key.from) / 2;
  return key.from + (before.until === Number.POSITIVE_INFINITY ? Math.min(half, SETTLING_MS) : half);
}

/** The key of that identifier, if it may be used at that time. */
export function verifyingKey(keys: readonly RsvpKey[], id: number, now: number): ChosenKey | undefined {
  const receiving = keys.filter(({ use, from }) => use !== "send" && from <= now);
  const key = receiving.find((candidate) => candidate.id === id && now < candidate.until);
  if (key !== undefined) return { key, expired: false };
  if (receiving.some(({ until }) => now < until)) return undefined;
  const last = lastExpired(receiving);
  return last?.key.id === id ? last : undefined;
}

function lastExpired(keys: readonly RsvpKey[]): ChosenKey | undefined {
  const [first, ...rest] = keys;
  if (first === undefined) return undefined;
  return { key: rest.reduce((last, key) => (key.until > last.until ? key : last), first), expired: true };
}
