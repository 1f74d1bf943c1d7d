/**
 * A node's mouth and ears: transport, integrity (RFC 2747), reliable delivery and summary refresh (RFC 2961), and the
 * codec. What the messages mean is the node's: see node-driver.ts.
 */
import type { Clock, Timer } from "../../model/clock.js";
import { familyOf, type IpAddress } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { millis } from "../../model/units.js";
import { RSVP_ERROR } from "../codec/codes.js";
import { decodePacket } from "../codec/decode.js";
import { encodePacket } from "../codec/encode.js";
import { RsvpDecodeError } from "../codec/errors.js";
import type { RsvpMessage, RsvpPacket, SessionMessage } from "../codec/message.js";
import { OBJECTS } from "../codec/object-table.js";
import type { Challenge, MessageIdAck } from "../codec/objects.js";
import type { Arrival } from "../machine/events.js";
import type { ReliabilityRules } from "../reliability/rules.js";
import type { SenderAction } from "../reliability/sender.js";
import { Authenticator, type ChallengeToSend } from "../security/authenticator.js";
import type { KeyTable } from "../security/key-table.js";
import { Conversations, type ForTarget, type Target } from "./conversations.js";
import { Counters } from "./counters.js";
import { Outbox } from "./outbox.js";
import { erredKey, receivedAbout, sentAbout } from "./roles.js";
import type { ReceivedDatagram, RsvpTransport, TransportHandlers } from "./transport.js";

/** A message that the node wants sent. */
export interface NodeMessage {
  readonly message: SessionMessage;
  /** Absent: `interfaceTo` says it. */
  readonly interface?: string;
  readonly destination: IpAddress;
  /** IP source where it is not this node's. */
  readonly source?: IpAddress;
  readonly routerAlert: boolean;
  readonly ttl: number;
  /** As RSVP-E2E-IGNORE (RFC 3175 §3.1). */
  readonly endToEnd?: true;
}

export interface EndpointHandlers {
  /** New, or a refresh, also one by a summary. Repetitions and what came out of order do not get here. */
  message(message: SessionMessage, arrival: Arrival): void;
  /** With `answer` and `legible` it is to be answered. */
  unreadable(error: RsvpDecodeError, arrival: Arrival): void;
  /** The neighbour has another epoch than before (RFC 2961 §4.2); its message comes after this. */
  restarted?(address: IpAddress, interfaceName: string): void;
}

export interface EndpointOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly handlers: EndpointHandlers;
  readonly keys: KeyTable;
  readonly reliability: ReliabilityRules;
  /** Addresses of this node. */
  readonly isOwn: (address: IpAddress) => boolean;
  /** The interface by which the kernel reaches an address, if that is known. */
  readonly interfaceTo: (address: IpAddress) => string | undefined;
  /** 24 random bits, other than at the last start (RFC 2961 §4.2). */
  readonly epoch: number;
  /** DS field of RSVP messages. */
  readonly tos: number;
  readonly transport: (handlers: TransportHandlers) => Promise<RsvpTransport>;
}

/** A message as it was heard. */
interface Heard {
  readonly message: SessionMessage;
  readonly arrival: Arrival;
}

/**
 * RFC 3175 §1.4.9: what goes as RSVP-E2E-IGNORE has the level of the region in its Router Alert. Not with IPv4, as Linux
 * intercepts no value but 0 there.
 */
const alertOf = (across: boolean, destination: IpAddress): number => (across && familyOf(destination) === 6 ? 1 : 0);
/** IP TTL between neighbours. */
const TTL = 64;
/** Messages of one Bundle that are looked at. */
const MAX_BUNDLED = 512;
/** RFC 2205 §3.7: (K + 0.5) · 1.5 · R with K = 3, and bounds for an R that makes no sense. */
const LIFETIMES = 5.25;
const [MIN_PERIOD, MAX_PERIOD] = [500, 300_000];

export class RsvpEndpoint {
  readonly counters = new Counters();
  readonly #options: EndpointOptions;
  readonly #auth: Authenticator;
  readonly #talk: Conversations<NodeMessage, Heard>;
  readonly #outbox: Outbox;
  #transport: RsvpTransport | undefined;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  private constructor(options: EndpointOptions) {
    this.#options = options;
    const { keys: table, isOwn, log } = options;
    const keyExpired = (keyId: number): void => log.warn("rsvp.key-expired", { keyId });
    this.#auth = new Authenticator({ table, isOwn, keyExpired });
    this.#talk = new Conversations(options.reliability, options.epoch, (address, name) => {
      this.counters.add("restarts");
      options.handlers.restarted?.(address, name);
    });
    this.#outbox = new Outbox({ send: (datagram) => this.#transport?.send(datagram), encode: encodePacket });
  }

  /** @throws SystemError if no transport works here */
  static async open(options: EndpointOptions): Promise<RsvpEndpoint> {
    const endpoint = new RsvpEndpoint(options);
    endpoint.#transport = await options.transport({
      message: (datagram) => endpoint.#receive(datagram),
      failed: (name, error) => {
        endpoint.counters.add("transportErrors");
        options.log.debug("rsvp.transport-failed", { interface: name, error: error.message });
      },
    });
    return endpoint;
  }

  /** The transport, for its kind and counts, and to attach interfaces. */
  get transport(): RsvpTransport | undefined {
    return this.#transport;
  }

  send(outgoing: NodeMessage): void {
    const { message, destination, routerAlert, ttl, endToEnd } = outgoing;
    const name = outgoing.interface ?? this.#options.interfaceTo(destination);
    const hop = "hop" in message ? message.hop.address : undefined;
    const across = endToEnd === undefined ? {} : { endToEnd };
    const target: Target = { interface: name, destination, routerAlert, own: hop, ...across };
    const about = sentAbout(message, destination);
    const content = about.role === "state" ? contentOf(message, ttl) : "";
    const actions = this.#talk.send(target, { ...about, content, message: outgoing }, this.#now());
    this.#act({ target, actions });
    this.#arm();
  }

  /** What waits is sent; nothing is received any more. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#outbox.flush();
    const transport = this.#transport;
    this.#transport = undefined;
    await transport?.close();
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #act({ target, actions }: ForTarget<NodeMessage>): void {
    for (const action of actions) this.#do(target, action);
  }

  #do(target: Target, action: SenderAction<NodeMessage>): void {
    switch (action.do) {
      case "transmit": {
        const { message, ttl, source } = action.message;
        const messageId = action.messageId === undefined ? {} : { messageId: action.messageId };
        this.#post(target, message, { ttl, ...(source === undefined ? {} : { source }), ...messageId });
        return;
      }
      case "summary": {
        const lists = [{ kind: "ids", epoch: action.epoch, ids: action.ids } as const];
        this.counters.add("summaries");
        this.#post(
          target,
          { kind: "Srefresh", lists },
          { ...(target.own === undefined ? {} : { source: target.own }) },
        );
        return;
      }
      case "unacknowledged":
        this.counters.add("unacknowledged");
        return;
    }
  }

  #post(target: Target, message: RsvpMessage, more: Partial<Pick<RsvpPacket, "messageId">> & Posting): void {
    const { ttl = TTL, source, messageId } = more;
    const { destination, routerAlert, interface: name } = target;
    const acks = routerAlert || message.kind === "Ack" ? [] : this.#talk.takeAcks(destination);
    const header = { sendTtl: ttl, refreshReduction: true, acks };
    const packet = { ...header, ...(messageId === undefined ? {} : { messageId }), message };
    const octets = this.#auth.encode(packet, name, routerAlert ? undefined : destination, this.#now());
    if (octets === undefined) {
      this.counters.add("unsigned");
      return;
    }
    this.#dispatch(octets, target, ttl, source);
  }

  #dispatch(octets: Buffer, target: Target, ttl: number, source?: IpAddress): void {
    const { destination, routerAlert, interface: name, endToEnd } = target;
    const across = endToEnd === true;
    const datagram = {
      octets,
      protocol: across ? ("e2eIgnore" as const) : ("rsvp" as const),
      ...(name === undefined ? {} : { interface: name }),
      destination,
      ...(source === undefined ? {} : { source }),
      ...(routerAlert ? { routerAlert: alertOf(across, destination) } : {}),
      ttl,
      tos: this.#options.tos,
    };
    this.#outbox.add({ datagram, mayBundle: !routerAlert && this.#talk.isCapable(destination) });
  }

  #receive(datagram: ReceivedDatagram): void {
    if (datagram.protocol === "e2eIgnore") this.counters.add("endToEnd");
    this.#take(datagram.octets, datagram, datagram.ttl);
    this.#arm();
  }

  /** @param outerTtl - of a Bundle: its Send_TTL counts for what is in it (RFC 2961 §3.4) */
  #take(octets: Buffer, datagram: ReceivedDatagram, ttl: number | undefined, outerTtl?: number): void {
    const { interface: name, source } = datagram;
    const now = this.#now();
    const { verdict, send } = this.#auth.check(octets, { interface: name, source, now });
    for (const challenge of send) this.#challenge(challenge);
    if (!verdict.pass) {
      this.counters.refused(verdict.why);
      return;
    }
    const sendTtl = outerTtl ?? octets.readUInt8(4);
    const across = datagram.protocol === "e2eIgnore" ? ({ endToEnd: true } as const) : {};
    const arrival: Arrival = { interface: name, source, ttl: ttl ?? sendTtl, sendTtl, ...across };
    const packet = this.#decode(octets, arrival);
    if (packet === undefined) return;
    if (packet.message.kind === "Bundle") {
      for (const inner of packet.message.messages.slice(0, MAX_BUNDLED)) this.#take(inner, datagram, ttl, sendTtl);
      return;
    }
    if (packet.message.kind === "IntegrityChallenge") {
      // Unsigned: nothing else that it says is believed.
      this.#respond(packet.message.challenge, arrival);
      return;
    }
    this.#talk.heard(verdict.sender, name, packet.refreshReduction);
    this.#acknowledged(verdict.sender, packet.acks, now);
    this.#handle(packet, { sender: verdict.sender, arrival, now });
  }

  #decode(octets: Buffer, arrival: Arrival): RsvpPacket | undefined {
    try {
      return decodePacket(octets);
    } catch (error) {
      if (!(error instanceof RsvpDecodeError)) throw error;
      this.counters.unreadable(error.reason);
      this.#options.handlers.unreadable(error, arrival);
      return undefined;
    }
  }

  #handle(packet: RsvpPacket, from: From): void {
    const { message } = packet;
    switch (message.kind) {
      case "Ack":
        this.#acknowledged(from.sender, message.acks, from.now);
        return;
      case "Srefresh":
        for (const heard of this.#talk.summary(from.sender, message, from.now)) this.#deliver(heard);
        return;
      case "IntegrityChallenge":
      case "IntegrityResponse":
      case "Bundle":
      case "Hello":
        return;
      default:
        this.#session(message, packet, from);
    }
  }

  #session(message: SessionMessage, { messageId }: RsvpPacket, { sender, arrival, now }: From): void {
    const heard: Heard = { message, arrival };
    const period = "refreshPeriod" in message ? message.refreshPeriod : 0;
    const lifetime = LIFETIMES * Math.min(MAX_PERIOD, Math.max(MIN_PERIOD, period));
    const id = messageId === undefined ? {} : { messageId };
    const verdict = this.#talk.received(sender, { ...receivedAbout(message), message: heard, lifetime, ...id }, now);
    this.counters.add(verdict);
    const erred = erredKey(message, sender);
    if (erred !== undefined) for (const sends of this.#talk.erred(erred, rejectsIds(message))) this.#act(sends);
    if (verdict === "new" || verdict === "refresh") this.#deliver(heard);
  }

  #deliver({ message, arrival }: Heard): void {
    this.#options.handlers.message(message, arrival);
  }

  #acknowledged(sender: IpAddress, acks: readonly MessageIdAck[], now: number): void {
    for (const sends of this.#talk.acknowledged(sender, acks, now)) this.#act(sends);
  }

  #challenge({ challenge, interface: name, destination }: ChallengeToSend): void {
    this.counters.add("challenges");
    const message = { kind: "IntegrityChallenge", challenge } as const;
    const octets = encodePacket({ sendTtl: TTL, refreshReduction: true, acks: [], message });
    this.#dispatch(octets, { interface: name, destination, routerAlert: false, own: undefined }, TTL);
  }

  #respond(challenge: Challenge, { interface: name, source }: Arrival): void {
    const header = { sendTtl: TTL, refreshReduction: true, acks: [] };
    const octets = this.#auth.respond(challenge, header, { interface: name, source, now: this.#now() });
    if (octets === undefined) this.counters.refused("unknownKey");
    else this.#dispatch(octets, { interface: name, destination: source, routerAlert: false, own: undefined }, TTL);
  }

  #due(): void {
    const now = this.#now();
    for (const challenge of this.#auth.due(now)) this.#challenge(challenge);
    const { sends, acks } = this.#talk.due(now);
    for (const send of sends) this.#act(send);
    for (const { neighbour, interface: name, acks: list } of acks) {
      const target = { interface: name, destination: neighbour, routerAlert: false, own: undefined };
      if (list.length > 0) this.#post(target, { kind: "Ack", acks: list }, {});
    }
    this.#arm();
  }

  #arm(): void {
    const at = Math.min(this.#talk.nextDue(), this.#auth.nextDue());
    if (at === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY || this.#transport === undefined) return;
    this.#timer = this.#options.clock.after(millis(Math.max(0, at - this.#now())), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#due();
    });
  }
}

interface Posting {
  readonly ttl?: number;
  readonly source?: IpAddress;
}

interface From {
  readonly sender: IpAddress;
  readonly arrival: Arrival;
  readonly now: number;
}

/** What the message says, whatever rides with it. */
const contentOf = (message: SessionMessage, ttl: number): string =>
  encodePacket({ sendTtl: ttl, refreshReduction: true, acks: [], message }).toString("latin1");

/** RFC 2961 §4.8. */
function rejectsIds(message: SessionMessage): boolean {
  if (message.kind !== "PathErr" && message.kind !== "ResvErr") return false;
  const { code, value } = message.error;
  return code === RSVP_ERROR.unknownClass && value >> 8 === OBJECTS.messageId.classNum;
}
