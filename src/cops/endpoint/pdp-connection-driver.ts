/** Runs the PDP's machine for one TCP connection: timers, peers, and answers in the order of requests. */
import type { Socket } from "node:net";
import type { Clock } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { StepQueue } from "../../model/step-queue.js";
import { COPS_ERROR, R_TYPE } from "../codec/codes.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import {
  type CopsMessage,
  type DrqMessage,
  handleKey,
  type OpnMessage,
  type ReqMessage,
  type RptMessage,
  type SscMessage,
} from "../codec/message.js";
import {
  type OpenVerdict,
  PDP_INITIAL,
  type PdpAction,
  type PdpEvent,
  type PdpRules,
  type PdpTimer,
  pdpStep,
} from "../machine/pdp-connection.js";
import { guarded } from "./guard.js";
import type { CopsLimits } from "./limits.js";
import { MessageSocket } from "./message-socket.js";
import type { DecisionBody, PdpHandlers } from "./pdp-handlers.js";
import { PdpPeer } from "./pdp-peer.js";
import type { RareWarning } from "./rare-warning.js";
import { TimerSet } from "./timer-set.js";
import { TurnQueue } from "./turn-queue.js";

export interface DriverOptions {
  readonly rules: PdpRules;
  readonly limits: CopsLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly unreadable: RareWarning;
  readonly handlers: PdpHandlers;
  /** A peer has opened: whoever had the same name before is to go. */
  readonly opened: (peer: PdpPeer) => void;
  readonly left: (peer: PdpPeer) => void;
  readonly closed: (driver: PdpConnectionDriver) => void;
}

/** Those of the machine's actions that are for the role; written out, as the linter does not see through `Extract`. */
type Delivery =
  | { readonly do: "report"; readonly message: RptMessage }
  | { readonly do: "deleted"; readonly message: DrqMessage }
  | { readonly do: "synchronized"; readonly message: SscMessage };

/** Requests that may wait behind one another on a handle. RFC 2748 §3.2: a PEP has one outstanding. */
const MAX_TURNS = 16;

const UNABLE = { code: COPS_ERROR.unableToProcess, subCode: 0 };

export class PdpConnectionDriver {
  readonly #options: DriverOptions;
  readonly #socket: MessageSocket;
  readonly #timers: TimerSet<PdpTimer>;
  readonly #events = new StepQueue<PdpEvent>((event) => this.#run(event));
  readonly #peers = new Map<number, PdpPeer>();
  /** Asked, and not yet opened: the verdict follows in the same turn. */
  readonly #candidates = new Map<number, PdpPeer>();
  /** What each handle's requests are answered with, in their order. */
  readonly #turns = new TurnQueue();
  #state = PDP_INITIAL;

  constructor(socket: Socket, options: DriverOptions) {
    this.#options = options;
    this.#timers = new TimerSet(options.clock, (timer) => this.#step({ type: "timer", timer }));
    this.#socket = new MessageSocket(socket, options, {
      message: (message) => this.#step({ type: "received", message }),
      unreadable: (error) => {
        options.unreadable.warn({ peer: this.#socket.ends.remote, error: error.message });
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
    this.#events.push(event);
  }

  #run(event: PdpEvent): void {
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
    const { log } = this.#options;
    switch (action.do) {
      case "send":
        guarded(log, "send", () => this.#send(action.message));
        break;
      case "disconnect":
        void this.#socket.destroy();
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
        this.#deliver(action);
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
        limits: this.#options.limits,
        send: (message) => this.#send(message),
        close: (error, reason) => this.#step({ type: "close", clientType, error, reason }),
      });
    // A role that fails to answer lets nobody in.
    let verdict: OpenVerdict = { accept: false, error: UNABLE };
    guarded(this.#options.log, "open", () => {
      verdict = this.#options.handlers.open(peer, open);
    });
    if (verdict.accept) this.#candidates.set(clientType, peer);
    this.#step({ type: "verdict", open, verdict });
  }

  #opened(open: OpnMessage): void {
    const peer = this.#candidates.get(open.clientType);
    this.#candidates.delete(open.clientType);
    if (peer === undefined || this.#peers.has(open.clientType)) return;
    this.#peers.set(open.clientType, peer);
    this.#options.opened(peer);
    guarded(this.#options.log, "opened", () => this.#options.handlers.opened(peer));
  }

  #closed(clientType: number, reason: string): void {
    const peer = this.#peers.get(clientType);
    if (peer === undefined) return;
    this.#peers.delete(clientType);
    peer.gone(reason);
    this.#options.left(peer);
    guarded(this.#options.log, "closed", () => this.#options.handlers.closed(peer, reason));
  }

  #deliver(action: Delivery): void {
    const { handlers, log } = this.#options;
    const peer = this.#peers.get(action.message.clientType);
    if (peer === undefined) return;
    switch (action.do) {
      case "report": {
        const report = peer.takeReport(action.message);
        if (report !== undefined) guarded(log, "report", () => handlers.report(peer, report));
        break;
      }
      case "deleted":
        this.#delete(peer, action.message);
        break;
      case "synchronized":
        guarded(log, "synchronized", () => handlers.synchronized(peer, action.message.handle));
        break;
    }
  }

  /**
   * RFC 2748 §3.4: the state is gone. Its requests that wait get no answer any more, which a new request on the
   * same handle would take for its own; the role hears of the end after the request that it is busy with.
   */
  #delete(peer: PdpPeer, drq: DrqMessage): void {
    const { handlers, log } = this.#options;
    const key = turnOf(peer.clientType, drq.handle);
    const tell = (): void => void guarded(log, "deleted", () => handlers.deleted(peer, drq));
    peer.forget(drq.handle);
    if (this.#turns.depth(key) === 0) {
      tell();
      return;
    }
    this.#turns.outdate(key);
    this.#turns.run(key, () => {
      if (this.#peers.get(peer.clientType) === peer) tell();
      return Promise.resolve();
    });
  }

  /** RFC 2748 §3.2: every REQ is answered, those of one handle in the order in which they came. */
  #request(req: ReqMessage): void {
    const { clientType, handle } = req;
    const peer = this.#peers.get(clientType);
    const key = turnOf(clientType, handle);
    if (peer === undefined || !this.#mayWait(clientType, key)) return;
    if (this.#turns.size >= this.#options.limits.maxRequests) {
      this.#refuse({ clientType, handle, error: UNABLE });
      return;
    }
    this.#turns.run(key, async (isCurrent) => {
      if (!isCurrent()) return;
      const body = await this.#decide(peer, req);
      if (!isCurrent() || this.#peers.get(clientType) !== peer) return;
      const sent = this.#answer(req, body);
      // RFC 3084 §3.3: in a configuration context a decision is always reported on; elsewhere it need not be.
      const isReported = (req.context.rType & R_TYPE.configuration) !== 0 && body.error === undefined;
      if (sent && isReported) peer.answered(handle);
      if (sent) guarded(this.#options.log, "answered", () => this.#options.handlers.answered?.(peer, req));
    });
  }

  async #decide(peer: PdpPeer, req: ReqMessage): Promise<DecisionBody> {
    try {
      return await this.#options.handlers.request(peer, req);
    } catch (error) {
      // A defect of ours must not leave the peer without an answer.
      this.#options.log.error("cops.request-failed", { peer: peer.pepId, error });
      return { decisions: [], error: UNABLE };
    }
  }

  /** True if the decision could be sent as it is; else the peer was told that there is none. */
  #answer({ clientType, handle }: Pick<ReqMessage, "clientType" | "handle">, body: DecisionBody): boolean {
    const send = ({ decisions, error }: DecisionBody): void =>
      this.#send({
        op: "DEC",
        clientType,
        handle,
        solicited: true,
        decisions,
        ...(error === undefined ? {} : { error }),
      });
    if (guarded(this.#options.log, "answer", () => send(body))) return true;
    send({ decisions: [], error: UNABLE });
    return false;
  }

  /** A REQ that is not for the role: its error comes when those before it have been answered. */
  #refuse({ clientType, handle, error }: Pick<DriverRefusal, "clientType" | "handle" | "error">): void {
    const key = turnOf(clientType, handle);
    if (!this.#mayWait(clientType, key)) return;
    const body = { decisions: [], error };
    if (this.#turns.depth(key) === 0) {
      this.#answer({ clientType, handle }, body);
      return;
    }
    this.#turns.run(key, (isCurrent) => {
      if (isCurrent() && this.#peers.has(clientType)) this.#answer({ clientType, handle }, body);
      return Promise.resolve();
    });
  }

  /** False if the PEP asks and asks on one handle and does not wait for answers: then it is sent away. */
  #mayWait(clientType: number, key: string): boolean {
    if (this.#turns.depth(key) < MAX_TURNS) return true;
    this.#step({ type: "close", clientType, error: UNABLE, reason: "too many requests on one handle" });
    return false;
  }

  #send(message: CopsMessage): void {
    this.#socket.send(message);
  }
}

type DriverRefusal = Extract<PdpAction, { readonly do: "refuse" }>;

const turnOf = (clientType: number, handle: Buffer): string => `${clientType} ${handleKey(handle)}`;
