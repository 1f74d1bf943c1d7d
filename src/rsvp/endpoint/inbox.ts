/** What stands between sockets and the endpoint: sizes and rates are checked before anything is kept. */
import type { Clock } from "../../model/clock.js";
import type { IpAddress } from "../../model/ip.js";
import type { RsvpLimits } from "./limits.js";
import { MIN_MESSAGE, type ReceivedDatagram } from "./transport.js";

const WINDOW_MS = 1000;
/** Stands for all sources that are not told apart. */
const OTHERS = "others";

export interface InboxOptions {
  readonly limits: RsvpLimits;
  readonly clock: Clock;
  readonly deliver: (datagram: ReceivedDatagram) => void;
}

export class Inbox {
  readonly #options: InboxOptions;
  readonly #bySource = new Map<IpAddress, number>();
  readonly #waiting: ReceivedDatagram[] = [];
  #windowEnd = 0;
  #inWindow = 0;
  #scheduled = false;
  #open = true;
  #received = 0;
  #wrongSize = 0;
  #flood = 0;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  counts(): { readonly received: number; readonly wrongSize: number; readonly flood: number } {
    return { received: this.#received, wrongSize: this.#wrongSize, flood: this.#flood };
  }

  /**
   * `datagram.octets` may be a view of the socket's buffer: they are copied here, if at all.
   * @param octets - the RSVP message
   */
  offer(datagram: ReceivedDatagram): void {
    const { limits } = this.#options;
    const { octets, source } = datagram;
    if (!this.#open) return;
    if (octets.length < MIN_MESSAGE || octets.length > limits.maxMessage) {
      this.#wrongSize += 1;
      return;
    }
    if (!this.#admits(source) || this.#waiting.length >= limits.maxWaiting) {
      this.#flood += 1;
      return;
    }
    this.#received += 1;
    this.#waiting.push({ ...datagram, octets: Buffer.from(octets) });
    this.#schedule();
  }

  close(): void {
    this.#open = false;
    this.#waiting.length = 0;
  }

  #admits(source: IpAddress): boolean {
    const { limits, clock } = this.#options;
    const now: number = clock.now();
    // A clock that was set back must not shut the door until it has caught up.
    if (now >= this.#windowEnd || now < this.#windowEnd - WINDOW_MS) {
      this.#windowEnd = now + WINDOW_MS;
      this.#inWindow = 0;
      this.#bySource.clear();
    }
    const key = this.#bySource.has(source) || this.#bySource.size < limits.maxSources ? source : OTHERS;
    const ofSource = this.#bySource.get(key) ?? 0;
    if (this.#inWindow >= limits.perSecond || ofSource >= limits.perSource) return false;
    this.#inWindow += 1;
    this.#bySource.set(key, ofSource + 1);
    return true;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const batch = this.#waiting.splice(0, this.#options.limits.perTurn);
      if (this.#waiting.length > 0) this.#schedule();
      for (const datagram of batch) if (this.#open) this.#options.deliver(datagram);
    });
  }
}
