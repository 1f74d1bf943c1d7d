/**
 * One netlink socket, held by the agent: requests in, answers out, several under way at once.
 *
 * The kernel carries out the requests of a socket one after the other and answers in that order, so an answer is
 * matched by its sequence number, and one without (an echo carries 0) belongs to the oldest request. How many are under
 * way is bounded by what their answers may take in the receive buffer: an overrun ends the agent.
 */
import type { Clock, Timer } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import { millis } from "../../model/units.js";
import type { AgentChannel, NetlinkAgent } from "./agent/agent.js";
import type { Refusal } from "./agent/frames.js";
import { type NetlinkMessage, readMessages } from "./message.js";

export const PROTOCOL = { route: 0, netfilter: 12 } as const;

/** Asked for; the kernel grants up to net.core.rmem_max and wmem_max. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
const SEND_BUFFER = 1024 * 1024;
/** Requests that wait for room. */
const MAX_WAITING = 65_536;
/** A request fails when its answer made no progress in two of these in a row: one may have passed in a stalled process. */
const PATIENCE = millis(7500);
const LOST = "KERNEL_NETLINK_LOST";
const LOST_REMEDY = "read the state and decide anew; if it recurs, raise net.core.rmem_max";

/** @typeParam Result what `finish` makes of the answers. */
export interface NetlinkRequest<Result> {
  /** For errors: what is being asked. */
  readonly operation: string;
  readonly octets: Buffer;
  /** Sequence number of its first message, and how many there are: from `sequences`. */
  readonly first: number;
  readonly count: number;
  /** Octets of the receive buffer that the answers may take; a dump goes alone. */
  readonly room: number | "alone";
  /** Takes one answer; true if it was the last. */
  take(message: NetlinkMessage): boolean;
  /** Called with the last answer, before any answer to a later request is looked at. May throw a KernelError. */
  finish(): Result;
}

interface Exchange {
  readonly request: NetlinkRequest<unknown>;
  readonly settle: () => void;
  readonly reject: (error: Error) => void;
  /** Answers came since the timer was last looked at. */
  progress: boolean;
  patience: number;
  timer: Timer | undefined;
}

/** What a socket needs of the agent. */
export type SocketAgent = Pick<NetlinkAgent, "open" | "hold" | "release" | "restart">;

export interface SocketOptions {
  readonly protocol: number;
  readonly clock: Clock;
  /** Octets to ask for; smaller in tests. */
  readonly receiveBuffer?: number;
}

export class NetlinkSocket {
  readonly #agent: SocketAgent;
  readonly #clock: Clock;
  readonly #channel: AgentChannel;
  /** Sent, oldest first. */
  #underWay: Exchange[] = [];
  /** Not sent yet, oldest first. */
  #waiting: Exchange[] = [];
  #taken = 0;
  #granted = 0;
  #ready = false;
  #sequence = 1;
  #closed = false;
  #onOpened: ((error?: KernelError) => void) | undefined;

  private constructor(agent: SocketAgent, options: SocketOptions) {
    this.#agent = agent;
    this.#clock = options.clock;
    const { protocol, receiveBuffer = RECEIVE_BUFFER } = options;
    this.#channel = agent.open(
      { protocol, receiveBuffer, sendBuffer: SEND_BUFFER, groups: [] },
      {
        opened: (granted) => this.#opened(granted),
        refused: (refusal) => this.#refused(refusal),
        datagram: (octets) => this.#receive(octets),
        unsent: (tag, refusal) => this.#unsent(tag, refusal),
        failed: (refusal) => this.#failed(refusal),
        lost: (reason) => this.#lost(reason),
      },
    );
  }

  /** @throws KernelError KERNEL_NETLINK if there is no such socket to be had. */
  static async open(agent: SocketAgent, options: SocketOptions): Promise<NetlinkSocket> {
    const socket = new NetlinkSocket(agent, options);
    agent.hold();
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = options.clock.after(PATIENCE, () => socket.#onOpened?.(unopened("the netlink agent is silent")));
        socket.#onOpened = (error) => {
          timer.cancel();
          socket.#onOpened = undefined;
          if (error === undefined) resolve();
          else reject(error);
        };
      });
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    } finally {
      agent.release();
    }
  }

  /** What the kernel granted, in octets: the bound for what a request may cause. */
  get receiveBuffer(): number {
    return this.#granted;
  }

  /** A block of `count` sequence numbers; gives the first. */
  sequences(count: number): number {
    if (this.#sequence + count > 0x7fffffff) this.#sequence = 1;
    const first = this.#sequence;
    this.#sequence += count;
    return first;
  }

  /**
   * Requests go out in the order of the calls. The kernel's error answers are given to `take` like all others.
   * @throws KernelError KERNEL_NETLINK_LOST (the outcome is not known), KERNEL_TIMEOUT (likewise), KERNEL_NETLINK (it
   * was not carried out), KERNEL_BUSY, KERNEL_CLOSED; what `finish` throws.
   */
  request<Result>(request: NetlinkRequest<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const { operation } = request;
      if (this.#closed) {
        reject(new KernelError("KERNEL_CLOSED", `${operation}: the netlink socket is closed`, { operation }));
        return;
      }
      if (this.#waiting.length >= MAX_WAITING) {
        reject(new KernelError("KERNEL_BUSY", `${operation}: ${MAX_WAITING} requests wait already`, { operation }));
        return;
      }
      this.#agent.hold();
      this.#waiting.push({
        request,
        settle: () => {
          try {
            resolve(request.finish());
          } catch (error) {
            reject(error);
          }
        },
        reject,
        progress: false,
        patience: 2,
        timer: undefined,
      });
      this.#pump();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#channel.close();
    const dropped = [...this.#underWay, ...this.#waiting];
    this.#underWay = [];
    this.#waiting = [];
    for (const exchange of dropped) this.#leave(exchange);
    rejectAll(dropped, "KERNEL_CLOSED", "the netlink socket was closed");
  }

  #pump(): void {
    while (this.#ready) {
      const next = this.#waiting[0];
      if (next === undefined || !this.#hasRoom(next.request.room)) return;
      this.#waiting.shift();
      this.#underWay.push(next);
      this.#taken += this.#roomOf(next);
      this.#watchOver(next);
      this.#channel.send(next.request.first, next.request.octets);
    }
  }

  /** A quarter of the buffer stays free; what is too large for the rest goes alone. */
  #hasRoom(room: number | "alone"): boolean {
    if (this.#underWay.length === 0) return true;
    return room !== "alone" && this.#taken + room <= (this.#granted * 3) / 4;
  }

  #roomOf({ request: { room } }: Exchange): number {
    return room === "alone" ? this.#granted : room;
  }

  #watchOver(exchange: Exchange): void {
    exchange.timer = this.#clock.after(PATIENCE, () => {
      if (exchange.progress) exchange.patience = 2;
      else exchange.patience--;
      exchange.progress = false;
      if (exchange.patience > 0) {
        this.#watchOver(exchange);
        return;
      }
      // Whatever it would still say cannot be told from later answers: a new agent has new sockets.
      this.#finished(exchange);
      rejectAll([exchange], "KERNEL_TIMEOUT", "the kernel did not answer in time, the outcome is not known");
      this.#agent.restart();
    });
  }

  #receive(datagram: Buffer): void {
    let messages: readonly NetlinkMessage[];
    try {
      messages = readMessages(datagram);
    } catch (error) {
      this.#failed({ errno: "", reason: error instanceof Error ? error.message : String(error) });
      return;
    }
    for (const message of messages) this.#deliver(message);
    this.#pump();
  }

  #deliver(message: NetlinkMessage): void {
    const exchange = this.#exchangeOf(message.sequence);
    if (exchange === undefined) return;
    exchange.progress = true;
    try {
      if (!exchange.request.take(message)) return;
    } catch (error) {
      this.#finished(exchange);
      exchange.reject(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#finished(exchange);
    exchange.settle();
  }

  /** Answers come in the order of the requests: if this one is answered, the older ones will not be any more. */
  #exchangeOf(sequence: number): Exchange | undefined {
    if (sequence === 0) return this.#underWay[0];
    const isOf = ({ request }: Exchange): boolean =>
      sequence >= request.first && sequence < request.first + request.count;
    const oldest = this.#underWay[0];
    if (oldest === undefined || isOf(oldest)) return oldest;
    const place = this.#underWay.findIndex(isOf);
    if (place <= 0) return undefined;
    const passed = this.#underWay.slice(0, place);
    for (const exchange of passed) this.#finished(exchange);
    rejectAll(passed, LOST, "its answer was lost, the outcome is not known");
    return this.#underWay[0];
  }

  /** No longer under way, or no longer waiting. */
  #finished(exchange: Exchange): void {
    if (this.#underWay[0] === exchange) this.#underWay.shift();
    else this.#underWay = this.#underWay.filter((other) => other !== exchange);
    this.#taken -= this.#roomOf(exchange);
    this.#leave(exchange);
  }

  #leave(exchange: Exchange): void {
    exchange.timer?.cancel();
    this.#agent.release();
  }

  #opened(granted: number): void {
    this.#granted = granted;
    this.#ready = true;
    this.#onOpened?.();
    this.#pump();
  }

  #refused({ errno, reason }: Refusal): void {
    this.#onOpened?.(unopened(reason, errno));
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const exchange of waiting) this.#leave(exchange);
    rejectAll(waiting, "KERNEL_NETLINK", reason, errno);
  }

  #unsent(first: number, { errno, reason }: Refusal): void {
    const exchange = this.#underWay.find(({ request }) => request.first === first);
    if (exchange === undefined) return;
    this.#finished(exchange);
    rejectAll([exchange], "KERNEL_NETLINK", reason, errno);
    this.#pump();
  }

  /** What was lost cannot be told, so all that is under way is. */
  #failed({ errno, reason }: Refusal): void {
    this.#drop(reason, errno);
    this.#pump();
  }

  #lost(reason: string): void {
    const wasReady = this.#ready;
    this.#ready = false;
    this.#drop(`the netlink agent ended (${reason}), the outcome is not known`);
    // What waits was never sent, so the next agent can have it; unless there will be none.
    if (!wasReady) this.#refused({ errno: "", reason: `the netlink agent does not start (${reason})` });
  }

  #drop(reason: string, errno = ""): void {
    const dropped = this.#underWay;
    this.#underWay = [];
    this.#taken = 0;
    for (const exchange of dropped) this.#leave(exchange);
    rejectAll(dropped, LOST, reason, errno);
  }
}

/** A reading changes nothing: it is made once more when the agent was lost under it. */
export async function readAgain<Result>(reading: () => Promise<Result>): Promise<Result> {
  try {
    return await reading();
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== LOST) throw error;
    return reading();
  }
}

function rejectAll(exchanges: readonly Exchange[], code: string, reason: string, errno = ""): void {
  for (const { request, reject } of exchanges) {
    const detail = { operation: request.operation, ...(errno === "" ? {} : { errno }) };
    const remedy = code === LOST ? { remedy: LOST_REMEDY } : {};
    reject(new KernelError(code, `${request.operation}: ${reason}`, detail, remedy));
  }
}

function unopened(reason: string, errno = ""): KernelError {
  return new KernelError(
    "KERNEL_NETLINK",
    `no netlink socket: ${reason}`,
    { operation: "open a netlink socket", ...(errno === "" ? {} : { errno }) },
    { remedy: "the kernel must have nf_tables, and the npm package netlink must suit this processor" },
  );
}
