/** A sender and a reflector of the machines, with a path between them that delays, loses and doubles as it is told. */
import { millis, timestamp } from "../../../src/model/units.js";
import { decodeReflectorPacket, encodeSenderPacket, reflect } from "../../../src/stamp/codec/packet.js";
import { SessionReflector } from "../../../src/stamp/machine/session-reflector.js";
import { type PathFinding, type ReplyVerdict, SessionSender } from "../../../src/stamp/machine/session-sender.js";

/** What becomes of one packet; in ms. */
export interface Fate {
  readonly out?: number | "lost";
  readonly in?: number | "lost";
  /** Another copy, so much later. */
  readonly twiceOut?: number;
  readonly twiceIn?: number;
}

interface Event {
  readonly at: number;
  readonly run: () => void;
}

export interface PathOptions {
  readonly interval?: number;
  readonly timeout?: number;
  /** Whether the ends say that they are synchronised. */
  readonly synchronised?: boolean;
}

const EPOCH = Date.UTC(2026, 0, 1);
const HOLD = 3;

export class SimulatedPath {
  readonly verdicts: ReplyVerdict[] = [];
  readonly sender: SessionSender;
  /** How far each clock is ahead of the true time. */
  senderClock = 0;
  reflectorClock = 0;
  /** How much later than it arrives the sender looks at an answer. */
  heldUp = 0;
  now = 0;
  readonly #options: Required<PathOptions>;
  #reflector = SimulatedPath.#newReflector();
  readonly #events: Event[] = [];

  constructor({ interval = 100, timeout = 1000, synchronised = true }: PathOptions = {}) {
    this.#options = { interval, timeout, synchronised };
    this.sender = new SessionSender({ session: 5, timeout: millis(timeout) });
  }

  /** Sends a packet for each fate, one an interval. */
  send(...fates: readonly Fate[]): this {
    for (const fate of fates) {
      this.#depart(fate);
      this.pass(this.#options.interval);
    }
    return this;
  }

  pass(time: number): this {
    const end = this.now + time;
    for (;;) {
      const [next] = this.#events.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (next === undefined) break;
      this.#events.splice(this.#events.indexOf(next), 1);
      this.now = next.at;
      next.run();
    }
    this.now = end;
    return this;
  }

  /** As if the program there had been started again. */
  restartReflector(): this {
    this.#reflector = SimulatedPath.#newReflector();
    return this;
  }

  /** After everything has been settled. */
  collect(): PathFinding {
    this.pass(2 * this.#options.timeout + 1);
    return this.sender.collect(this.now);
  }

  #depart({ out = 10, in: back = 10, twiceOut, twiceIn }: Fate): void {
    const packet = encodeSenderPacket(this.sender.send(this.#time(this.senderClock), this.#estimate(), this.now));
    if (out === "lost") return;
    const arrivals = twiceOut === undefined ? [out] : [out, out + twiceOut];
    for (const arrival of arrivals) this.#after(arrival, () => this.#reflect(packet, back, twiceIn));
  }

  #reflect(packet: Buffer, back: number | "lost", twiceIn: number | undefined): void {
    const reflected = this.#reflector.reflect({ address: "10.0.0.1", port: 40_000, session: 5 }, this.now);
    if (!reflected.answer) throw new Error(reflected.why);
    const received = this.#time(this.reflectorClock);
    this.#after(HOLD, () => {
      const { sequence } = reflected;
      const times = { timestamp: this.#time(this.reflectorClock), received };
      const answer = reflect(packet, { sequence, ...times, estimate: this.#estimate(), ttl: 250 });
      if (back === "lost") return;
      for (const delay of twiceIn === undefined ? [back] : [back, back + twiceIn]) {
        this.#after(delay, () => this.#return(answer));
      }
    });
  }

  #return(answer: Buffer): void {
    const packet = decodeReflectorPacket(answer);
    const at = this.#time(this.senderClock);
    this.#after(this.heldUp, () => {
      this.verdicts.push(this.sender.reply({ packet, at, estimate: this.#estimate(), now: this.now }));
    });
  }

  #after(delay: number, run: () => void): void {
    this.#events.push({ at: this.now + delay, run });
  }

  #time(ahead: number) {
    return timestamp(EPOCH + this.now + ahead);
  }

  #estimate() {
    return { synchronised: this.#options.synchronised, format: "ntp", error: millis(0.1) } as const;
  }

  static #newReflector(): SessionReflector {
    return new SessionReflector({ maxSessions: 10, rate: 100_000, idle: millis(60_000) });
  }
}
