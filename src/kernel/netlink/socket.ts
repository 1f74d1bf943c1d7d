/**
 * One netlink socket: one request at a time, every answer awaited.
 *
 * The package behind it ends the process when the kernel overruns the socket's receive buffer (ENOBUFS), so
 * callers keep what one request can cause in answers far below that buffer, and no group is ever joined.
 */
import type { RawNetlinkSocket } from "netlink";
import type { Clock } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import { millis } from "../../model/units.js";
import { type NetlinkMessage, readMessages } from "./message.js";

export const PROTOCOL = { route: 0, netfilter: 12 } as const;

const RECEIVE_BUFFER = 4 * 1024 * 1024;
const SEND_BUFFER = 1024 * 1024;
const DATAGRAM = 65_536;
const ANSWER_TIMEOUT = millis(15_000);

interface Exchange {
  readonly operation: string;
  readonly first: number;
  readonly messages: NetlinkMessage[];
  readonly isLast: (message: NetlinkMessage) => boolean;
  readonly resolve: (messages: readonly NetlinkMessage[]) => void;
  readonly reject: (error: Error) => void;
}

export interface NetlinkRequest {
  /** For errors: what is being asked. */
  readonly operation: string;
  readonly octets: Buffer;
  /** Sequence number of its first message; answers carry this or a later one. */
  readonly firstSequence: number;
  readonly isLast: (message: NetlinkMessage) => boolean;
}

export class NetlinkSocket {
  /** What the kernel granted, in octets: the bound for what a request may cause. */
  readonly receiveBuffer: number;
  readonly #raw: RawNetlinkSocket;
  readonly #clock: Clock;
  #exchange: Exchange | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #sequence = 1;
  #closed = false;

  private constructor(raw: RawNetlinkSocket, clock: Clock) {
    this.#raw = raw;
    this.#clock = clock;
    this.receiveBuffer = raw.getRecvBufferSize();
    raw.on("message", (datagram) => this.#receive(datagram));
    raw.on("truncatedMessage", () => this.#fail("KERNEL_NETLINK", "a netlink answer was longer than its buffer"));
    raw.on("error", (error) => this.#fail("KERNEL_NETLINK", error.message, error.code));
    raw.unref();
  }

  /** @throws KernelError KERNEL_NETLINK if there is no such socket to be had. */
  static async open(protocol: number, clock: Clock): Promise<NetlinkSocket> {
    const operation = `open netlink socket, protocol ${protocol}`;
    try {
      const { RawNetlinkSocket: Raw } = await import("netlink");
      const raw = new Raw(protocol, {
        messagePeeking: false,
        msgBufferSize: DATAGRAM,
        recvBufferSize: RECEIVE_BUFFER,
        sendBufferSize: SEND_BUFFER,
      });
      return new NetlinkSocket(raw, clock);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new KernelError(
        "KERNEL_NETLINK",
        `no netlink socket: ${reason}`,
        { operation },
        { cause, remedy: "the kernel must have nf_tables, and the npm package netlink must suit this processor" },
      );
    }
  }

  /** A block of `count` sequence numbers; gives the first. */
  sequences(count: number): number {
    if (this.#sequence + count > 0x7fffffff) this.#sequence = 1;
    const first = this.#sequence;
    this.#sequence += count;
    return first;
  }

  /** All answers, the last included. The kernel's error answers are among them: the caller reads them. */
  request(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    const turn = this.#queue.then(() => this.#perform(request));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#raw.close();
    this.#fail("KERNEL_CLOSED", "the netlink socket was closed");
  }

  async #perform(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    const { operation } = request;
    if (this.#closed) throw new KernelError("KERNEL_CLOSED", "the netlink socket is closed", { operation });
    const timer = this.#clock.after(ANSWER_TIMEOUT, () => this.#fail("KERNEL_TIMEOUT", "the kernel did not answer"));
    // An idle socket must not keep the process alive, one that waits for an answer must.
    this.#raw.ref();
    try {
      return await new Promise<readonly NetlinkMessage[]>((resolve, reject) => {
        const { firstSequence: first, isLast } = request;
        this.#exchange = { operation, first, messages: [], isLast, resolve, reject };
        this.#raw.send(request.octets, {}, (error) => {
          if (error !== undefined) this.#fail("KERNEL_NETLINK", error.message, error.code);
        });
      });
    } finally {
      timer.cancel();
      this.#exchange = undefined;
      if (!this.#closed) this.#raw.unref();
    }
  }

  #receive(datagram: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    try {
      for (const message of readMessages(datagram)) {
        // A late answer to a request that timed out is not an answer to this one. Echoes of elements carry sequence 0.
        if (message.sequence < exchange.first && message.sequence !== 0) continue;
        exchange.messages.push(message);
        if (exchange.isLast(message)) exchange.resolve(exchange.messages);
      }
    } catch (error) {
      exchange.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(code: string, reason: string, errno?: string): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    const detail = { operation: exchange.operation, ...(errno === undefined ? {} : { errno }) };
    exchange.reject(new KernelError(code, `${exchange.operation}: ${reason}`, detail));
  }
}
