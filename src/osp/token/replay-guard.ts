/** A ReplayGuard in memory, for a domain that checks its own tokens. Forgets at restart; durable ones are a store's. */
import type { Clock } from "../../model/clock.js";
import type { Timestamp } from "../../model/units.js";
import type { TransactionId } from "../codec/messages.js";
import type { ReplayGuard } from "./token.js";

const DEFAULT_CAPACITY = 100_000;

export class MemoryReplayGuard implements ReplayGuard {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #used = new Map<string, Timestamp>();

  constructor(clock: Clock, capacity: number = DEFAULT_CAPACITY) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  /** Full of live tokens it calls every further one used: a check that cannot be made must not pass. */
  seen(transactionId: TransactionId, callId: Buffer, until: Timestamp): boolean {
    const key = `${transactionId} ${callId.toString("base64")}`;
    const known = this.#used.get(key);
    const now = this.#clock.now();
    if (known !== undefined && known >= now) return true;
    if (this.#used.size >= this.#capacity) this.#forgetExpired(now);
    if (this.#used.size >= this.#capacity) return true;
    this.#used.set(key, until);
    return false;
  }

  #forgetExpired(now: Timestamp): void {
    for (const [key, until] of this.#used) if (until < now) this.#used.delete(key);
  }
}
