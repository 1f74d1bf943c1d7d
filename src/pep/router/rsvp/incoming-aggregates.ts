/** Aggregates that end here: an aggregator's Path begins one, and the end of that Path ends it. */
import type { Clock } from "../../../model/clock.js";
import type { IpAddress } from "../../../model/ip.js";
import type { BytesPerSecond } from "../../../model/units.js";
import { RsvpDecodeError } from "../../../rsvp/codec/errors.js";
import type { PolicyData, SenderTemplate, Session } from "../../../rsvp/codec/objects.js";
import { wayBackOf } from "../../../rsvp/codec/way-back.js";
import type { AggregateRules } from "../../../rsvp/machine/aggregate.js";
import type { NodeEvent, Notice } from "../../../rsvp/machine/events.js";
import { aggregateKey, incomingName } from "./aggregate-name.js";
import { DeaggregatorEnd } from "./deaggregator-end.js";
import { Ends, type Incoming } from "./ends.js";
import type { RsvpHappenings } from "./happenings.js";
import { reservationEnds } from "./reservation-ends.js";

export interface IncomingAggregatesOptions {
  /** Where aggregates end here; undefined: nowhere. */
  readonly address: IpAddress | undefined;
  readonly rules: AggregateRules;
  /** The most that is reserved whatever an aggregator says. */
  readonly ceiling: BytesPerSecond;
  readonly clock: Clock;
  readonly tell: (event: NodeEvent) => void;
  /** Whether the aggregate of this key is wanted in the other direction. */
  readonly isWanted: (key: string) => boolean;
  /** Something in a Path could not be read. */
  readonly ignore: (what: string) => void;
  /** What an aggregator wants of the way back may be another now. */
  readonly said: (key: string) => void;
  /** What is granted has changed, or a question was answered. */
  readonly changed: (key: string) => void;
  readonly happenings: RsvpHappenings | undefined;
}

export class IncomingAggregates {
  readonly ends = new Ends<Incoming>();
  readonly #options: IncomingAggregatesOptions;

  constructor(options: IncomingAggregatesOptions) {
    this.#options = options;
  }

  /** For the receiver of a session. */
  notice(session: Session, notice: Notice): void {
    if (notice.what === "pathArrived") this.#onPath(session, notice.sender.template, notice.policy);
    for (const [key, entry] of this.ends.of(session)) {
      const { end } = entry;
      end.notice(notice);
      if (end.phase !== "none") continue;
      this.ends.delete(key);
      end.close();
      this.#options.happenings?.reservationEnded(reservationEnds("incoming", entry));
      this.#options.said(key);
    }
  }

  close(): void {
    for (const { end } of this.ends.values()) end.close();
  }

  /** An aggregator says what it wants, also of the way back: what goes back there follows. */
  #onPath(session: Session, template: SenderTemplate, policy: readonly PolicyData[]): void {
    const { address, isWanted, said } = this.#options;
    const name = incomingName(session, template);
    if (name === undefined) return;
    const key = aggregateKey(template.address, name);
    // Whoever asks for a code point gets it; a single flow only as the tunnel that has an end here.
    const isExpected = session.kind === "ip" ? isWanted(key) : session.destination === address;
    if (!isExpected) return;
    const { end } = this.ends.get(key) ?? { end: this.#deaggregator(key, session, template) };
    const back = this.#backOf(policy);
    const entry = { session, template, name, end };
    this.ends.set(key, back === undefined ? entry : { ...entry, back });
    said(key);
  }

  /** Other products say nothing of it, and what cannot be read says nothing either. */
  #backOf(policy: readonly PolicyData[]): BytesPerSecond | undefined {
    try {
      return wayBackOf(policy);
    } catch (error) {
      if (!(error instanceof RsvpDecodeError)) throw error;
      this.#options.ignore(`POLICY_DATA: ${error.reason}`);
      return undefined;
    }
  }

  #deaggregator(key: string, session: Session, template: SenderTemplate): DeaggregatorEnd {
    const { rules, ceiling, clock, tell } = this.#options;
    return new DeaggregatorEnd({ session, template, rules, ceiling, clock, tell, changed: () => this.#changed(key) });
  }

  #changed(key: string): void {
    const { happenings, changed } = this.#options;
    const entry = this.ends.get(key);
    // With its Path gone it has ended, which is told then: it is not lost.
    if (entry !== undefined && entry.end.phase !== "none") {
      const { granted, failure } = entry.end;
      happenings?.reservation({ ...reservationEnds("incoming", entry), granted, failure }, true);
    }
    changed(key);
  }
}
