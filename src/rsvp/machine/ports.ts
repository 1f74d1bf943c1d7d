/** RFC 2205 §3.2 (1): sessions of one destination and protocol all have a destination port, or none has. */
import type { Session } from "../codec/objects.js";

interface Uses {
  withPort: number;
  without: number;
}

export class Ports {
  readonly #uses = new Map<string, Uses>();

  /** Whether the session would be the first of its kind beside the other kind. */
  conflicts(session: Session): boolean {
    const uses = session.kind === "ip" ? this.#uses.get(keyOf(session.destination, session.protocol)) : undefined;
    if (uses === undefined || session.kind !== "ip") return false;
    return session.port === 0 ? uses.withPort > 0 : uses.without > 0;
  }

  add(session: Session): void {
    this.#count(session, 1);
  }

  delete(session: Session): void {
    this.#count(session, -1);
  }

  #count(session: Session, by: number): void {
    if (session.kind !== "ip") return;
    const key = keyOf(session.destination, session.protocol);
    const { withPort, without } = this.#uses.get(key) ?? { withPort: 0, without: 0 };
    const uses = session.port === 0 ? { withPort, without: without + by } : { withPort: withPort + by, without };
    if (uses.withPort + uses.without === 0) this.#uses.delete(key);
    else this.#uses.set(key, uses);
  }
}

const keyOf = (destination: string, protocol: number): string => `${destination} ${protocol}`;
