/** A duel between two browsers: plays the steps that are due, sends them, takes the other's. No drawing, no keys. */
import { type PacketChannel, PacketLink } from "./link.js";
import type { LinkFigures } from "./meter.js";
import { Netplay, type Side } from "./netplay.js";
import { stepsPerPacket } from "./pace.js";
import { INPUTS_MAX, PACKET_OCTETS, type Packet } from "./packet.js";
import { type GameState, seedOf } from "./simulation.js";
import { stepsAhead, Ticker } from "./ticker.js";

export interface DuelOptions {
  readonly channel: PacketChannel;
  /** The caller plays on the left. */
  readonly side: Side;
  /** Both sides know it: the game begins alike. */
  readonly callId: string;
  /** Steps between packets where there is rate enough: 1, or 3 for the slow game. */
  readonly stepsBetween: number;
  /** kbit/s, of what leaves; undefined where nothing was granted. */
  readonly granted: () => number | undefined;
  readonly input: () => number;
  readonly now: () => number;
}

export class Duel {
  readonly #options: DuelOptions;
  readonly #link: PacketLink;
  readonly #play: Netplay;
  readonly #ticker = new Ticker();
  #sinceSent = 0;
  #roundTrip = 0;

  constructor(options: DuelOptions) {
    this.#options = options;
    this.#play = new Netplay(options.side, seedOf(options.callId));
    this.#link = new PacketLink(options.channel, options.now, (packet) => this.#take(packet));
  }

  /** Called often: plays what is due. */
  tick(): void {
    if (!this.#link.isOpen) return;
    const steps = this.#ticker.steps(this.#options.now());
    for (let count = 0; count < steps; count += 1) this.#playStep();
  }

  get state(): GameState {
    return this.#play.state;
  }

  get side(): Side {
    return this.#options.side;
  }

  /** Steps played beyond the last that is sure. */
  get guessed(): number {
    return this.#play.frame - this.#play.sureState.frame;
  }

  get sure(): { readonly frame: number; readonly digest: number } {
    const { frame, value } = this.#play.digest;
    return { frame, digest: value };
  }

  get counters(): Netplay["counters"] & PacketLink["totals"] {
    return { ...this.#play.counters, ...this.#link.totals };
  }

  /** Packets a second that leave. */
  get packetRate(): number {
    return 60 / this.#stepsBetween();
  }

  read(): LinkFigures {
    const figures = this.#link.read();
    this.#roundTrip = figures.roundTrip ?? this.#roundTrip;
    return figures;
  }

  #stepsBetween(): number {
    return stepsPerPacket(PACKET_OCTETS, this.#options.granted(), this.#options.stepsBetween);
  }

  #playStep(): void {
    const { input } = this.#options;
    this.#play.advance(input());
    if (stepsAhead(this.#play.frame, this.#play.otherNext, this.#roundTrip) > 2) this.#ticker.delay(0.1);
    this.#sinceSent += 1;
    if (this.#sinceSent < this.#stepsBetween()) return;
    this.#sinceSent = 0;
    const { otherNext: nextFrame, digest } = this.#play;
    this.#link.send({ kind: "state", nextFrame, digest, ...this.#play.outgoing(INPUTS_MAX) });
  }

  #take({ kind, firstFrame, inputs, nextFrame, digest }: Packet): void {
    if (kind !== "state") return;
    this.#play.receive(firstFrame, inputs, nextFrame);
    this.#play.check(digest.frame, digest.value);
  }
}
