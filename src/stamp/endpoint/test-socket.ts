/** What carries test packets: sockets of the kernel's own (kernel-socket.ts), or Node's (portable-socket.ts). */
import type { IpAddress } from "../../model/ip.js";
import type { Dscp, Timestamp } from "../../model/units.js";

export interface Outgoing {
  readonly octets: Buffer;
  readonly address: IpAddress;
  readonly port: number;
  readonly dscp: Dscp;
  /** Class of the queueing discipline that it waits in, `major:minor` in 32 bits; 0: whatever the filters say. */
  readonly priority: number;
}

/** A datagram as it arrived. */
export interface Incoming {
  readonly octets: Buffer;
  readonly address: IpAddress;
  readonly port: number;
  readonly at: Timestamp;
  readonly dscp: Dscp;
  /** TTL or hop limit; 255 where that is not to be known. */
  readonly ttl: number;
}

/** What the sockets of this machine can do. */
export interface TestMethod {
  /** Who says when a packet arrived. */
  readonly times: "kernel" | "process";
  /** Whether packets have code points and wait in the queues of their classes. */
  readonly classes: boolean;
  /** What is missing, a sentence; absent where nothing is. */
  readonly lacking?: string;
}

export interface TestSocket {
  /** Bound to. */
  readonly port: number;
  /** False if the packet did not leave; what cannot be sent is lost as any other. */
  send(packet: Outgoing): boolean;
  /** Whatever arrived since the last call, as much as `most`. Never waits. */
  receive(most: number): readonly Incoming[];
  close(): void;
}

export interface TestSockets {
  readonly method: TestMethod;
  /** The clock that arrivals are told by. */
  now(): Timestamp;
  /** @param port - 0: any. @throws SystemError STAMP_SOCKET with what the system said */
  open(address: IpAddress, port: number): Promise<TestSocket>;
}

/** Longer datagrams are no test packets of anybody's; they are cut, and dropped. */
export const DATAGRAM_MAX = 2048;
