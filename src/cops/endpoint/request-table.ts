/** The handles of one PEP connection: who waits for which decision. */
import type { Clock, Timer } from "../../model/clock.js";
import { ProtocolError } from "../../model/errors.js";
import type { Millis } from "../../model/units.js";
import { encodeMessage } from "../codec/encode.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import { type CopsMessage, type DecMessage, handleKey, type ReqMessage } from "../codec/message.js";
import {
  REQUEST_INITIAL,
  type RequestAction,
  type RequestEvent,
  type RequestFailure,
  type RequestState,
  requestStep,
} from "../machine/pep-request.js";

export interface RequestTableOptions {
  readonly clientType: number;
  readonly clock: Clock;
  readonly timeout: Millis;
  readonly maxHandles: number;
  readonly send: (message: CopsMessage) => void;
  /** An unsolicited decision. */
  readonly deliver: (dec: DecMessage) => void;
}

interface Entry {
  readonly handle: Buffer;
  state: RequestState;
  timer: Timer | undefined;
}

interface Waiter {
  readonly resolve: (dec: DecMessage) => void;
  readonly reject: (error: ProtocolError) => void;
}

export class RequestTable {
  readonly #options: RequestTableOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #waiters = new Map<number, Waiter>();
  #lastId = 0;

  constructor(options: RequestTableOptions) {
    this.#options = options;
  }

  request(message: ReqMessage): Promise<DecMessage> {
    const key = handleKey(message.handle);
    if (!this.#entries.has(key) && this.#entries.size >= this.#options.maxHandles) {
      return Promise.reject(failureOf("busy"));
    }
    return new Promise((resolve, reject) => {
      // What cannot be encoded is refused now, before the handle waits for a decision on it.
      encodeMessage(message);
      const id = ++this.#lastId;
      this.#waiters.set(id, { resolve, reject });
      this.#step(this.#entry(message.handle), { type: "request", id, message });
    });
  }

  decision(message: DecMessage): void {
    const entry = this.#entries.get(handleKey(message.handle));
    if (entry !== undefined) this.#step(entry, { type: "decision", message });
    // RFC 2748 §3.3: a decision on a handle that is not open here tells the PDP nothing; it is dropped.
  }

  delete(handle: Buffer, reason: CodeAndSubCode): void {
    this.#step(this.#entry(handle), { type: "delete", reason });
  }

  /** Handles are of the connection: with it they all go. */
  lost(): void {
    for (const entry of [...this.#entries.values()]) this.#step(entry, { type: "lost" });
    this.#entries.clear();
  }

  #entry(handle: Buffer): Entry {
    const key = handleKey(handle);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = { handle, state: REQUEST_INITIAL, timer: undefined };
    this.#entries.set(key, entry);
    return entry;
  }

  #step(entry: Entry, event: RequestEvent): void {
    const { state, actions } = requestStep(entry.state, event);
    entry.state = state;
    for (const action of actions) this.#act(entry, action);
    // RFC 2748 §2.4.1: once deleted, a handle may be opened anew.
    if (state.gone) this.#entries.delete(handleKey(entry.handle));
  }

  #act(entry: Entry, action: RequestAction): void {
    const { clientType, clock, timeout, send, deliver } = this.#options;
    switch (action.do) {
      case "send":
        send(action.message);
        break;
      case "sendDelete":
        send({ op: "DRQ", clientType, handle: entry.handle, reason: action.reason });
        break;
      case "armTimeout":
        entry.timer?.cancel();
        entry.timer = clock.after(timeout, () => this.#step(entry, { type: "timeout" }));
        break;
      case "cancelTimeout":
        entry.timer?.cancel();
        entry.timer = undefined;
        break;
      case "settle":
        this.#take(action.id)?.resolve(action.message);
        break;
      case "fail":
        this.#take(action.id)?.reject(failureOf(action.failure));
        break;
      case "deliver":
        deliver(action.message);
        break;
      case "ignore":
        break;
    }
  }

  #take(id: number): Waiter | undefined {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    return waiter;
  }
}

function failureOf(failure: RequestFailure): ProtocolError {
  switch (failure) {
    case "timeout":
      return new ProtocolError("COPS_TIMEOUT", "the policy server did not decide in time");
    case "deleted":
      return new ProtocolError("COPS_DELETED", "the request was given up");
    case "down":
      return new ProtocolError("COPS_DOWN", "the connection to the policy server was lost");
    case "busy":
      return new ProtocolError("COPS_BUSY", "too many requests wait for a decision");
  }
}
