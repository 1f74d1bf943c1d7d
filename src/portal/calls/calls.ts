/** The sessions of users, as the policy server and the proxy know them. */
import { normalAor } from "../../model/address-of-record.js";
import type { Logger } from "../../model/log.js";
import type { MediaGrant } from "../../model/quality.js";
import type { SessionDetail } from "../api/shapes.js";
import { type RoleSession, readEvents, readExplain, readSessions } from "../roles/answers.js";
import { askIfKnown, type RolePort } from "../roles/role-client.js";
import { ladderOf, type ToldEvents } from "./ladder.js";

export interface CallsOptions {
  readonly pdp: RolePort;
  readonly proxy: RolePort;
  readonly log: Logger;
}

/** States in which there is nothing left to end. */
const OVER = new Set(["releasing", "closed", "refused"]);
const ENDED_AT_ONCE_MAX = 16;

export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** @throws SystemError CONTROL_* */
  async sessions(): Promise<readonly RoleSession[]> {
    return readSessions(await this.#options.pdp.ask("/v1/show/sessions"));
  }

  /** Undefined for one that is not known, or not this user's. @throws SystemError CONTROL_* */
  async find(callId: string, aor: string): Promise<RoleSession | undefined> {
    const sessions = readSessions(await this.#options.pdp.ask("/v1/show/sessions", { callId }));
    const own = sessions.filter((session) => session.callId === callId && isOf(session, aor));
    // A server of both parties has one for each side.
    return own.find(({ state }) => !OVER.has(state)) ?? own[0];
  }

  /** All that is known of it. @throws SystemError CONTROL_* when the policy server does not answer */
  async detail(callId: string, aor: string): Promise<SessionDetail | undefined> {
    const { pdp, proxy } = this.#options;
    const session = await this.find(callId, aor);
    if (session === undefined) return undefined;
    const [explained, ...told] = await Promise.all([
      askIfKnown(pdp, "/v1/explain", { session: session.session }),
      this.#events(pdp, "policy server", callId, session.session),
      this.#events(proxy, "proxy", callId, session.session),
    ]);
    const { steps, grants } = explained === undefined ? { steps: [], grants: undefined } : readExplain(explained);
    return {
      callId,
      session: session.session,
      state: session.state,
      caller: session.caller,
      callee: session.callee,
      ...(session.class === undefined ? {} : { class: session.class }),
      grants: session.grants ?? grants ?? [],
      steps,
      ladder: ladderOf(told),
    };
  }

  /** The user has left: the policy server ends the session. False for one that is not theirs, or over. @throws SystemError CONTROL_* */
  async leave(callId: string, aor: string): Promise<boolean> {
    const session = await this.find(callId, aor);
    if (session === undefined || OVER.has(session.state)) return false;
    await this.#options.pdp.act("/v1/sessions/end", { callId, cause: "left" });
    return true;
  }

  /** Leaves all of a user's sessions. @throws SystemError CONTROL_* */
  async leaveAll(aor: string): Promise<void> {
    const sessions = await this.sessions();
    const live = sessions.filter((session) => isOf(session, aor) && !OVER.has(session.state));
    const ids = new Set(live.flatMap(({ callId }) => (callId === undefined ? [] : [callId])));
    const ends = [...ids]
      .slice(0, ENDED_AT_ONCE_MAX)
      .map((callId) => this.#options.pdp.act("/v1/sessions/end", { callId, cause: "left" }));
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === "rejected") this.#options.log.warn("portal.leave.failed", { aor, error: end.reason });
    }
  }

  /** A role that does not answer takes its part of the ladder with it, and nothing more. */
  async #events(role: RolePort, teller: ToldEvents["teller"], callId: string, session: string): Promise<ToldEvents> {
    try {
      const byCall = readEvents((await askIfKnown(role, "/v1/events", { session: callId })) ?? { events: [] });
      if (byCall.length > 0) return { teller, events: byCall };
      const bySession = await askIfKnown(role, "/v1/events", { session });
      return { teller, events: readEvents(bySession ?? { events: [] }) };
    } catch (error) {
      this.#options.log.warn("portal.events.failed", { teller, error });
      return { teller, events: [] };
    }
  }
}

/** Whether the user takes part in it. */
export function isOf({ caller, callee }: RoleSession, aor: string): boolean {
  return sameAor(caller, aor) || sameAor(callee, aor);
}

/** RFC 3261 §19.1.4: the user part is compared as it is, the host without case. */
export const sameAor = (one: string, other: string): boolean => normalAor(one) === normalAor(other);

/** What of a session pages are told of. */
export const grantsOf = ({ grants }: RoleSession): readonly MediaGrant[] => grants ?? [];
