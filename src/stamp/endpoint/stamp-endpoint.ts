/**
 * Measures paths to other edges, and reflects what they measure theirs with. One timer for all: it looks at the sockets, then
 * sends what is due. A packet that waits for its turn is not measured wrong by that, as arrivals are stamped by the kernel.
 */
import type { Clock, Timer } from "../../model/clock.js";
import { DecodeError } from "../../model/errors.js";
import { familyOf, type IpAddress, type IpFamily, type IpPrefix } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { type Dscp, type Millis, millis, seconds } from "../../model/units.js";
import type { ErrorEstimate } from "../codec/error-estimate.js";
import { decodeReflectorPacket, encodeSenderPacket } from "../codec/packet.js";
import { SessionReflector, type SessionReflectorRules } from "../machine/session-reflector.js";
import { type PathFinding, SessionSender } from "../machine/session-sender.js";
import { type ClockKind, ClockState } from "./clock-state.js";
import { StampCounters } from "./counters.js";
import { type OpenedSockets, openSockets } from "./open-sockets.js";
import { ReflectorPort } from "./reflector-port.js";
import type { Incoming, TestMethod, TestSocket, TestSockets } from "./test-socket.js";

/** A path that is measured. */
export interface StampSession {
  /** 1 to 65,535: tells sessions of this end apart, also in its packets. */
  readonly id: number;
  /** The reflector. */
  readonly remote: IpAddress;
  readonly port: number;
  readonly dscp: Dscp;
  /** Between packets. */
  readonly interval: Millis;
  /** Class of the queueing discipline that its packets wait in, `major:minor` in 32 bits; 0: whatever the filters say. */
  readonly priority: number;
}

export interface StampEndpointOptions {
  /** Own addresses, one of each family at most. */
  readonly addresses: readonly IpAddress[];
  /** Of the reflector. */
  readonly port: number;
  readonly allow?: readonly IpPrefix[] | undefined;
  readonly reflector: SessionReflectorRules;
  /** When a packet without an answer is lost. */
  readonly timeout: Millis;
  readonly clockKind: ClockKind;
  readonly clock: Clock;
  readonly log: Logger;
  /** Absent: the best that work here. */
  readonly opened?: OpenedSockets;
}

interface Running {
  readonly session: StampSession;
  readonly machine: SessionSender;
  due: number;
}

/** Sockets of an address. */
interface Ends {
  readonly sender: TestSocket;
  readonly reflector: TestSocket;
}

const TICK = millis(10);
/** Of one socket at a time: others get their turn. */
const RECEIVE_MOST = 512;
const CLOCK_EVERY = seconds(10);
const SWEEP_EVERY = seconds(30);

/** Of the process: nobody sets it. */
const steadyNow = (): number => performance.now();

export class StampEndpoint {
  readonly counters = new StampCounters();
  readonly #options: StampEndpointOptions;
  readonly #sockets: TestSockets;
  readonly #ends = new Map<IpFamily, Ends>();
  readonly #reflector: SessionReflector;
  readonly #answering: ReflectorPort;
  readonly #clockState: ClockState;
  #estimate: ErrorEstimate;
  #clockRead = 0;
  #swept = 0;
  #running = new Map<number, Running>();
  /** Sessions by remote address and code point. */
  #alike: ReadonlyMap<string, readonly StampSession[]> = new Map();
  #timer: Timer | undefined;

  private constructor(options: StampEndpointOptions, { sockets, gate }: OpenedSockets) {
    this.#options = options;
    this.#sockets = sockets;
    this.#clockState = new ClockState(options.clockKind, gate);
    this.#estimate = this.#clockState.read();
    this.#reflector = new SessionReflector(options.reflector);
    this.#answering = new ReflectorPort({
      sockets,
      reflector: this.#reflector,
      allow: options.allow,
      priorityOf: (packet) => this.#priorityOf(packet),
      counters: this.counters,
    });
  }

  /** @throws SystemError STAMP_SOCKET where an address or the port cannot be had */
  static async open(options: StampEndpointOptions): Promise<StampEndpoint> {
    const endpoint = new StampEndpoint(options, options.opened ?? openSockets());
    try {
      for (const address of options.addresses) await endpoint.#bind(address);
    } catch (error) {
      endpoint.close();
      throw error;
    }
    endpoint.#arm();
    const { times, classes, lacking } = endpoint.method;
    options.log.info("stamp.open", { addresses: options.addresses, port: options.port, times, classes });
    if (lacking !== undefined) options.log.warn("stamp.limited", { lacking });
    return endpoint;
  }

  get method(): TestMethod {
    return this.#sockets.method;
  }

  /** Whether this end says that its clock follows UTC. */
  get synchronised(): boolean {
    return this.#estimate.synchronised;
  }

  /** Sessions of others that are reflected. */
  get reflected(): number {
    return this.#reflector.sessions;
  }

  /** All that are measured from now on; those that stay as they are go on. */
  setSessions(sessions: readonly StampSession[]): void {
    const before = this.#running;
    const now = steadyNow();
    this.#running = new Map(
      sessions.map((session) => {
        const known = before.get(session.id);
        if (known !== undefined && isSamePath(known.session, session)) return [session.id, { ...known, session }];
        const machine = new SessionSender({ session: session.id, timeout: this.#options.timeout });
        // Not all at once, now and ever after.
        return [session.id, { session, machine, due: now + Math.random() * session.interval }];
      }),
    );
    this.#alike = byPlace(sessions);
    for (const { remote } of sessions) {
      if (this.#endsFor(remote) === undefined) this.#options.log.error("stamp.no-address", { remote });
    }
  }

  /** What was found since it was asked last, by session. */
  collect(): ReadonlyMap<number, PathFinding> {
    this.#receive();
    const now = steadyNow();
    return new Map([...this.#running].map(([id, { machine }]) => [id, machine.collect(now)]));
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { sender, reflector } of this.#ends.values()) {
      sender.close();
      reflector.close();
    }
    this.#ends.clear();
  }

  async #bind(address: IpAddress): Promise<void> {
    const reflector = await this.#sockets.open(address, this.#options.port);
    try {
      const sender = await this.#sockets.open(address, 0);
      this.#ends.set(familyOf(address) ?? 4, { sender, reflector });
    } catch (error) {
      reflector.close();
      throw error;
    }
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(TICK, () => {
      this.#arm();
      this.#tick();
    });
  }

  #tick(): void {
    const now = steadyNow();
    if (now - this.#clockRead > CLOCK_EVERY) {
      this.#clockRead = now;
      this.#estimate = this.#clockState.read();
    }
    if (now - this.#swept > SWEEP_EVERY) {
      this.#swept = now;
      this.#reflector.sweep(now);
    }
    this.#receive();
    for (const running of this.#running.values()) {
      if (running.due <= now) this.#send(running, now);
    }
  }

  #receive(): void {
    for (const { sender, reflector } of this.#ends.values()) {
      this.#answering.answer(reflector, reflector.receive(RECEIVE_MOST), this.#estimate, steadyNow());
      for (const arrived of sender.receive(RECEIVE_MOST)) this.#take(arrived);
    }
  }

  #send(running: Running, now: number): void {
    const { session, machine } = running;
    const { remote, port, dscp, interval, priority } = session;
    // Whatever was missed is not made up for: a burst would measure itself.
    running.due = Math.max(running.due + interval, now);
    const packet = machine.send(this.#sockets.now(), this.#estimate, steadyNow());
    const octets = encodeSenderPacket(packet);
    const isSent = this.#endsFor(remote)?.sender.send({ octets, address: remote, port, dscp, priority }) === true;
    this.counters.add(isSent ? "sent" : "unsent");
  }

  #take({ octets, address, port, at }: Incoming): void {
    try {
      const packet = decodeReflectorPacket(octets);
      const running = this.#runningOf(packet.session, address, port);
      const reply = { packet, at, estimate: this.#estimate, now: steadyNow() };
      this.counters.add(`reply.${running?.machine.reply(reply) ?? "foreign"}`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.counters.add("reply.unreadable");
    }
  }

  /** Only from where it was sent to. */
  #runningOf(session: number, address: IpAddress, port: number): Running | undefined {
    const running = this.#running.get(session);
    return running?.session.remote === address && running.session.port === port ? running : undefined;
  }

  /**
   * An answer waits where packets of our own wait that go to the same edge with the same code point; several pools of one code
   * point have the same number at both ends.
   */
  #priorityOf({ address, dscp, session }: { address: IpAddress; dscp: Dscp; session: number }): number {
    const alike = this.#alike.get(placeOf(address, dscp)) ?? [];
    const same = alike.find(({ id }) => id === session) ?? alike[0];
    return same?.priority ?? 0;
  }

  #endsFor(remote: IpAddress): Ends | undefined {
    return this.#ends.get(familyOf(remote) ?? 4);
  }
}

const placeOf = (address: IpAddress, dscp: Dscp): string => `${address} ${dscp}`;

function byPlace(sessions: readonly StampSession[]): ReadonlyMap<string, readonly StampSession[]> {
  const places = new Map<string, StampSession[]>();
  for (const session of sessions) {
    const place = placeOf(session.remote, session.dscp);
    const alike = places.get(place);
    if (alike === undefined) places.set(place, [session]);
    else alike.push(session);
  }
  return places;
}

const isSamePath = (one: StampSession, other: StampSession): boolean =>
  one.remote === other.remote &&
  one.port === other.port &&
  one.dscp === other.dscp &&
  one.interval === other.interval &&
  one.priority === other.priority;
