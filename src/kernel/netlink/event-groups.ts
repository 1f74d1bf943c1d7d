/** Multicast groups of rtnetlink, joined over an agent: what everybody is told of a change. */
import type { AgentChannel, NetlinkAgent } from "./agent/agent.js";
import { type NetlinkMessage, readMessages } from "./message.js";
import { PROTOCOL } from "./socket.js";

const RECEIVE_BUFFER = 4 * 1024 * 1024;
const SEND_BUFFER = 65_536;

/** Which groups, by the kernel's numbers (RTNLGRP_…), and how their messages are read. */
export interface EventSubject<Event> {
  readonly groups: readonly number[];
  /** Undefined for what nobody here wants to know. @throws DecodeError if a length does not fit. */
  readonly read: (message: NetlinkMessage) => Event | undefined;
}

export interface EventListener<Event> {
  /** The groups are joined: from here on nothing is missed until `lost`. Again after each loss. */
  joined(): void;
  event(event: Event): void;
  /** Events may be missing. */
  lost(reason: string): void;
}

/** Joins the groups over an agent of its own: a flood of events must not end the one that carries transactions. */
export class EventGroups<Event> {
  readonly #channel: AgentChannel;
  readonly #subject: EventSubject<Event>;
  readonly #listener: EventListener<Event>;

  constructor(agent: Pick<NetlinkAgent, "open">, subject: EventSubject<Event>, listener: EventListener<Event>) {
    this.#subject = subject;
    this.#listener = listener;
    const { groups } = subject;
    this.#channel = agent.open(
      { protocol: PROTOCOL.route, receiveBuffer: RECEIVE_BUFFER, sendBuffer: SEND_BUFFER, groups },
      {
        opened: () => listener.joined(),
        refused: ({ reason }) => listener.lost(`no netlink socket for events: ${reason}`),
        datagram: (octets) => this.#take(octets),
        unsent: () => undefined,
        failed: ({ reason }) => listener.lost(reason),
        lost: (reason) => listener.lost(`the netlink agent for events ended (${reason})`),
      },
    );
  }

  close(): void {
    this.#channel.close();
  }

  #take(octets: Buffer): void {
    try {
      for (const message of readMessages(octets)) {
        const event = this.#subject.read(message);
        if (event !== undefined) this.#listener.event(event);
      }
    } catch (error) {
      this.#listener.lost(error instanceof Error ? error.message : String(error));
    }
  }
}
