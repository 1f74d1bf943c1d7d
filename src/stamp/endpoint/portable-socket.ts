/**
 * UDP sockets of Node's, for machines without koffi: packets have no code point and no class of their own, and arrivals are
 * stamped when the process gets to them. What is found with them is what best effort gets, and what this process was late by.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { SystemError } from "../../model/errors.js";
import { addressToBytes, formatEndpoint, type IpAddress, parseAddress } from "../../model/ip.js";
import { dscp, type Timestamp } from "../../model/units.js";
import { ProcessClock } from "./process-clock.js";
import {
  DATAGRAM_MAX,
  type Incoming,
  type Outgoing,
  type TestMethod,
  type TestSocket,
  type TestSockets,
} from "./test-socket.js";

const TTL = 255;
const BEST_EFFORT = dscp(0);
/** What may wait until it is asked for. */
const QUEUE_MAX = 1024;

export class PortableSockets implements TestSockets {
  readonly method: TestMethod;
  readonly #clock = new ProcessClock();

  /** @param lacking - why there are no better ones */
  constructor(lacking: string) {
    this.method = { times: "process", classes: false, lacking };
  }

  now(): Timestamp {
    return this.#clock.now();
  }

  async open(address: IpAddress, port: number): Promise<TestSocket> {
    const isIpv6 = addressToBytes(address).length === 16;
    const socket = createSocket(isIpv6 ? { type: "udp6", ipv6Only: true } : { type: "udp4" });
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: Error): void => {
        socket.close();
        reject(
          new SystemError("STAMP_SOCKET", `cannot use ${formatEndpoint(address, port)}: ${cause.message}`, {
            remedy: "choose another `stamp.port`, or end what uses it",
            cause,
          }),
        );
      };
      socket.once("error", failed);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off("error", failed);
        resolve();
      });
    });
    return new PortableSocket(socket, this.#clock);
  }
}

class PortableSocket implements TestSocket {
  readonly #socket: Socket;
  #arrived: Incoming[] = [];
  #isOpen = true;
  readonly port: number;

  constructor(socket: Socket, clock: ProcessClock) {
    this.#socket = socket;
    this.port = socket.address().port;
    socket.setTTL(TTL);
    socket.unref();
    // What the network said of an earlier packet, which counts as lost anyway.
    socket.on("error", () => undefined);
    socket.on("message", (octets, from) => this.#take(octets, from, clock.now()));
  }

  send({ octets, address, port }: Outgoing): boolean {
    if (this.#isOpen) this.#socket.send(octets, port, address, () => undefined);
    return this.#isOpen;
  }

  receive(most: number): readonly Incoming[] {
    return this.#arrived.splice(0, most);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }

  #take(octets: Buffer, { address: text, port }: RemoteInfo, at: Timestamp): void {
    const address = parseAddress(text);
    if (address === undefined || octets.length > DATAGRAM_MAX || this.#arrived.length >= QUEUE_MAX) return;
    this.#arrived.push({ octets, address, port, at, dscp: BEST_EFFORT, ttl: TTL });
  }
}
