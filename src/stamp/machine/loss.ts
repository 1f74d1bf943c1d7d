/**
 * What became of test packets, and in which direction they were lost. A stateful reflector numbers what it answers
 * (RFC 8762 §4.3.1): a number that never came back is an answer that was lost, any other packet was lost on the way out. With a
 * stateless reflector, which repeats the sender's number, all loss looks like loss of answers.
 *
 * A packet's fate is settled when it is `timeout` old; a lost one only together with an answered one after it, whose number
 * tells where it was lost, or when it is twice as old.
 *
 * With the first answer of a reflector's life, what was unanswered since the last one of its life before is forgotten: nothing
 * was there that answers, and that says nothing about the path. While there is no answer it counts as lost all the same.
 */

export interface LossCount {
  /** Packets of which it is known by now what became of them. */
  readonly sent: number;
  readonly lostOut: number;
  readonly lostIn: number;
}

interface Sent {
  readonly at: number;
  /** The reflector's number; undefined while there is no answer. */
  answer: number | undefined;
  /** The reflector's life in which that was its number. */
  life: number;
  /** Sent when there was no reflector: without an answer it is neither sent nor lost. */
  isVoid: boolean;
}

export type AnswerVerdict =
  /** Its times count. */
  | "first"
  /** The packet or its answer came twice. */
  | "duplicate"
  /** The packet counts as lost already, or was never sent. */
  | "late";

/** Of the reflector's numbers that are kept; many more than packets can be under way. */
const NUMBERS_MAX = 4096;

export class LossAccount {
  readonly #timeout: number;
  /** By the sender's number, in its order. */
  readonly #sent = new Map<number, Sent>();
  /** Numbers of the reflector that came back and are above the horizon. */
  readonly #numbers = new Set<number>();
  /** Up to this number of the reflector every one is accounted for. */
  #horizon: number | undefined;
  /** The reflector's; 0 until it answers. */
  #life = 0;
  #settled = 0;
  #lost = 0;
  #lostAnswers = 0;

  /** @param timeout - in ms */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** How often the reflector's numbers have begun anew. */
  get restarts(): number {
    return Math.max(0, this.#life - 1);
  }

  /** @param now - in ms; never goes back */
  sent(sequence: number, now: number): void {
    this.#sent.set(sequence, { at: now, answer: undefined, life: this.#life, isVoid: false });
  }

  /** @param number - of the reflector */
  answered(sequence: number, number: number, now: number): AnswerVerdict {
    const sent = this.#sent.get(sequence);
    if (sent === undefined || now - sent.at > this.#timeout) return "late";
    if (sent.answer === number) return "duplicate";
    if (this.#life === 0 || (this.#horizon !== undefined && number <= this.#horizon)) this.#begin(sequence);
    if (this.#numbers.size < NUMBERS_MAX) this.#numbers.add(number);
    if (sent.answer !== undefined) return "duplicate";
    sent.answer = number;
    sent.life = this.#life;
    return "first";
  }

  /** What was settled since it was asked last. */
  collect(now: number): LossCount {
    this.#settle(now);
    const lostIn = Math.min(this.#lost, this.#lostAnswers);
    const count = { sent: this.#settled, lostOut: this.#lost - lostIn, lostIn };
    this.#settled = 0;
    this.#lost = 0;
    this.#lostAnswers = 0;
    return count;
  }

  /** The reflector has started, as this answer is its first or it has lost its count: older numbers are not comparable. */
  #begin(sequence: number): void {
    this.#life += 1;
    this.#horizon = undefined;
    this.#numbers.clear();
    const before = [...this.#sent.values()].slice(0, [...this.#sent.keys()].indexOf(sequence));
    const last = before.findLastIndex(({ answer }) => answer !== undefined);
    for (const sent of before.slice(last + 1)) sent.isVoid = true;
  }

  #settle(now: number): void {
    const due = [...this.#sent].filter(([, { at }]) => now - at >= this.#timeout);
    const last = due.findLastIndex(([, { answer }]) => answer !== undefined);
    for (const [index, [sequence, sent]] of due.entries()) {
      if (index > last && now - sent.at < 2 * this.#timeout) return;
      this.#sent.delete(sequence);
      if (sent.answer === undefined && sent.isVoid) continue;
      this.#settled += 1;
      if (sent.answer === undefined) this.#lost += 1;
      else if (sent.life === this.#life) this.#advance(sent.answer);
    }
  }

  /** Numbers in between that have not come back by now will not. */
  #advance(number: number): void {
    const horizon = this.#horizon;
    if (horizon !== undefined && number <= horizon) return;
    let returned = 0;
    for (const one of this.#numbers) {
      if (one > number) continue;
      this.#numbers.delete(one);
      returned += 1;
    }
    if (horizon !== undefined) this.#lostAnswers += number - horizon - returned;
    this.#horizon = number;
  }
}
