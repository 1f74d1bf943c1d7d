/** What transports over connections have in common: the open ones, and who is told of their messages and of their ends. */
import type { Clock } from "../../model/clock.js";
import { newFlowId } from "./flow-token.js";
import type { ConnectionCounters, ConnectionLimits } from "./limits.js";
import type { Flow, FlowId, LocalPoint, MessageHandler, SocketAddress } from "./transport.js";

/** What a connection is given by those that hold it. */
export interface Holder {
  readonly flow: Flow;
  readonly message: MessageHandler;
  /** Called once. */
  readonly closed: () => void;
}

/** What every kind of connection is made of, besides its socket. */
export interface ConnectionParts extends Holder {
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly counters: ConnectionCounters;
}

export class Connections<C extends { readonly flow: Flow }> {
  private readonly open = new Map<FlowId, C>();
  private readonly closedListeners: ((flow: Flow) => void)[] = [];
  private handler: MessageHandler = () => undefined;

  onMessage(handler: MessageHandler): void {
    this.handler = handler;
  }

  onFlowClosed(listener: (flow: Flow) => void): void {
    this.closedListeners.push(listener);
  }

  /** Holds what `make` makes until it says that it is closed. */
  add(local: LocalPoint, from: SocketAddress, make: (holder: Holder) => C): C {
    const id = newFlowId();
    const flow: Flow = { id, local, remote: { ...from, transport: local.transport, flow: id } };
    const connection = make({
      flow,
      message: (octets, remote, at) => this.handler(octets, remote, at),
      closed: () => {
        this.open.delete(id);
        for (const listener of this.closedListeners) listener(flow);
      },
    });
    this.open.set(id, connection);
    return connection;
  }

  /** The one of this name, as long as it is open. */
  get(id: FlowId | undefined): C | undefined {
    return id === undefined ? undefined : this.open.get(id);
  }

  all(): Iterable<C> {
    return this.open.values();
  }
}

/** Says that a message could not be sent: later, as sockets do. */
export function failLater(failed: (cause: Error) => void, cause: Error): void {
  queueMicrotask(() => failed(cause));
}
