/** Reliable delivery and summary refresh (RFC 2961) with everybody at once: who is written to, who writes, and when. */
import type { IpAddress } from "../../model/ip.js";
import type { SrefreshMessage } from "../codec/message.js";
import type { MessageIdAck } from "../codec/objects.js";
import { Deadlines } from "../machine/deadlines.js";
import { type Incoming, ReliableReceiver, type Verdict } from "../reliability/receiver.js";
import { MessageIds, type ReliabilityRules } from "../reliability/rules.js";
import { type Outgoing, ReliableSender, type SenderAction } from "../reliability/sender.js";

/** Where messages go, and from where: MESSAGE_ID is unique for the address of who made it (RFC 2961 §4.2). */
export interface Target {
  readonly interface: string | undefined;
  readonly destination: IpAddress;
  readonly routerAlert: boolean;
  /** The address in RSVP_HOP, from which a summary must come as well (§5.2). */
  readonly own: IpAddress | undefined;
  /** As RSVP-E2E-IGNORE: the other edge of the region answers. */
  readonly endToEnd?: true;
}

/** Actions for a target, in order. */
export interface ForTarget<Out> {
  readonly target: Target;
  readonly actions: readonly SenderAction<Out>[];
}

/** Acknowledgements that can wait no longer. */
export interface AcksFor {
  readonly neighbour: IpAddress;
  readonly interface: string;
  readonly acks: readonly MessageIdAck[];
}

export interface DueWork<Out> {
  readonly sends: readonly ForTarget<Out>[];
  readonly acks: readonly AcksFor[];
}

/** What is known of who writes to us. */
interface Neighbour<In> {
  readonly kind: "neighbour";
  readonly address: IpAddress;
  /** The one it was heard on last. */
  interface: string;
  /** The Refresh-Reduction-Capable bit of its last message (RFC 2961 §2). */
  capable: boolean;
  readonly receiver: ReliableReceiver<In>;
}

interface Correspondent<Out> {
  readonly kind: "correspondent";
  readonly key: string;
  readonly target: Target;
  readonly sender: ReliableSender<Out>;
  /** Who acknowledged last: with Router Alert, the next node on the way. */
  responder: IpAddress;
}

/** A neighbour numbers its messages anew (RFC 2961 §4.2): it has started again. `name`: the interface it was heard on. */
export type Restarted = (address: IpAddress, name: string) => void;

/** Addresses that are remembered: others can make us believe in as many as they like. */
const MAX_NEIGHBOURS = 4096;

/** `Out` is what goes out, `In` what comes in and can be refreshed by a summary. */
export class Conversations<Out, In> {
  readonly #rules: ReliabilityRules;
  readonly #restarted: Restarted;
  readonly #ids: MessageIds;
  readonly #neighbours = new Map<IpAddress, Neighbour<In>>();
  readonly #correspondents = new Map<string, Correspondent<Out>>();
  readonly #byId = new Map<number, Correspondent<Out>>();
  readonly #byState = new Map<string, Correspondent<Out>>();
  readonly #deadlines = new Deadlines<Neighbour<In> | Correspondent<Out>>();

  constructor(rules: ReliabilityRules, epoch: number, restarted: Restarted) {
    this.#rules = rules;
    this.#restarted = restarted;
    this.#ids = new MessageIds(epoch);
  }

  /** Whether Bundles may go there. */
  isCapable(address: IpAddress): boolean {
    return this.#neighbours.get(address)?.capable ?? false;
  }

  send(target: Target, outgoing: Outgoing<Out>, now: number): readonly SenderAction<Out>[] {
    const correspondent = this.#correspondentOf(target);
    const actions = correspondent.sender.send(outgoing, this.isCapable(correspondent.responder), now);
    if (outgoing.role === "state") this.#byState.set(outgoing.key, correspondent);
    this.#noteIds(correspondent, actions);
    return actions;
  }

  /** A message came that was found genuine. */
  heard(address: IpAddress, name: string, capable: boolean): void {
    const known = this.#neighbours.get(address);
    if (known !== undefined) {
      known.capable = capable;
      known.interface = name;
      this.#neighbours.delete(address);
      this.#neighbours.set(address, known);
      return;
    }
    this.#makeRoom();
    const receiver = new ReliableReceiver<In>(this.#rules, () => this.#restarted(address, neighbour.interface));
    const neighbour: Neighbour<In> = { kind: "neighbour", address, interface: name, capable, receiver };
    this.#neighbours.set(address, neighbour);
  }

  received(address: IpAddress, incoming: Incoming<In>, now: number): Verdict {
    const neighbour = this.#neighbours.get(address);
    if (neighbour === undefined) return "new";
    const verdict = neighbour.receiver.received(incoming, now);
    this.#deadlines.set(neighbour, neighbour.receiver.nextDue());
    return verdict;
  }

  /** What a summary refreshes. Lists for multicast sessions are none of ours: those take whole messages. */
  summary(address: IpAddress, { lists }: SrefreshMessage, now: number): readonly In[] {
    const neighbour = this.#neighbours.get(address);
    if (neighbour === undefined) return [];
    const { receiver } = neighbour;
    const refreshed = lists.flatMap((list) => (list.kind === "ids" ? receiver.summary(list.epoch, list.ids, now) : []));
    this.#deadlines.set(neighbour, receiver.nextDue());
    return refreshed;
  }

  /** Acknowledgements of ours that came, from whom. */
  acknowledged(address: IpAddress, acks: readonly MessageIdAck[], now: number): readonly ForTarget<Out>[] {
    return acks.flatMap(({ kind, epoch, id }) => {
      const correspondent = epoch === this.#ids.epoch ? this.#byId.get(id) : undefined;
      if (correspondent === undefined) return [];
      const { target, sender } = correspondent;
      correspondent.responder = address;
      if (kind === "ack") sender.acknowledged(id);
      const actions = kind === "nack" ? sender.notAcknowledged(id, now) : [];
      this.#settle(correspondent);
      return actions.length === 0 ? [] : [{ target, actions }];
    });
  }

  /** An error came back about a state that was sent: an acknowledgement too (§4.5), or the end of identifiers (§4.8). */
  erred(stateKey: string, unsupported: boolean): readonly ForTarget<Out>[] {
    const correspondent = this.#byState.get(stateKey);
    if (correspondent === undefined) return [];
    const { target, sender } = correspondent;
    if (!unsupported) sender.acknowledgedBy(stateKey);
    const actions = unsupported ? sender.unsupported() : [];
    this.#settle(correspondent);
    return actions.length === 0 ? [] : [{ target, actions }];
  }

  /** Acknowledgements that ride in a message to that address. */
  takeAcks(address: IpAddress): readonly MessageIdAck[] {
    const neighbour = this.#neighbours.get(address);
    if (neighbour === undefined) return [];
    const acks = neighbour.receiver.takeAcks();
    this.#deadlines.set(neighbour, neighbour.receiver.nextDue());
    return acks;
  }

  nextDue(): number {
    return this.#deadlines.next();
  }

  due(now: number): DueWork<Out> {
    const sends: ForTarget<Out>[] = [];
    const acks: AcksFor[] = [];
    for (let who = this.#deadlines.takeDue(now); who !== undefined; who = this.#deadlines.takeDue(now)) {
      if (who.kind === "neighbour") {
        acks.push({ neighbour: who.address, interface: who.interface, acks: who.receiver.takeAcks() });
        this.#deadlines.set(who, who.receiver.nextDue());
        continue;
      }
      const actions = who.sender.due(this.isCapable(who.responder), now);
      sends.push({ target: who.target, actions });
      this.#settle(who);
    }
    return { sends, acks };
  }

  #correspondentOf(target: Target): Correspondent<Out> {
    const { destination } = target;
    const key = `${target.interface ?? ""} ${destination} ${target.routerAlert} ${target.own ?? ""} ${target.endToEnd ?? false}`;
    const known = this.#correspondents.get(key);
    if (known !== undefined) return known;
    const sender = new ReliableSender<Out>(this.#rules, this.#ids, (id, state) => {
      this.#byId.delete(id);
      if (this.#byState.get(state)?.sender === sender) this.#byState.delete(state);
    });
    const made: Correspondent<Out> = { kind: "correspondent", key, target, sender, responder: destination };
    this.#correspondents.set(key, made);
    return made;
  }

  #noteIds(correspondent: Correspondent<Out>, actions: readonly SenderAction<Out>[]): void {
    for (const action of actions) {
      if (action.do === "transmit" && action.messageId !== undefined)
        this.#byId.set(action.messageId.id, correspondent);
    }
    this.#settle(correspondent);
  }

  /** Whoever nothing is to be told any more is forgotten. */
  #settle(correspondent: Correspondent<Out>): void {
    this.#deadlines.set(correspondent, correspondent.sender.nextDue());
    if (correspondent.sender.isEmpty) this.#correspondents.delete(correspondent.key);
  }

  /** The one that was silent longest goes; its next message makes it known again. */
  #makeRoom(): void {
    const [oldest] = this.#neighbours.values();
    if (oldest === undefined || this.#neighbours.size < MAX_NEIGHBOURS) return;
    this.#neighbours.delete(oldest.address);
    this.#deadlines.delete(oldest);
  }
}
