/** The sessions that this proxy has in mind, and which of them a message belongs to. */
import { type SessionId, sessionIdOf } from "../../model/session.js";
import type { SipMessage, SipRequest } from "../message/message.js";
import { lifetime, type SipTimers } from "../transaction/timers.js";
import { Call, type CallOptions } from "./call.js";
import type { DialogContext } from "./policy.js";

export class Calls {
  private readonly live = new Map<SessionId, Call>();
  /** Over since less than 64*T1: their last messages still belong to them, and nothing of theirs is asked again. */
  private readonly over = new Map<SessionId, Call>();
  private readonly options: Omit<CallOptions, "removed">;
  private readonly timers: SipTimers;

  constructor(options: Omit<CallOptions, "removed">, timers: SipTimers) {
    this.options = options;
    this.timers = timers;
  }

  get size(): number {
    return this.live.size;
  }

  get isFull(): boolean {
    return this.live.size >= this.options.limits.dialogs;
  }

  /** Those whose context fits. */
  filter(fits: (context: DialogContext) => boolean): readonly Call[] {
    return [...this.live.values()].filter(({ context }) => fits(context));
  }

  get(session: SessionId): Call | undefined {
    return this.live.get(session);
  }

  /** As the policy remembers it; undefined if it is over, or there are too many. */
  recalled(context: DialogContext): Call | undefined {
    const { session } = context;
    return this.live.get(session) ?? (this.over.has(session) || this.isFull ? undefined : this.open(context));
  }

  open(context: DialogContext): Call {
    const call: Call = new Call(context, { ...this.options, removed: (gone) => this.close(gone) });
    this.live.set(context.session, call);
    this.over.delete(context.session);
    return call;
  }

  /** The session whose dialog a request is in (§12.2): remembered here, perhaps as over, or else by the policy. */
  ofDialog(request: SipRequest): Call | undefined {
    const call = request.toTag === undefined ? undefined : this.ofSession(request);
    return call?.isOwn(request) === true ? call : undefined;
  }

  private ofSession(request: SipRequest): Call | undefined {
    const sessions = sessionsOf(request).filter((session) => session !== undefined);
    for (const known of [this.live, this.over]) {
      const found = sessions.find((session) => known.has(session));
      if (found !== undefined) return known.get(found);
    }
    const tags = [request.fromTag ?? "", request.toTag ?? ""] as const;
    const context = this.options.policy.recall?.(request.callId, tags);
    return context === undefined ? undefined : this.open(context);
  }

  /** The session that a message is written down under. */
  sessionOf(message: SipMessage): SessionId {
    const [fromCaller, fromCallee] = sessionsOf(message);
    if (this.live.has(fromCaller) || this.over.has(fromCaller) || fromCallee === undefined) return fromCaller;
    return this.live.has(fromCallee) || this.over.has(fromCallee) ? fromCallee : fromCaller;
  }

  private close(call: Call): void {
    const { session } = call.context;
    if (this.live.get(session) !== call) return;
    this.live.delete(session);
    this.over.set(session, call);
    this.options.clock.after(lifetime(this.timers), () => {
      if (this.over.get(session) === call) this.over.delete(session);
    });
  }
}

/** Who called is not written in a message: From is the caller's or the callee's. */
function sessionsOf(message: SipMessage): readonly [SessionId, SessionId | undefined] {
  const { callId, fromTag = "", toTag } = message;
  return [sessionIdOf(callId, fromTag), toTag === undefined ? undefined : sessionIdOf(callId, toTag)];
}
