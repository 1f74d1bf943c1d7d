/** The PEP's end: keeps a connection to one of its PDPs, and turns requests into promises of decisions. */
import { connect, type Socket } from "node:net";
import type { Clock } from "../../model/clock.js";
import { ProtocolError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { StepQueue } from "../../model/step-queue.js";
import { type Millis, seconds, type Timestamp } from "../../model/units.js";
import type { ReportType } from "../codec/codes.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import type {
  CopsContext,
  CopsInterface,
  CopsMessage,
  DecMessage,
  LpdpDecision,
  PdpAddress,
} from "../codec/message.js";
import {
  PEP_INITIAL,
  type PepAction,
  type PepEvent,
  type PepPhase,
  type PepTimer,
  pepStep,
} from "../machine/pep-connection.js";
import { guarded } from "./guard.js";
import type { CopsLimits } from "./limits.js";
import { type ConnectionEnds, MessageSocket } from "./message-socket.js";
import { RareWarning } from "./rare-warning.js";
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
  /** @param accounting - least time between periodic accounting reports (RFC 2748 §2.2.15); 0: none; absent: not said */
  up(accounting?: Millis): void;
  down(reason: string): void;
  /** An unsolicited decision, in the order of arrival. */
  decision(dec: DecMessage): void;
  /** RFC 2748 §3.5: say again this handle's state, or all. */
  synchronize(handle?: Buffer): void;
  /** RFC 2748 §3.5: a decision could not be read, so its handle was deleted at the PDP. Ask again on a new one. */
  abandoned?(handle: Buffer): void;
}

export interface PepRequest {
  readonly handle: Buffer;
  readonly context: CopsContext;
  readonly inInterface?: CopsInterface;
  readonly outInterface?: CopsInterface;
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
  readonly #unreadable: RareWarning;
  readonly #events = new StepQueue<PepEvent>((event) => this.#run(event));
  #state = PEP_INITIAL;
  #since: Timestamp;
  #connecting: Socket | undefined;
  #socket: MessageSocket | undefined;
  /** Resolves when the connection that was ended last is gone. */
  #gone: Promise<void> = Promise.resolve();

  constructor(options: PepClientOptions, handlers: PepHandlers) {
    this.#options = options;
    this.#since = options.clock.now();
    this.#handlers = handlers;
    this.#unreadable = new RareWarning("cops.unreadable", options.clock, options.log);
    this.#timers = new TimerSet(options.clock, (timer) => this.#step({ type: "timer", timer }));
    this.#requests = new RequestTable({
      clientType: options.clientType,
      clock: options.clock,
      timeout: options.requestTimeout,
      maxHandles: options.limits.maxHandles,
      send: (message) => this.#send(message),
      deliver: (dec) => void guarded(options.log, "decision", () => handlers.decision(dec)),
    });
  }

  get state(): PepPhase {
    return this.#state.phase;
  }

  /** Since when it is in that state. */
  get since(): Timestamp {
    return this.#since;
  }

  get ends(): ConnectionEnds | undefined {
    return this.#socket?.ends;
  }

  start(): void {
    this.#step({ type: "start" });
  }

  /** RFC 2748 §4.7: says Client-Close. Resolves when the connection is gone; `start` opens a new one. */
  async close(): Promise<void> {
    this.#step({ type: "stop" });
    // Called by a handler, the event waits until that has returned.
    await Promise.resolve();
    await this.#gone;
  }

  /**
   * The solicited decision; one that carries an Error resolves too.
   * @throws ProtocolError COPS_DOWN when no PDP is connected or the connection is lost meanwhile, COPS_TIMEOUT,
   * COPS_DELETED when the handle is given up, COPS_BUSY when too many requests wait
   * @throws InternalError if an object cannot hold what it is given
   */
  request({ signaled = [], named = [], lpdp = [], ...rest }: PepRequest): Promise<DecMessage> {
    if (this.#state.phase !== "open") {
      return Promise.reject(new ProtocolError("COPS_DOWN", "no policy server is connected"));
    }
    const { clientType } = this.#options;
    return this.#requests.request({ op: "REQ", clientType, ...rest, signaled, named, lpdp });
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
    this.#events.push(event);
  }

  #run(event: PepEvent): void {
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
    if (state.phase !== this.#state.phase) this.#since = this.#options.clock.now();
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: PepAction): void {
    const { log, random = Math.random } = this.#options;
    switch (action.do) {
      case "connect":
        this.#connect(action.redirect ?? this.#options.servers[action.server]);
        break;
      case "disconnect":
        this.#disconnect();
        break;
      case "send":
        guarded(log, "send", () => this.#send(action.message));
        break;
      case "arm":
        this.#timers.arm(action.timer, action.min + (action.max - action.min) * random());
        break;
      case "cancel":
        this.#timers.cancel(action.timer);
        break;
      case "up":
        guarded(log, "up", () => this.#handlers.up(inMillis(action.accounting)));
        break;
      case "down":
        this.#requests.lost();
        guarded(log, "down", () => this.#handlers.down(action.reason));
        break;
      case "decision":
        this.#requests.decision(action.message);
        break;
      case "abandon":
        this.#requests.delete(action.handle, action.reason);
        guarded(log, "abandoned", () => this.#handlers.abandoned?.(action.handle));
        break;
      case "synchronize":
        guarded(log, "synchronize", () => this.#handlers.synchronize(action.handle));
        break;
      case "ignore":
        log.debug("cops.ignored", { what: action.what });
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
    const current = new MessageSocket(socket, this.#options, {
      message: (message) => this.#step({ type: "received", message }),
      unreadable: (error) => {
        this.#unreadable.warn({ error: error.message });
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
    const connecting = this.#connecting;
    const socket = this.#socket;
    this.#connecting = undefined;
    this.#socket = undefined;
    if (connecting !== undefined) {
      this.#gone = new Promise((resolve) => connecting.once("close", () => resolve()));
      connecting.destroy();
    }
    if (socket !== undefined) this.#gone = socket.destroy();
    if (this.#state.phase === "closing") this.#step({ type: "disconnected", reason: "closed here" });
  }

  #send(message: CopsMessage): void {
    this.#socket?.send(message);
  }
}

const inMillis = (value: number | undefined): Millis | undefined => (value === undefined ? undefined : seconds(value));
