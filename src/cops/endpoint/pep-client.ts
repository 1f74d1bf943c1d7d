/** The PEP's end: keeps a connection to one of its PDPs, and turns requests into promises of decisions. */
import { connect, type Socket } from "node:net";
import type { Clock } from "../../model/clock.js";
import { ProtocolError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { Millis } from "../../model/units.js";
import type { ReportType } from "../codec/codes.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import type { CopsContext, CopsMessage, DecMessage, LpdpDecision, PdpAddress } from "../codec/message.js";
import {
  PEP_INITIAL,
  type PepAction,
  type PepEvent,
  type PepPhase,
  type PepTimer,
  pepStep,
} from "../machine/pep-connection.js";
import type { CopsLimits } from "./limits.js";
import { type ConnectionEnds, MessageSocket } from "./message-socket.js";
import { RequestTable } from "./request-table.js";
import { TimerSet } from "./timer-set.js";

export interface PepClientOptions {
  /** In order of preference. */
  readonly servers: readonly PdpAddress[];
  readonly pepId: string;
  readonly clientType: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: CopsLimits;
  /** For a decision; then the handle is deleted (RFC 2748 §3.2). */
  readonly requestTimeout: Millis;
  readonly reconnect: { readonly min: Millis; readonly max: Millis };
  /** Chance for keep-alive instants, 0..1. */
  readonly random?: () => number;
}

export interface PepHandlers {
  up(): void;
  down(reason: string): void;
  /** An unsolicited decision, in the order of arrival. */
  decision(dec: DecMessage): void;
  /** RFC 2748 §3.5: say again this handle's state, or all. */
  synchronize(handle?: Buffer): void;
}

export interface PepRequest {
  readonly handle: Buffer;
  readonly context: CopsContext;
  readonly signaled?: readonly Buffer[];
  readonly named?: readonly Buffer[];
  readonly lpdp?: readonly LpdpDecision[];
}

export interface PepReport {
  readonly type: ReportType;
  /** True for the answer to a decision. */
  readonly solicited?: boolean;
  readonly signaled?: readonly Buffer[];
  readonly named?: readonly Buffer[];
}

export class PepClient {
  readonly #options: PepClientOptions;
  readonly #handlers: PepHandlers;
  readonly #timers: TimerSet<PepTimer>;
  readonly #requests: RequestTable;
  #state = PEP_INITIAL;
  #connecting: Socket | undefined;
  #socket: MessageSocket | undefined;

  constructor(options: PepClientOptions, handlers: PepHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#timers = new TimerSet(options.clock, (timer) => this.#step({ type: "timer", timer }));
    this.#requests = new RequestTable({
      clientType: options.clientType,
      clock: options.clock,
      timeout: options.requestTimeout,
      maxHandles: options.limits.maxHandles,
      send: (message) => this.#send(message),
      deliver: (dec) => handlers.decision(dec),
    });
  }

  get state(): PepPhase {
    return this.#state.phase;
  }

  get ends(): ConnectionEnds | undefined {
    return this.#socket?.ends;
  }

  start(): void {
    this.#step({ type: "start" });
  }

  close(): Promise<void> {
    this.#step({ type: "stop" });
    return Promise.resolve();
  }

  /**
   * The solicited decision; one that carries an Error resolves too.
   * @throws ProtocolError COPS_DOWN when no PDP is connected or the connection is lost meanwhile, COPS_TIMEOUT,
   * COPS_DELETED when the handle is given up, COPS_BUSY when too many requests wait
   */
  request({ handle, context, signaled = [], named = [], lpdp = [] }: PepRequest): Promise<DecMessage> {
    if (this.#state.phase !== "open") {
      return Promise.reject(new ProtocolError("COPS_DOWN", "no policy server is connected"));
    }
    const { clientType } = this.#options;
    return this.#requests.request({ op: "REQ", clientType, handle, context, signaled, named, lpdp });
  }

  report(handle: Buffer, { type, solicited = false, signaled = [], named = [] }: PepReport): void {
    const { clientType } = this.#options;
    this.#send({ op: "RPT", clientType, handle, solicited, reportType: type, signaled, named });
  }

  /** RFC 2748 §3.4. What still waits for a decision on it fails. */
  deleteRequest(handle: Buffer, reason: CodeAndSubCode): void {
    this.#requests.delete(handle, reason);
  }

  /** RFC 2748 §3.10: all states were said again, or that of the handle. */
  synchronizeComplete(handle?: Buffer): void {
    this.#send({ op: "SSC", clientType: this.#options.clientType, ...(handle === undefined ? {} : { handle }) });
  }

  #step(event: PepEvent): void {
    const { pepId, clientType, servers, limits, reconnect } = this.#options;
    const rules = {
      pepId,
      clientType,
      servers: servers.length,
      openTimeout: limits.openTimeout,
      retryMin: reconnect.min,
      retryMax: reconnect.max,
    };
    const { state, actions } = pepStep(rules, this.#state, event);
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: PepAction): void {
    switch (action.do) {
      case "connect":
        this.#connect(action.redirect ?? this.#options.servers[action.server]);
        break;
      case "disconnect":
        this.#disconnect();
        break;
      case "send":
        this.#send(action.message);
        break;
      case "arm": {
        const spread = action.max - action.min;
        this.#timers.arm(action.timer, action.min + spread * (this.#options.random ?? Math.random)());
        break;
      }
      case "cancel":
        this.#timers.cancel(action.timer);
        break;
      case "up":
        this.#handlers.up();
        break;
      case "down":
        this.#requests.lost();
        this.#handlers.down(action.reason);
        break;
      case "decision":
        this.#requests.decision(action.message);
        break;
      case "abandon":
        this.#requests.delete(action.handle, action.reason);
        break;
      case "synchronize":
        this.#handlers.synchronize(action.handle);
        break;
      case "ignore":
        this.#options.log.debug("cops.ignored", { what: action.what });
        break;
    }
  }

  #connect(server: PdpAddress | undefined): void {
    if (server === undefined) return;
    const { limits } = this.#options;
    const socket = connect({ host: server.address, port: server.port, timeout: limits.openTimeout });
    this.#connecting = socket;
    const failed = (reason: string): void => {
      if (this.#connecting !== socket) return;
      this.#connecting = undefined;
      socket.destroy();
      this.#step({ type: "disconnected", reason });
    };
    socket.once("timeout", () => failed("no TCP connection in time"));
    socket.on("error", (error) => failed(error.message));
    socket.once("connect", () => {
      if (this.#connecting !== socket) return;
      this.#connecting = undefined;
      socket.setTimeout(0);
      this.#adopt(socket);
    });
  }

  #adopt(socket: Socket): void {
    const current = new MessageSocket(socket, this.#options.limits, {
      message: (message) => this.#step({ type: "received", message }),
      unreadable: (error) => {
        this.#options.log.warn("cops.unreadable", { error: error.message });
        this.#step({ type: "unreadable", error });
      },
      closed: (reason) => {
        this.#socket = undefined;
        this.#step({ type: "disconnected", reason });
      },
    });
    this.#socket = current;
    this.#step({ type: "connected" });
  }

  #disconnect(): void {
    this.#connecting?.destroy();
    this.#connecting = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #send(message: CopsMessage): void {
    this.#socket?.send(message);
  }
}
