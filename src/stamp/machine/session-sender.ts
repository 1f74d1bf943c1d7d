/**
 * One Session-Sender (RFC 8762 §4.2): numbers test packets, and makes of their answers what the path gave. No clock and no
 * socket: times come with the calls. `now` is of a clock that nobody sets, in ms; other times are of the clock that
 * timestamps are of. State is kept in place, as a copy for each of a thousand packets a second would cost more than they.
 */
import { type Millis, millis, type Timestamp } from "../../model/units.js";
import type { ErrorEstimate } from "../codec/error-estimate.js";
import { faultOf, type ReflectorPacket, type SenderPacket } from "../codec/packet.js";
import { type AnswerVerdict, LossAccount } from "./loss.js";
import { Jitter, percentile, type Sample, sampleOf } from "./times.js";

export interface SessionSenderRules {
  /** STAMP Session Identifier, 1 to 65,535 (RFC 8972 §3). */
  readonly session: number;
  /** When a packet without an answer is lost. */
  readonly timeout: Millis;
}

/** One direction of the path since it was asked last; times are absent where no packet came back. */
export interface PathDirection {
  readonly lost: number;
  /** One-way, 95th percentile. */
  readonly latency?: Millis;
  /** RFC 3550 §6.4.1, as it is now. */
  readonly jitter?: Millis;
}

export interface PathFinding {
  /** Packets of which it is known by now what became of them: those of the last second or so are not among them. */
  readonly sent: number;
  readonly out: PathDirection;
  readonly in: PathDirection;
  /** Whether the clocks of both ends agree, as far as they say and the times bear it out; if not, each latency is half of the round trip. */
  readonly clocks: "unknown" | "synchronised";
}

/** An answer as it arrived. */
export interface Returned {
  readonly packet: ReflectorPacket;
  readonly at: Timestamp;
  /** Of the clock here. */
  readonly estimate: ErrorEstimate;
  readonly now: number;
}

export type ReplyVerdict =
  | AnswerVerdict
  /** Not to a packet of this session: its timestamp or session is another. */
  | "foreign"
  /** A clock was set while the packet was on its way, or the answer contradicts itself: it counts, its times do not. */
  | "timeless";

interface Departure {
  readonly timestamp: Timestamp;
  readonly now: number;
}

const SEQUENCES = 2 ** 32;
const PERCENTILE = 0.95;
/** A timestamp keeps a quarter of a microsecond. */
const SAME_TIME = 0.001;
/** Readings of two clocks here are made one after the other; in ms. */
const READING_SLACK = 5;
/** By so much one-way times may be below zero beyond what both ends say of their errors; in ms. */
const SYNCHRONY_SLACK = 0.05;

export class SessionSender {
  readonly #rules: SessionSenderRules;
  readonly #losses: LossAccount;
  readonly #departures = new Map<number, Departure>();
  readonly #jitter = new Jitter();
  #samples: Sample[] = [];
  #agreeing = 0;
  #next = 0;

  constructor(rules: SessionSenderRules) {
    this.#rules = rules;
    this.#losses = new LossAccount(rules.timeout);
  }

  /** How often the reflector has started again. */
  get restarts(): number {
    return this.#losses.restarts;
  }

  /** The next packet. @param timestamp - when it is sent: right after this */
  send(timestamp: Timestamp, estimate: ErrorEstimate, now: number): SenderPacket {
    const sequence = this.#next;
    this.#next = (this.#next + 1) % SEQUENCES;
    this.#forget(now);
    this.#departures.set(sequence, { timestamp, now });
    this.#losses.sent(sequence, now);
    return { sequence, timestamp, estimate, session: this.#rules.session };
  }

  reply(returned: Returned): ReplyVerdict {
    const { packet } = returned;
    const departure = this.#departures.get(packet.sender.sequence);
    if (departure === undefined) return "late";
    // Whoever did not see the packet cannot answer it (RFC 8762 has no other protection without authentication).
    const isOurs = Math.abs(packet.sender.timestamp - departure.timestamp) < SAME_TIME;
    if (!isOurs || packet.session !== this.#rules.session) return "foreign";
    const verdict = this.#losses.answered(packet.sender.sequence, packet.sequence, arrival(returned, departure));
    if (verdict !== "first") return verdict;
    return this.#measure(returned, departure) ? "first" : "timeless";
  }

  /** What was found since it was asked last. */
  collect(now: number): PathFinding {
    const { sent, lostOut, lostIn } = this.#losses.collect(now);
    // Of packets that are all under way nothing is said: times that they have by now are for when there is.
    const samples = sent === 0 ? [] : this.#samples;
    const isOneWay = samples.length > 0 && this.#agreeing === samples.length;
    if (sent > 0) {
      this.#samples = [];
      this.#agreeing = 0;
    }
    const latency = (way: "out" | "in"): number | undefined =>
      percentile(
        samples.map((sample) => Math.max(0, isOneWay ? sample[way] : sample.roundTrip / 2)),
        PERCENTILE,
      );
    const jitter = samples.length === 0 ? undefined : this.#jitter;
    return {
      sent,
      out: { lost: lostOut, ...times(latency("out"), jitter?.out) },
      in: { lost: lostIn, ...times(latency("in"), jitter?.in) },
      clocks: isOneWay ? "synchronised" : "unknown",
    };
  }

  /** False where the times cannot be true. */
  #measure({ packet, at, estimate, now }: Returned, departure: Departure): boolean {
    const elapsed = now - departure.now;
    const sample = sampleOf({
      sent: departure.timestamp,
      received: packet.received,
      answered: packet.timestamp,
      returned: at,
    });
    const isPossible =
      faultOf(packet) === undefined &&
      packet.estimate.format === "ntp" &&
      packet.timestamp >= packet.received &&
      sample.roundTrip >= 0 &&
      at - departure.timestamp <= elapsed + READING_SLACK;
    if (!isPossible) return false;
    this.#samples.push(sample);
    this.#jitter.add(sample);
    const slack = estimate.error + packet.estimate.error + SYNCHRONY_SLACK;
    const isBorneOut = sample.out >= -slack && sample.in >= -slack;
    if (estimate.synchronised && packet.estimate.synchronised && isBorneOut) this.#agreeing += 1;
    return true;
  }

  #forget(now: number): void {
    for (const [sequence, departure] of this.#departures) {
      if (now - departure.now <= this.#rules.timeout) return;
      this.#departures.delete(sequence);
    }
  }
}

/** When an answer arrived, of the clock of `now`: this process may have been held up, and come to it much later. */
function arrival({ at, now }: Returned, departure: Departure): number {
  const elapsed = at - departure.timestamp;
  const isPossible = elapsed >= 0 && departure.now + elapsed <= now;
  return isPossible ? departure.now + elapsed : now;
}

function times(latency: number | undefined, jitter: number | undefined): Pick<PathDirection, "latency" | "jitter"> {
  return {
    ...(latency === undefined ? {} : { latency: millis(latency) }),
    ...(jitter === undefined ? {} : { jitter: millis(jitter) }),
  };
}
