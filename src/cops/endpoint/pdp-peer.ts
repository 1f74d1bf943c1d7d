/** One client-type of one PEP, as the PDP's role sees it. */
import type { Clock, Timer } from "../../model/clock.js";
import { ProtocolError } from "../../model/errors.js";
import type { Millis } from "../../model/units.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import { type CopsDecision, type CopsMessage, handleKey, type RptMessage } from "../codec/message.js";
import type { ConnectionEnds } from "./message-socket.js";

export interface PdpPeerOptions {
  readonly pepId: string;
  readonly clientType: number;
  readonly ends: ConnectionEnds;
  readonly clock: Clock;
  readonly reportTimeout: Millis;
  readonly send: (message: CopsMessage) => void;
  readonly close: (error: CodeAndSubCode, reason: string) => void;
}

interface Awaited {
  readonly resolve: (rpt: RptMessage) => void;
  readonly reject: (error: ProtocolError) => void;
  readonly timer: Timer;
}

export class PdpPeer {
  readonly pepId: string;
  readonly clientType: number;
  /** `address:port` of the PEP, and of our end. */
  readonly remote: string;
  readonly local: string;
  readonly #options: PdpPeerOptions;
  /** Decisions whose reports have not come, oldest first, for each handle. */
  readonly #awaited = new Map<string, (Awaited | "late" | "unclaimed")[]>();
  #open = true;

  constructor(options: PdpPeerOptions) {
    this.#options = options;
    this.pepId = options.pepId;
    this.clientType = options.clientType;
    this.remote = options.ends.remote;
    this.local = options.ends.local;
  }

  /**
   * An unsolicited decision. Resolves with its report: RFC 3084 §3.3 has reports come in the order of decisions.
   * @throws ProtocolError COPS_TIMEOUT, or COPS_DOWN when the peer is gone
   */
  decide(handle: Buffer, decisions: readonly CopsDecision[], timeout?: Millis): Promise<RptMessage> {
    const { clientType, clock, reportTimeout, send } = this.#options;
    if (!this.#open) return Promise.reject(new ProtocolError("COPS_DOWN", `${this.pepId} is not connected`));
    return new Promise((resolve, reject) => {
      const queue = this.#queue(handle);
      const timer = clock.after(timeout ?? reportTimeout, () => {
        const at = queue.indexOf(awaited);
        // Its report may still come, and must not be taken for the next one's.
        if (at >= 0) queue[at] = "late";
        reject(new ProtocolError("COPS_TIMEOUT", `${this.pepId} did not report in time`));
      });
      const awaited: Awaited = { resolve, reject, timer };
      queue.push(awaited);
      send({ op: "DEC", clientType, handle, solicited: false, decisions });
    });
  }

  /** A solicited decision went out: the report on it is nobody's promise, but comes in its turn. */
  answered(handle: Buffer): void {
    this.#queue(handle).push("unclaimed");
  }

  /** True if the report settled a decision made by `decide`. */
  takeReport(rpt: RptMessage): boolean {
    if (!rpt.solicited) return false;
    const awaited = this.#awaited.get(handleKey(rpt.handle))?.shift();
    if (awaited === undefined || awaited === "unclaimed") return false;
    if (awaited === "late") return true;
    awaited.timer.cancel();
    awaited.resolve(rpt);
    return true;
  }

  forget(handle: Buffer): void {
    this.#fail(this.#awaited.get(handleKey(handle)), `${this.pepId} deleted the request`);
    this.#awaited.delete(handleKey(handle));
  }

  /** RFC 2748 §3.5: asks for all states, or that of the handle. */
  synchronize(handle?: Buffer): void {
    const { clientType, send } = this.#options;
    send({ op: "SSQ", clientType, ...(handle === undefined ? {} : { handle }) });
  }

  close(error: CodeAndSubCode, reason: string): void {
    this.#options.close(error, reason);
  }

  /** The connection or its client-type is gone. */
  gone(reason: string): void {
    this.#open = false;
    for (const queue of this.#awaited.values()) this.#fail(queue, `${this.pepId} is gone: ${reason}`);
    this.#awaited.clear();
  }

  #fail(queue: readonly (Awaited | string)[] | undefined, text: string): void {
    for (const awaited of queue ?? []) {
      if (typeof awaited === "string") continue;
      awaited.timer.cancel();
      awaited.reject(new ProtocolError("COPS_DOWN", text));
    }
  }

  #queue(handle: Buffer): (Awaited | "late" | "unclaimed")[] {
    const key = handleKey(handle);
    let queue = this.#awaited.get(key);
    if (queue === undefined) {
      queue = [];
      this.#awaited.set(key, queue);
    }
    return queue;
  }
}
