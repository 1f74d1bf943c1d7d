/** Runs the PDP's machine for one TCP connection: timers, peers, and answers in the order of requests. */
import type { Socket } from "node:net";
import type { Clock } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { COPS_ERROR } from "../codec/codes.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import { type CopsMessage, type DecMessage, handleKey, type OpnMessage, type ReqMessage } from "../codec/message.js";
import {
  PDP_INITIAL,
  type PdpAction,
  type PdpEvent,
  type PdpRules,
  type PdpTimer,
  pdpStep,
} from "../machine/pdp-connection.js";
import type { CopsLimits } from "./limits.js";
import { MessageSocket } from "./message-socket.js";
import type { PdpHandlers } from "./pdp-handlers.js";
import { PdpPeer } from "./pdp-peer.js";
import { TimerSet } from "./timer-set.js";

export interface DriverOptions {
  readonly rules: PdpRules;
  readonly limits: CopsLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly handlers: PdpHandlers;
  /** A peer has opened: whoever had the same name before is to go. */
  readonly opened: (peer: PdpPeer) => void;
  readonly left: (peer: PdpPeer) => void;
  readonly closed: (driver: PdpConnectionDriver) => void;
}

type Delivery = Extract<PdpAction, { readonly do: "report" | "deleted" | "synchronized" }>;

export class PdpConnectionDriver {
  readonly #options: DriverOptions;
  readonly #socket: MessageSocket;
  readonly #timers: TimerSet<PdpTimer>;
  readonly #peers = new Map<number, PdpPeer>();
  /** Asked, and not yet opened: the verdict follows in the same turn. */
  readonly #candidates = new Map<number, PdpPeer>();
  /** Last answer of each handle: the next waits for it. */
  readonly #turns = new Map<string, Promise<void>>();
  #state = PDP_INITIAL;

  constructor(socket: Socket, options: DriverOptions) {
    this.#options = options;
    this.#timers = new TimerSet(options.clock, (timer) => this.#step({ type: "timer", timer }));
    this.#socket = new MessageSocket(socket, options.limits, {
      message: (message) => this.#step({ type: "received", message }),
      unreadable: (error) => {
        options.log.warn("cops.unreadable", { peer: this.#socket.ends.remote, error: error.message });
        this.#step({ type: "unreadable", error });
      },
      closed: (reason) => this.#step({ type: "disconnected", reason }),
    });
    this.#step({ type: "connected" });
  }

  stop(error: CodeAndSubCode): void {
    this.#step({ type: "stop", error });
  }

  #step(event: PdpEvent): void {
    const { state, actions } = pdpStep(this.#options.rules, this.#state, event);
    const ended = state.phase === "closed" && this.#state.phase !== "closed";
    this.#state = state;
    for (const action of actions) this.#act(action);
    if (ended) {
      this.#timers.cancelAll();
      this.#options.closed(this);
    }
  }

  #act(action: PdpAction): void {
    const { handlers, log } = this.#options;
    switch (action.do) {
      case "send":
        this.#send(action.message);
        break;
      case "disconnect":
        this.#socket.destroy();
        break;
      case "arm":
        this.#timers.arm(action.timer, action.delay);
        break;
      case "cancel":
        this.#timers.cancel(action.timer);
        break;
      case "ask":
        this.#ask(action.open);
        break;
      case "opened":
        this.#opened(action.open);
        break;
      case "closed":
        this.#closed(action.clientType, action.reason);
        break;
      case "request":
        this.#request(action.message);
        break;
      case "refuse":
        this.#refuse(action);
        break;
      case "report":
      case "deleted":
      case "synchronized":
        this.#deliver(action, handlers);
        break;
      case "ignore":
        log.debug("cops.ignored", { what: action.what });
        break;
    }
  }

  #ask(open: OpnMessage): void {
    const { clientType, pepId } = open;
    const peer =
      this.#peers.get(clientType) ??
      new PdpPeer({
        pepId,
        clientType,
        ends: this.#socket.ends,
        clock: this.#options.clock,
        reportTimeout: this.#options.limits.reportTimeout,
        send: (message) => this.#send(message),
        close: (error, reason) => this.#step({ type: "close", clientType, error, reason }),
      });
    this.#candidates.set(clientType, peer);
    const verdict = this.#options.handlers.open(peer, open);
    this.#step({ type: "verdict", open, verdict });
  }

  #opened(open: OpnMessage): void {
    const peer = this.#candidates.get(open.clientType);
    this.#candidates.delete(open.clientType);
    if (peer === undefined || this.#peers.has(open.clientType)) return;
    this.#peers.set(open.clientType, peer);
    this.#options.opened(peer);
    this.#options.handlers.opened(peer);
  }

  #closed(clientType: number, reason: string): void {
    const peer = this.#peers.get(clientType);
    if (peer === undefined) return;
    this.#peers.delete(clientType);
    peer.gone(reason);
    this.#options.left(peer);
    this.#options.handlers.closed(peer, reason);
  }

  #deliver(action: Delivery, handlers: PdpHandlers): void {
    const peer = this.#peers.get(action.message.clientType);
    if (peer === undefined) return;
    switch (action.do) {
      case "report":
        if (!peer.takeReport(action.message)) handlers.report(peer, action.message);
        break;
      case "deleted":
        peer.forget(action.message.handle);
        handlers.deleted(peer, action.message);
        break;
      case "synchronized":
        handlers.synchronized(peer, action.message.handle);
        break;
    }
  }

  /** RFC 2748 §3.2: every REQ is answered, those of one handle in the order in which they came. */
  #request(req: ReqMessage): void {
    const peer = this.#peers.get(req.clientType);
    if (peer === undefined) return;
    this.#inTurn(req.clientType, req.handle, async () => {
      const body = await this.#decide(peer, req);
      if (this.#peers.get(req.clientType) !== peer) return;
      peer.answered(req.handle);
      this.#send({ op: "DEC", clientType: req.clientType, handle: req.handle, solicited: true, ...body });
    });
  }

  async #decide(peer: PdpPeer, req: ReqMessage): Promise<Pick<DecMessage, "decisions" | "error">> {
    try {
      return await this.#options.handlers.request(peer, req);
    } catch (error) {
      // A defect of ours must not leave the peer without an answer.
      this.#options.log.error("cops.request-failed", { peer: peer.pepId, error });
      return { decisions: [], error: { code: COPS_ERROR.unableToProcess, subCode: 0 } };
    }
  }

  #refuse({ clientType, handle, error }: Extract<PdpAction, { readonly do: "refuse" }>): void {
    this.#inTurn(clientType, handle, () => {
      this.#send({ op: "DEC", clientType, handle, solicited: true, decisions: [], error });
      return Promise.resolve();
    });
  }

  #inTurn(clientType: number, handle: Buffer, work: () => Promise<void>): void {
    const key = `${clientType} ${handleKey(handle)}`;
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(work).finally(() => {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    });
    this.#turns.set(key, turn);
  }

  #send(message: CopsMessage): void {
    this.#socket.send(message);
  }
}
