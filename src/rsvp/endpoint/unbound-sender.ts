/** Sends IP packets with their header by whatever interface the kernel's routes say. Opened when it is first needed. */
import type { IpAddress, IpFamily } from "../../model/ip.js";
import { HEADER_INCLUDED, openRawSocket, type RawSocket } from "./raw-socket.js";

/** Nothing is received on it. */
const SMALL_BUFFER = 64;

export class UnboundSender {
  readonly #family: IpFamily;
  readonly #failed: (error: Error) => void;
  #socket: RawSocket | undefined;

  /** @param failed - the socket is of no use any more */
  constructor(family: IpFamily, failed: (error: Error) => void) {
    this.#family = family;
    this.#failed = failed;
  }

  send(packet: Buffer, destination: IpAddress, sent: (error: Error | undefined) => void): void {
    try {
      this.#socket ??= this.#open();
      this.#socket.send(packet, 0, packet.length, destination, (error) => sent(error ?? undefined));
    } catch (error) {
      sent(error instanceof Error ? error : new Error(String(error)));
    }
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): RawSocket {
    const socket = openRawSocket(this.#family, HEADER_INCLUDED, SMALL_BUFFER);
    socket.on("error", (error) => {
      this.#socket = undefined;
      this.#failed(error);
    });
    return socket;
  }
}
