/**
 * UDP sockets whose arrivals the kernel stamps, and whose packets wait in the class of the queueing discipline that each
 * names. Read by polling: the kernel's time of arrival makes it harmless that a packet is looked at a little later.
 */
import { SystemError } from "../../model/errors.js";
import { addressFromBytes, addressToBytes, formatEndpoint, type IpAddress, type IpFamily } from "../../model/ip.js";
import { type Dscp, dscp, type Timestamp } from "../../model/units.js";
import { errnoOf, type LibcGate, type Pinned } from "./libc.js";
import {
  DATAGRAM_MAX,
  type Incoming,
  type Outgoing,
  type TestMethod,
  type TestSocket,
  type TestSockets,
} from "./test-socket.js";

/** asm-generic/socket.h, linux/in.h, linux/in6.h. */
const FAMILY = { 4: 2, 6: 10 } as const;
const UDP = { datagram: 2, nonBlocking: 0o4000, closeOnExec: 0o2000000 } as const;
const SOCKET = { level: 1, receiveBuffer: 8, priority: 12, receiveBufferForce: 33, timestamps: 35 } as const;
const IPV4 = { level: 0, tos: 1, ttl: 2, receiveTtl: 12, receiveTos: 13 } as const;
const IPV6 = {
  level: 41,
  hops: 16,
  only: 26,
  receiveHops: 51,
  hopLimit: 52,
  receiveClass: 66,
  trafficClass: 67,
} as const;
const DONT_WAIT = 0x40;
const TRUNCATED = 0x20;
const REAL_TIME = 0;

const TTL = 255;
/** Room for what arrives while this process is held up. */
const RECEIVE_BUFFER = 1024 * 1024;
const CONTROL_MAX = 256;
const ADDRESS_LENGTH = { 4: 16, 6: 28 } as const;

export class KernelSockets implements TestSockets {
  readonly #gate: LibcGate;
  readonly #time: Pinned;
  readonly method: TestMethod;

  /** @throws SystemError STAMP_SOCKET */
  constructor(gate: LibcGate) {
    this.#gate = gate;
    this.#time = gate.pinned(16);
    this.method = this.#tryClasses();
  }

  now(): Timestamp {
    this.#gate.libc.clockTime(REAL_TIME, this.#time.address);
    return timeAt(this.#time.octets, 0);
  }

  async open(address: IpAddress, port: number): Promise<TestSocket> {
    return new KernelSocket(this.#gate, address, port);
  }

  /** By doing it: what is allowed depends on more than the user (CAP_NET_ADMIN, also in a namespace). */
  #tryClasses(): TestMethod {
    const { libc, pinned } = this.#gate;
    const socket = libc.socket(FAMILY[4], UDP.datagram | UDP.closeOnExec, 0);
    if (socket < 0) throw new SystemError("STAMP_SOCKET", `no UDP sockets: ${errnoOf(socket)}`);
    const value = pinned(4);
    value.octets.writeInt32LE(0x10001);
    const result = libc.setOption(socket, SOCKET.level, SOCKET.priority, value.address, 4);
    libc.close(socket);
    if (result >= 0) return { times: "kernel", classes: true };
    const lacking = `the kernel lets test packets name no class (${errnoOf(result)}): CAP_NET_ADMIN is missing`;
    return { times: "kernel", classes: false, lacking };
  }
}

class KernelSocket implements TestSocket {
  readonly #gate: LibcGate;
  readonly #family: IpFamily;
  readonly #socket: number;
  readonly #value: Pinned;
  readonly #outgoing: MessageRoom;
  readonly #incoming: MessageRoom;
  readonly port: number;
  #dscp = 0;
  #priority = 0;
  #isOpen = true;

  constructor(gate: LibcGate, address: IpAddress, port: number) {
    this.#gate = gate;
    this.#family = addressToBytes(address).length === 4 ? 4 : 6;
    this.#value = gate.pinned(4);
    this.#outgoing = new MessageRoom(gate, this.#family);
    this.#incoming = new MessageRoom(gate, this.#family);
    const flags = UDP.datagram | UDP.nonBlocking | UDP.closeOnExec;
    this.#socket = gate.libc.socket(FAMILY[this.#family], flags, 0);
    if (this.#socket < 0) throw refused("make a UDP socket", this.#socket);
    try {
      this.#prepare();
      this.port = this.#bind(address, port);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  send({ octets, address, port, dscp: code, priority }: Outgoing): boolean {
    if (!this.#isOpen) return false;
    this.#mark(code, priority);
    this.#outgoing.address(address, port);
    this.#outgoing.fill(octets);
    return this.#gate.libc.send(this.#socket, this.#outgoing.header, DONT_WAIT) >= 0;
  }

  receive(most: number): readonly Incoming[] {
    const arrived: Incoming[] = [];
    for (let count = 0; count < most && this.#isOpen; count++) {
      this.#incoming.empty();
      const length = this.#gate.libc.receive(this.#socket, this.#incoming.header, DONT_WAIT);
      // Also what the network said of an earlier packet (ECONNREFUSED), which counts as lost anyway.
      if (length < 0) return arrived;
      const one = this.#incoming.read(length);
      if (one !== undefined) arrived.push(one);
    }
    return arrived;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#gate.libc.close(this.#socket);
  }

  #prepare(): void {
    const { level } = SOCKET;
    this.#set(level, SOCKET.timestamps, 1, "have arrivals stamped");
    // Beyond what the system allows anybody; without the right to, as much as it does.
    if (this.#trySet(level, SOCKET.receiveBufferForce, RECEIVE_BUFFER) < 0) {
      this.#trySet(level, SOCKET.receiveBuffer, RECEIVE_BUFFER);
    }
    if (this.#family === 4) {
      this.#set(IPV4.level, IPV4.ttl, TTL, "set the TTL");
      this.#set(IPV4.level, IPV4.receiveTtl, 1, "learn the TTL");
      this.#set(IPV4.level, IPV4.receiveTos, 1, "learn the code point");
    } else {
      this.#set(IPV6.level, IPV6.only, 1, "take IPv6 alone");
      this.#set(IPV6.level, IPV6.hops, TTL, "set the hop limit");
      this.#set(IPV6.level, IPV6.receiveHops, 1, "learn the hop limit");
      this.#set(IPV6.level, IPV6.receiveClass, 1, "learn the code point");
    }
  }

  #bind(address: IpAddress, port: number): number {
    const { libc, pinned } = this.#gate;
    const room = this.#outgoing;
    room.address(address, port);
    const length = ADDRESS_LENGTH[this.#family];
    const result = libc.bind(this.#socket, room.name.address, length);
    if (result < 0) throw refused(`use ${formatEndpoint(address, port)}`, result);
    const size = pinned(4);
    size.octets.writeUInt32LE(length);
    libc.localAddress(this.#socket, room.name.address, size.address);
    return room.name.octets.readUInt16BE(2);
  }

  /** The code point first: setting it in IPv4 sets the priority as well. */
  #mark(code: Dscp, priority: number): void {
    if (code !== this.#dscp) {
      const [level, name] = this.#family === 4 ? [IPV4.level, IPV4.tos] : [IPV6.level, IPV6.trafficClass];
      this.#trySet(level, name, code << 2);
      this.#dscp = code;
      this.#priority = -1;
    }
    if (priority === this.#priority) return;
    this.#trySet(SOCKET.level, SOCKET.priority, priority);
    this.#priority = priority;
  }

  #trySet(level: number, name: number, value: number): number {
    this.#value.octets.writeUInt32LE(value);
    return this.#gate.libc.setOption(this.#socket, level, name, this.#value.address, 4);
  }

  #set(level: number, name: number, value: number, what: string): void {
    const result = this.#trySet(level, name, value);
    if (result < 0) throw refused(what, result);
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: "choose another `stamp.port`, or end what uses it",
  EACCES: "run the router with CAP_NET_BIND_SERVICE, or choose a `stamp.port` from 1024 up at both ends",
  EADDRNOTAVAIL: "correct `stamp.addresses`: each must be an address of this machine",
};

function refused(what: string, result: number): SystemError {
  const errno = errnoOf(result);
  const remedy = REMEDIES[errno] ?? "check `stamp.addresses` and the rights of the router";
  return new SystemError("STAMP_SOCKET", `cannot ${what}: ${errno}`, { remedy });
}

/** A `struct msghdr` of 64-bit Linux with everything it points to. */
class MessageRoom {
  readonly #family: IpFamily;
  readonly #message: Pinned;
  readonly #vector: Pinned;
  readonly #octets: Pinned;
  readonly #control: Pinned;
  readonly name: Pinned;

  constructor({ pinned }: LibcGate, family: IpFamily) {
    this.#family = family;
    this.#message = pinned(56);
    this.#vector = pinned(16);
    this.#octets = pinned(DATAGRAM_MAX);
    this.#control = pinned(CONTROL_MAX);
    this.name = pinned(ADDRESS_LENGTH[6]);
    this.#vector.octets.writeBigUInt64LE(this.#octets.address);
    const { octets } = this.#message;
    octets.writeBigUInt64LE(this.name.address, 0);
    octets.writeUInt32LE(ADDRESS_LENGTH[family], 8);
    octets.writeBigUInt64LE(this.#vector.address, 16);
    octets.writeBigUInt64LE(1n, 24);
  }

  get header(): bigint {
    return this.#message.address;
  }

  /** `struct sockaddr_in` or `sockaddr_in6`. */
  address(address: IpAddress, port: number): void {
    const { octets } = this.name;
    octets.fill(0);
    octets.writeUInt16LE(FAMILY[this.#family], 0);
    octets.writeUInt16BE(port, 2);
    addressToBytes(address).copy(octets, this.#family === 4 ? 4 : 8);
  }

  fill(octets: Buffer): void {
    const length = octets.copy(this.#octets.octets);
    this.#vector.octets.writeBigUInt64LE(BigInt(length), 8);
  }

  /** The kernel writes into the lengths, so they are told anew for each message. */
  empty(): void {
    this.#vector.octets.writeBigUInt64LE(BigInt(DATAGRAM_MAX), 8);
    const { octets } = this.#message;
    octets.writeUInt32LE(ADDRESS_LENGTH[this.#family], 8);
    octets.writeBigUInt64LE(this.#control.address, 32);
    octets.writeBigUInt64LE(BigInt(CONTROL_MAX), 40);
    octets.writeUInt32LE(0, 48);
  }

  /** Undefined for what was cut, and what the kernel did not stamp. */
  read(length: number): Incoming | undefined {
    if ((this.#message.octets.readUInt32LE(48) & TRUNCATED) !== 0) return undefined;
    const { at, ttl = TTL, tos = 0 } = this.#readControl();
    if (at === undefined) return undefined;
    const { octets: name } = this.name;
    const bytes = this.#family === 4 ? name.subarray(4, 8) : name.subarray(8, 24);
    return {
      octets: Buffer.from(this.#octets.octets.subarray(0, length)),
      address: addressFromBytes(bytes),
      port: name.readUInt16BE(2),
      at,
      dscp: dscp(tos >> 2),
      ttl,
    };
  }

  /** A row of `struct cmsghdr`: length, level, type, data; each begins at a multiple of eight. */
  #readControl(): { at?: Timestamp; ttl?: number; tos?: number } {
    const { octets } = this.#control;
    const end = Math.min(CONTROL_MAX, Number(this.#message.octets.readBigUInt64LE(40)));
    const found: { at?: Timestamp; ttl?: number; tos?: number } = {};
    let offset = 0;
    while (offset + 16 <= end) {
      const length = Number(octets.readBigUInt64LE(offset));
      if (length < 16 || offset + length > end) break;
      const [level, type] = [octets.readInt32LE(offset + 8), octets.readInt32LE(offset + 12)];
      const data = offset + 16;
      if (level === SOCKET.level && type === SOCKET.timestamps) found.at = timeAt(octets, data);
      else if (isOf(level, type, [IPV4.level, IPV4.ttl], [IPV6.level, IPV6.hopLimit]))
        found.ttl = octets.readUInt8(data);
      else if (isOf(level, type, [IPV4.level, IPV4.tos], [IPV6.level, IPV6.trafficClass]))
        found.tos = octets.readUInt8(data);
      offset += (length + 7) & ~7;
    }
    return found;
  }
}

const isOf = (level: number, type: number, ...kinds: readonly (readonly [number, number])[]): boolean =>
  kinds.some(([ofLevel, ofType]) => level === ofLevel && type === ofType);

/** `struct timespec`: seconds, nanoseconds. */
const timeAt = (octets: Buffer, offset: number): Timestamp =>
  (Number(octets.readBigInt64LE(offset)) * 1000 + Number(octets.readBigInt64LE(offset + 8)) / 1e6) as Timestamp;
