/** One client-type of one PEP, as the PDP's role sees it. */
import type { Clock, Timer } from "../../model/clock.js";
import { ProtocolError } from "../../model/errors.js";
import type { Millis, Timestamp } from "../../model/units.js";
import { COPS_ERROR } from "../codec/codes.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import { type CopsDecision, type CopsMessage, handleKey, type RptMessage } from "../codec/message.js";
import type { CopsLimits } from "./limits.js";
import type { ConnectionEnds } from "./message-socket.js";

export interface PdpPeerOptions {
  readonly pepId: string;
  readonly clientType: number;
  readonly ends: ConnectionEnds;
  readonly clock: Clock;
  readonly limits: Pick<CopsLimits, "reportTimeout" | "maxUnreported">;
  readonly send: (message: CopsMessage) => void;
  readonly close: (error: CodeAndSubCode, reason: string) => void;
}

interface Awaited {
  readonly resolve: (rpt: RptMessage) => void;
  readonly reject: (error: ProtocolError) => void;
  readonly timer: Timer;
}

/** `late` was waited for in vain, `unclaimed` is the answer to a REQ: a report on either is nobody's promise. */
type Slot = Awaited | "late" | "unclaimed";

export class PdpPeer {
  readonly pepId: string;
  readonly clientType: number;
  /** `address:port` of the PEP, and of our end. */
  readonly remote: string;
  readonly local: string;
  /** When it connected. */
  readonly since: Timestamp;
  readonly #options: PdpPeerOptions;
  /** Decisions whose reports have not come, oldest first, for each handle. */
  readonly #awaited = new Map<string, Slot[]>();
  #unreported = 0;
  /** Some PEPs never set the solicited flag; seen from the first Success without it. */
  #flagsReports = true;
  #open = true;

  constructor(options: PdpPeerOptions) {
    this.#options = options;
    this.pepId = options.pepId;
    this.clientType = options.clientType;
    this.remote = options.ends.remote;
    this.local = options.ends.local;
    this.since = options.clock.now();
  }

  /**
   * An unsolicited decision. Resolves with its report: RFC 3084 §3.3 has reports come in the order of decisions.
   * @throws ProtocolError COPS_TIMEOUT, or COPS_DOWN when the peer is gone or deleted the handle
   * @throws InternalError if an object cannot hold what it is given: nothing is sent then
   */
  decide(handle: Buffer, decisions: readonly CopsDecision[], timeout?: Millis): Promise<RptMessage> {
    const { clientType, clock, limits, send } = this.#options;
    if (!this.#open) return Promise.reject(new ProtocolError("COPS_DOWN", `${this.pepId} is not connected`));
    return new Promise((resolve, reject) => {
      send({ op: "DEC", clientType, handle, solicited: false, decisions });
      const awaited: Awaited = {
        resolve,
        reject,
        timer: clock.after(timeout ?? limits.reportTimeout, () => {
          this.#outwaited(handle, awaited);
          reject(new ProtocolError("COPS_TIMEOUT", `${this.pepId} did not report in time`));
        }),
      };
      this.#await(handle, awaited);
    });
  }

  /** A solicited decision went out: the report on it is nobody's promise, but comes in its turn. */
  answered(handle: Buffer): void {
    this.#await(handle, "unclaimed");
  }

  /** The report as the role is to see it; undefined if it settled a decision made by `decide`. */
  takeReport(rpt: RptMessage): RptMessage | undefined {
    const key = handleKey(rpt.handle);
    const queue = this.#awaited.get(key);
    if (queue === undefined || !this.#isAnswer(rpt)) return rpt;
    const awaited = queue.shift();
    this.#unreported -= 1;
    if (queue.length === 0) this.#awaited.delete(key);
    if (awaited === undefined || awaited === "unclaimed") return rpt.solicited ? rpt : { ...rpt, solicited: true };
    if (awaited === "late") return undefined;
    awaited.timer.cancel();
    awaited.resolve(rpt);
    return undefined;
  }

  /** The handle is gone, and with it what waits for its reports. */
  forget(handle: Buffer): void {
    const key = handleKey(handle);
    const queue = this.#awaited.get(key) ?? [];
    this.#awaited.delete(key);
    this.#unreported -= queue.length;
    this.#fail(queue, `${this.pepId} deleted the request`);
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
    const queues = [...this.#awaited.values()];
    this.#awaited.clear();
    this.#unreported = 0;
    for (const queue of queues) this.#fail(queue, `${this.pepId} is gone: ${reason}`);
  }

  #fail(queue: readonly Slot[], text: string): void {
    for (const awaited of queue) {
      if (typeof awaited === "string") continue;
      awaited.timer.cancel();
      awaited.reject(new ProtocolError("COPS_DOWN", text));
    }
  }

  /** Whether it answers a decision: by its flag, or from a PEP that does not set it. */
  #isAnswer({ solicited, reportType }: RptMessage): boolean {
    if (solicited) return true;
    // RFC 3084 §3.3: unsolicited reports are Accounting or Failure, so a Success is the answer to something.
    if (reportType === "success") this.#flagsReports = false;
    return reportType !== "accounting" && !this.#flagsReports;
  }

  /** Its report may still come, and must not be taken for the next one's. */
  #outwaited(handle: Buffer, awaited: Awaited): void {
    const queue = this.#awaited.get(handleKey(handle)) ?? [];
    const at = queue.indexOf(awaited);
    if (at >= 0) queue[at] = "late";
  }

  #await(handle: Buffer, slot: Slot): void {
    const key = handleKey(handle);
    const queue = this.#awaited.get(key);
    if (queue === undefined) this.#awaited.set(key, [slot]);
    else queue.push(slot);
    this.#unreported += 1;
    if (this.#unreported <= this.#options.limits.maxUnreported) return;
    // RFC 3084 §3.3: reports are mandatory. A PEP that does not send them starts anew.
    this.close({ code: COPS_ERROR.communicationFailure, subCode: 0 }, "its reports do not come");
  }
}
