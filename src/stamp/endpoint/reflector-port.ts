/** A Session-Reflector on its sockets: answers from its own port to where a packet came from, with as many octets. */
import { DecodeError } from "../../model/errors.js";
import { type IpAddress, type IpPrefix, prefixContains } from "../../model/ip.js";
import type { Dscp } from "../../model/units.js";
import type { ErrorEstimate } from "../codec/error-estimate.js";
import { decodeSenderPacket, faultOf, reflect, type SenderPacket } from "../codec/packet.js";
import type { SessionReflector } from "../machine/session-reflector.js";
import type { StampCounters } from "./counters.js";
import type { Incoming, TestSocket, TestSockets } from "./test-socket.js";

/** A packet that is to be answered. */
export interface AnsweredPacket {
  readonly address: IpAddress;
  readonly dscp: Dscp;
  /** STAMP Session Identifier. */
  readonly session: number;
}

export interface ReflectorPortOptions {
  readonly sockets: TestSockets;
  readonly reflector: SessionReflector;
  /** Whose packets are answered; absent: anybody's. */
  readonly allow?: readonly IpPrefix[] | undefined;
  /** Class that an answer waits in; 0: whatever the filters say. */
  readonly priorityOf: (packet: AnsweredPacket) => number;
  readonly counters: StampCounters;
}

export class ReflectorPort {
  readonly #options: ReflectorPortOptions;

  constructor(options: ReflectorPortOptions) {
    this.#options = options;
  }

  /** @param estimate - of the clock here. @param now - of a clock that nobody sets */
  answer(socket: TestSocket, arrived: readonly Incoming[], estimate: ErrorEstimate, now: number): void {
    for (const packet of arrived) {
      const request = this.#read(packet);
      if (request !== undefined) this.#answer(socket, packet, request.session, estimate, now);
    }
  }

  #read(packet: Incoming): SenderPacket | undefined {
    const { allow, counters } = this.#options;
    if (allow !== undefined && !allow.some((prefix) => prefixContains(prefix, packet.address))) {
      counters.add("dropped.source");
      return undefined;
    }
    try {
      const request = decodeSenderPacket(packet.octets);
      if (faultOf(request) === undefined) return request;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
    counters.add("dropped.unreadable");
    return undefined;
  }

  #answer(socket: TestSocket, packet: Incoming, session: number, estimate: ErrorEstimate, now: number): void {
    const { sockets, reflector, counters, priorityOf } = this.#options;
    const { octets, address, port, at, dscp, ttl } = packet;
    const reflected = reflector.reflect({ address, port, session }, now);
    if (!reflected.answer) {
      counters.add(`dropped.${reflected.why}`);
      return;
    }
    const priority = priorityOf({ address, dscp, session });
    const { sequence } = reflected;
    // Last, so that as little as can be is between the time in the packet and its leaving.
    const answer = reflect(octets, { sequence, timestamp: sockets.now(), estimate, received: at, ttl });
    const isSent = socket.send({ octets: answer, address, port, dscp, priority });
    counters.add(isSent ? "reflected" : "dropped.unsent");
  }
}
