/** What the proxy core asks of a transport; the tests have one without sockets. */
import { familyOf, type IpAddress } from "../../model/ip.js";

export interface SocketAddress {
  readonly address: IpAddress;
  readonly port: number;
}

/** Called with one datagram, and where it came from and arrived. */
export type DatagramHandler = (octets: Buffer, remote: SocketAddress, local: SocketAddress) => void;

export interface SipTransport {
  /** The addresses it is bound to. */
  readonly locals: readonly SocketAddress[];
  onDatagram(handler: DatagramHandler): void;
  /** `failed` is called at most once, later, if the datagram could not be handed to the network. */
  send(octets: Buffer, local: SocketAddress, remote: SocketAddress, failed: (cause: Error) => void): void;
}

/** The bound address to reach `remote` from: the preferred one if its family fits. */
export function localFor(
  transport: SipTransport,
  remote: SocketAddress,
  preferred?: SocketAddress,
): SocketAddress | undefined {
  const family = familyOf(remote.address);
  if (preferred !== undefined && familyOf(preferred.address) === family) return preferred;
  return transport.locals.find((local) => familyOf(local.address) === family);
}

export const sameSocket = (left: SocketAddress, right: SocketAddress): boolean =>
  left.address === right.address && left.port === right.port;
