/** The proxy's way out and its trace: every message that it sends or receives passes here. */
import { formatEndpoint } from "../../model/ip.js";
import type { SessionId } from "../../model/session.js";
import type { SipMessage } from "../message/message.js";
import type { Channel } from "../transaction/transaction-layer.js";
import { type Destination, isReliable, isWebSocket, type LocalPoint } from "../transport/transport.js";
import { responseDestination } from "../transport/via-routing.js";
import type { ProxyOptions } from "./options.js";

/** The message's name in the ladder: its method or its status. */
export const ladderName = (message: SipMessage): string =>
  message.startLine.startsWith("SIP/") ? message.startLine.slice(8, 11) : (message.startLine.split(" ", 1)[0] ?? "");

interface Ends {
  readonly local: LocalPoint;
  readonly remote: Destination;
}

export class Wire {
  private readonly options: ProxyOptions;
  private readonly sessionOf: (message: SipMessage) => SessionId;

  constructor(options: ProxyOptions, sessionOf: (message: SipMessage) => SessionId) {
    this.options = options;
    this.sessionOf = sessionOf;
  }

  /** For a client transaction: all its sends go from and to the same place. */
  requests(local: LocalPoint, remote: Destination): Channel {
    return {
      reliable: isReliable(remote.transport),
      flow: remote.flow,
      send: (message, failed) => this.send(message, { local, remote }, failed),
    };
  }

  /** For a server transaction: back along the request's connection, or to where its top Via points. */
  responses(arrival: Ends): Channel {
    const { local } = arrival;
    return {
      reliable: isReliable(local.transport),
      flow: undefined,
      send: (message, failed) => {
        const remote = this.wayBack(message, arrival);
        if (remote === undefined) queueMicrotask(failed);
        else this.send(message, { local, remote }, failed);
      },
    };
  }

  send(message: SipMessage, ends: Ends, failed: () => void): void {
    this.trace("sent", message, ends);
    this.options.transport.send(message.toBuffer(), ends.local, ends.remote, failed);
  }

  private wayBack(message: SipMessage, { local, remote }: Ends): Destination | undefined {
    // §18.2.2: by the connection of the request, if it is still open.
    const { flow } = remote;
    if (flow !== undefined && this.options.transport.flow(flow) !== undefined) return remote;
    // Nobody can connect to a browser (RFC 7118 §5.3).
    const via = isWebSocket(local.transport) ? undefined : message.topVia;
    return via === undefined ? undefined : responseDestination(via, local.transport);
  }

  trace(action: "sent" | "received", message: SipMessage, ends: Ends): void {
    const { messageLog } = this.options;
    if (messageLog === undefined) return;
    const local = formatEndpoint(ends.local.address, ends.local.port);
    const remote = formatEndpoint(ends.remote.address, ends.remote.port);
    messageLog({
      session: this.sessionOf(message),
      protocol: "SIP",
      message: ladderName(message),
      action,
      from: action === "sent" ? local : remote,
      to: action === "sent" ? remote : local,
    });
  }
}
