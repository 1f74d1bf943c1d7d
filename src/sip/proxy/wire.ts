/** The proxy's way out and its trace: every message that it sends or receives passes here. */
import { formatEndpoint } from "../../model/ip.js";
import type { SessionId } from "../../model/session.js";
import type { SipMessage } from "../message/message.js";
import type { SendMessage } from "../transaction/transaction-layer.js";
import type { SocketAddress } from "../transport/transport.js";
import { responseDestination } from "../transport/via-routing.js";
import type { ProxyOptions } from "./options.js";

/** The message's name in the ladder: its method or its status. */
export const ladderName = (message: SipMessage): string =>
  message.startLine.startsWith("SIP/") ? message.startLine.slice(8, 11) : (message.startLine.split(" ", 1)[0] ?? "");

export class Wire {
  private readonly options: ProxyOptions;
  private readonly sessionOf: (message: SipMessage) => SessionId;

  constructor(options: ProxyOptions, sessionOf: (message: SipMessage) => SessionId) {
    this.options = options;
    this.sessionOf = sessionOf;
  }

  /** For a client transaction: all its sends go from and to the same place. */
  requests(local: SocketAddress, remote: SocketAddress): SendMessage {
    return (message, failed) => this.send(message, { local, remote }, failed);
  }

  /** For a server transaction: to where the request's top Via points. */
  responses(local: SocketAddress): SendMessage {
    return (message, failed) => {
      const via = message.topVia;
      const remote = via === undefined ? undefined : responseDestination(via);
      if (remote !== undefined) this.send(message, { local, remote }, failed);
    };
  }

  send(message: SipMessage, ends: { local: SocketAddress; remote: SocketAddress }, failed: () => void): void {
    this.trace("sent", message, ends);
    this.options.transport.send(message.toBuffer(), ends.local, ends.remote, failed);
  }

  trace(
    action: "sent" | "received",
    message: SipMessage,
    ends: { readonly local: SocketAddress; readonly remote: SocketAddress },
  ): void {
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
