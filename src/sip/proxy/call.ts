/** One session at this proxy: its context, the order in which its messages are decided, and its single end. */
import type { Clock } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import type { ExtraHeader } from "../message/build.js";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.js";
import type { DialogEnder } from "./dialog-ender.js";
import type { DialogLegs, DialogParty } from "./dialog-legs.js";
import { applyEdits } from "./forwarder.js";
import type { ProxyLimits } from "./options.js";
import type { DialogContext, EndKind, ProxyPolicy, RefusedVerdict, SessionEnding } from "./policy.js";

export interface CallOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: ProxyPolicy;
  readonly limits: ProxyLimits;
  /** The call is over and its resources are released. */
  readonly removed: (call: Call) => void;
}

/** The INVITE that makes the session, as long as it is unanswered. */
export interface SetUp {
  /** Refuses the caller and gives up at the callee. False if a final answer has gone out. */
  withdraw(ending: SessionEnding): boolean;
}

/** Stands for a policy that failed or did not answer. */
export const POLICY_LOST: RefusedVerdict = {
  forward: false,
  status: 503,
  phrase: "Service Unavailable",
  headers: [
    { name: "Retry-After", value: "10" },
    { name: "Warning", value: '399 sluice "the policy server did not answer"' },
  ],
};

export class Call {
  context: DialogContext;
  /** None for a session that was recalled. */
  setUp: SetUp | undefined;
  /** Set while this proxy ends the dialog itself. */
  ender: DialogEnder | undefined;
  private readonly notices = new Map<DialogParty, readonly ExtraHeader[]>();
  /** What a party's ACK of its last 2xx, and its PRACK of the last reliable provisional, are to carry. */
  private readonly acknowledging = new Map<
    `${DialogParty} ${"ACK" | "PRACK"}`,
    { readonly of: string; readonly headers: readonly ExtraHeader[] }
  >();
  private readonly options: CallOptions;
  private tail: Promise<void> = Promise.resolve();
  private waiting = 0;
  private end_: Promise<void> | undefined;
  private confirmed: boolean;
  /** Of early dialogs (§12.1): tags of provisionals. */
  private readonly early = new Set<string>();

  constructor(context: DialogContext, options: CallOptions) {
    this.context = context;
    this.confirmed = context.calleeTag !== undefined;
    this.options = options;
  }

  get policy(): ProxyPolicy {
    return this.options.policy;
  }

  /** Set as soon as the end is known; resolves when everything is released. */
  get ending(): Promise<void> | undefined {
    return this.end_;
  }

  /** Runs `task` after all that was held before. False if too much is held: then it never runs. */
  hold(task: () => Promise<void>): boolean {
    if (this.waiting >= this.options.limits.held) return false;
    void this.append(task);
    return true;
  }

  /** Holds everything of this call until another one of the same name is released. */
  after(other: Promise<void> | undefined): void {
    if (other !== undefined) void this.append(() => other);
  }

  /** The policy's verdict; a policy that fails or stays silent refuses. `late` hears what it says after that. */
  async decide<V>(ask: () => Promise<V>, late?: (verdict: V) => void): Promise<V | RefusedVerdict> {
    const { clock, limits, logger } = this.options;
    let overdue = false;
    const asked = Promise.resolve()
      .then(ask)
      .then((verdict): V | RefusedVerdict => {
        if (overdue) late?.(verdict);
        return verdict;
      })
      .catch((cause: unknown) => {
        logger.error("sip.policy.failed", { session: this.context.session, cause: String(cause) });
        return POLICY_LOST;
      });
    return await new Promise((resolve) => {
      const timer = clock.after(limits.policyWait, () => {
        overdue = true;
        logger.error("sip.policy.silent", { session: this.context.session });
        resolve(POLICY_LOST);
      });
      void asked.then((verdict) => {
        timer.cancel();
        resolve(verdict);
      });
    });
  }

  /** The first call counts: tells the policy, in order, and removes the call. Later ones wait for the same end. */
  end(kind: EndKind, message: SipMessage): Promise<void> {
    this.end_ ??= this.append(async () => {
      await this.decide(() => this.options.policy.ended(this.context, kind, message).then(() => undefined));
      this.options.removed(this);
    });
    return this.end_;
  }

  /** Nothing was decided, or the policy itself refused: it has nothing to release. */
  discard(): void {
    this.end_ ??= Promise.resolve();
    this.options.removed(this);
  }

  /** The party that wrote it, or that its request came from. */
  partyOf(message: SipMessage): DialogParty {
    return this.isFromCaller(message) ? "caller" : "callee";
  }

  /** Legs as `change` leaves them, if the dialog's are known. */
  follow(change: (legs: DialogLegs) => DialogLegs): void {
    const { legs } = this.context;
    if (legs !== undefined) this.context = { ...this.context, legs: change(legs) };
  }

  /** Goes to each party once, with the next final answer that it gets. */
  notify(headers: readonly ExtraHeader[]): void {
    for (const party of ["caller", "callee"] as const) this.notices.set(party, headers);
  }

  /** The response with what its receiver is still to be told. */
  withNotice(response: SipResponse): SipResponse {
    // The party that a response goes to is in From, as in its request (RFC 3261 §8.2.6.2).
    const party = this.partyOf(response);
    const addHeaders = response.status < 200 ? undefined : this.notices.get(party);
    if (addHeaders === undefined) return response;
    this.notices.delete(party);
    return applyEdits(response, { addHeaders });
  }

  /** A 2xx or a reliable provisional goes on: what acknowledges it, and every repetition of that, gets `headers`. */
  onAcknowledgement(answer: SipResponse, headers: readonly ExtraHeader[]): void {
    const number = `${answer.cseq?.number ?? 0}`;
    const party = this.partyOf(answer);
    if (answer.status >= 200) this.acknowledging.set(`${party} ACK`, { of: number, headers });
    else this.acknowledging.set(`${party} PRACK`, { of: `${answer.header("rseq")?.trim()} ${number} INVITE`, headers });
  }

  /** RFC 3261 §13.2.2.4: an ACK has the CSeq number of its INVITE. RFC 3262 §7.2: RAck says what a PRACK is about. */
  headersOfAcknowledgement(request: SipRequest): readonly ExtraHeader[] {
    const isAck = request.method === "ACK";
    const kept = this.acknowledging.get(`${this.partyOf(request)} ${isAck ? "ACK" : "PRACK"}`);
    const of = isAck ? `${request.cseq?.number}` : request.header("rack")?.trim().replace(/\s+/g, " ");
    return kept !== undefined && kept.of === of && this.isOwn(request) ? kept.headers : [];
  }

  isFromCaller(message: SipMessage): boolean {
    return message.fromTag === this.context.callerTag;
  }

  /** True if the message's tags are this dialog's, or those of a dialog that may still become it (§12). */
  isOwn(message: SipMessage): boolean {
    const { callerTag, calleeTag } = this.context;
    const other = message.fromTag === callerTag ? message.toTag : message.fromTag;
    if (other === undefined) return false;
    return this.confirmed ? other === calleeTag : this.early.has(other);
  }

  /** Keeps the callee's tag: of the latest provisional until the first 2xx fixes it. */
  learnCallee(tag: string | undefined, confirmed: boolean): void {
    if (tag === undefined || this.confirmed) return;
    if (this.early.size < this.options.limits.provisionals) this.early.add(tag);
    this.context = { ...this.context, calleeTag: tag };
    this.confirmed = confirmed;
  }

  private append(task: () => Promise<void>): Promise<void> {
    this.waiting += 1;
    this.tail = this.tail
      .then(task)
      .catch((cause: unknown) => {
        this.options.logger.error("sip.call.failed", { session: this.context.session, cause: String(cause) });
      })
      .finally(() => {
        this.waiting -= 1;
      });
    return this.tail;
  }
}
