/** What the proxy core asks of the layer below (RFC 3261 §18); the tests have one without sockets. */
import { familyOf, type IpAddress } from "../../model/ip.js";

export type TransportName = "udp" | "tcp" | "ws" | "wss";

export interface SocketAddress {
  readonly address: IpAddress;
  readonly port: number;
}

/** Where this element listens. For TCP and WebSocket the port is the listener's, also for a connection made from here. */
export interface LocalPoint extends SocketAddress {
  readonly transport: TransportName;
}

/** Names one open connection, and none after it. Never shown to peers as it is: see flow-token.ts. */
export type FlowId = string;

/** Where a message comes from or goes to. */
export interface Destination extends SocketAddress {
  readonly transport: TransportName;
  /** This open connection and no other (RFC 5626 §3.2). Without one, whatever connection leads to the address. */
  readonly flow?: FlowId;
}

/** An open connection. */
export interface Flow {
  readonly id: FlowId;
  readonly local: LocalPoint;
  readonly remote: Destination;
}

/** Called with one message, where it came from, and where it arrived. */
export type MessageHandler = (octets: Buffer, remote: Destination, local: LocalPoint) => void;

export interface SipTransport {
  /** The addresses it is bound to. */
  readonly locals: readonly LocalPoint[];
  onMessage(handler: MessageHandler): void;
  /** Told once of each connection that is no more, whoever closed it. */
  onFlowClosed(listener: (flow: Flow) => void): void;
  /** The connection, as long as it is open. */
  flow(id: FlowId): Flow | undefined;
  /**
   * Whether a message can be handed over: at once for datagrams and where a connection is open, else after trying to
   * open one. Never rejects.
   */
  reach(local: LocalPoint, remote: Destination): Promise<boolean>;
  /** `failed` is called at most once, later, if the message could not be handed to the network. */
  send(octets: Buffer, local: LocalPoint, remote: Destination, failed: (cause: Error) => void): void;
}

/** True for transports that deliver or say that they cannot (RFC 3261 §17): nothing is sent again by timers. */
export const isReliable = (transport: TransportName): boolean => transport !== "udp";

/** True for transports that lead to a client only along the connection that it opened (RFC 7118 §5.3). */
export const isWebSocket = (transport: TransportName): boolean => transport === "ws" || transport === "wss";

/** The bound address to reach `remote` from: the preferred one if transport and family fit, else one beside it. */
export function localFor(
  transport: Pick<SipTransport, "locals">,
  remote: Pick<Destination, "address" | "transport">,
  preferred?: SocketAddress & { readonly transport?: TransportName },
): LocalPoint | undefined {
  const family = familyOf(remote.address);
  const fitting = transport.locals.filter(
    (local) => local.transport === remote.transport && familyOf(local.address) === family,
  );
  return (
    fitting.find((local) => preferred !== undefined && sameSocket(local, preferred)) ??
    fitting.find((local) => local.address === preferred?.address) ??
    fitting[0]
  );
}

export const sameSocket = (left: SocketAddress, right: SocketAddress): boolean =>
  left.address === right.address && left.port === right.port;
