/**
 * The stateful Session-Reflector (RFC 8762 §4.3): a count of its own for each session, and a limit for each source. Pure:
 * times come with the calls, in ms of a clock that nobody sets. State is kept in place.
 */
import type { IpAddress } from "../../model/ip.js";
import type { Millis } from "../../model/units.js";

export interface SessionReflectorRules {
  /** Most sessions, and most sources. */
  readonly maxSessions: number;
  /** Most packets of a source in a second. */
  readonly rate: number;
  /** How long a session without a packet is remembered. */
  readonly idle: Millis;
}

/** Where a test packet came from, and its session: what tells one from another (RFC 8972 §3). */
export interface ReflectedSession {
  readonly address: IpAddress;
  readonly port: number;
  readonly session: number;
}

export type Reflected =
  | { readonly answer: true; readonly sequence: number }
  | { readonly answer: false; readonly why: "rate" | "full" };

interface Session {
  next: number;
  last: number;
}

interface Source {
  tokens: number;
  last: number;
}

const SEQUENCES = 2 ** 32;

export class SessionReflector {
  readonly #rules: SessionReflectorRules;
  readonly #sessions = new Map<string, Session>();
  readonly #sources = new Map<IpAddress, Source>();

  constructor(rules: SessionReflectorRules) {
    this.#rules = rules;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  reflect(from: ReflectedSession, now: number): Reflected {
    const source = this.#sourceOf(from.address, now);
    if (source === undefined) return { answer: false, why: "full" };
    if (source.tokens < 1) return { answer: false, why: "rate" };
    source.tokens -= 1;
    const session = this.#sessionOf(from, now);
    if (session === undefined) return { answer: false, why: "full" };
    const sequence = session.next;
    session.next = (session.next + 1) % SEQUENCES;
    session.last = now;
    return { answer: true, sequence };
  }

  /** Forgets who has been silent; to be called now and then. */
  sweep(now: number): void {
    for (const table of [this.#sessions, this.#sources] as const) {
      for (const [key, { last }] of table) {
        if (now - last > this.#rules.idle) table.delete(key as IpAddress);
      }
    }
  }

  /** New ones wait until others are forgotten: who is measured goes on, whatever a flood of addresses does. */
  #sourceOf(address: IpAddress, now: number): Source | undefined {
    const { rate, maxSessions } = this.#rules;
    const known = this.#sources.get(address);
    if (known === undefined) {
      if (this.#sources.size >= maxSessions) return undefined;
      const source = { tokens: rate, last: now };
      this.#sources.set(address, source);
      return source;
    }
    known.tokens = Math.min(rate, known.tokens + ((now - known.last) / 1000) * rate);
    known.last = now;
    return known;
  }

  #sessionOf({ address, port, session }: ReflectedSession, now: number): Session | undefined {
    const key = `${address} ${port} ${session}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    if (this.#sessions.size >= this.#rules.maxSessions) return undefined;
    const fresh = { next: 0, last: now };
    this.#sessions.set(key, fresh);
    return fresh;
  }
}
