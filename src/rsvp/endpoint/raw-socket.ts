/** The npm package `raw-socket`, which is optional and has no types: the part of it that is used, typed. */
import { createRequire } from "node:module";
import type { IpFamily } from "../../model/ip.js";

/** Of the package's socket. A 'message' is a view of its one buffer: it is overwritten by the next. */
export interface RawSocket {
  on(event: "message", listener: (octets: Buffer, source: string) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: () => void): unknown;
  send(
    octets: Buffer,
    offset: number,
    length: number,
    address: string,
    sent: (error: Error | null, octets: number) => void,
  ): unknown;
  setOption(level: number, option: number, value: number): void;
  setOption(level: number, option: number, value: Buffer, length: number): void;
  pauseRecv(): unknown;
  close(): unknown;
}

interface RawSocketPackage {
  readonly AddressFamily: { readonly IPv4: number; readonly IPv6: number };
  createSocket(options: { protocol: number; addressFamily: number; bufferSize: number }): RawSocket;
}

/** Linux's numbers: the package knows few of them. */
export const SOCKET_OPTION = {
  receiveBuffer: [1, 8],
  bindToDevice: [1, 25],
  /** SO_RCVBUFFORCE: past net.core.rmem_max, with CAP_NET_ADMIN. */
  receiveBufferForce: [1, 33],
  /** Packets of the socket's protocol that have the option are given to it instead of being forwarded. */
  ipv4RouterAlert: [0, 5],
  ipv4HeaderIncluded: [0, 3],
  /** Only for sockets of protocol 255, and by the option's value. */
  ipv6RouterAlert: [41, 22],
  /** Without it Linux also gives what other network namespaces intercept, by interface numbers that mean others there. */
  ipv6RouterAlertIsolate: [41, 30],
} as const;

/** The protocol, IPPROTO_RAW, of sockets that are given whole packets. */
export const HEADER_INCLUDED = 255;

/** A packet is never longer; the package's own default cuts at 4096. */
const MAX_PACKET = 65_576;

const packageRequire = createRequire(import.meta.url);

/** @throws Error if the package is not installed, was not compiled, or CAP_NET_RAW is missing. */
export function openRawSocket(family: IpFamily, protocol: number, bufferSize = MAX_PACKET): RawSocket {
  const { AddressFamily, createSocket } = packageRequire("raw-socket") as RawSocketPackage;
  const addressFamily = family === 4 ? AddressFamily.IPv4 : AddressFamily.IPv6;
  return createSocket({ protocol, addressFamily, bufferSize });
}

export function bindToDevice(socket: RawSocket, name: string): void {
  const value = Buffer.from(`${name}\0`);
  socket.setOption(...SOCKET_OPTION.bindToDevice, value, value.length);
}

/** As much as the system lets have. @param octets - octets, before the kernel doubles them for its own use */
export function setReceiveBuffer(socket: RawSocket, octets: number): void {
  try {
    socket.setOption(...SOCKET_OPTION.receiveBufferForce, octets);
  } catch {
    socket.setOption(...SOCKET_OPTION.receiveBuffer, octets);
  }
}

/** @param value - of the option, as on the wire */
export function interceptIpv6(socket: RawSocket, value: number): void {
  socket.setOption(...SOCKET_OPTION.ipv6RouterAlertIsolate, 1);
  socket.setOption(...SOCKET_OPTION.ipv6RouterAlert, value);
}
