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
const ENDED_AT_ONCE = 16;
/** Characters of a question: a control server takes 2048 with all that is about it. */
const USERS_MAX = 1800;

export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Sessions of users that live. @throws SystemError CONTROL_* */
  async liveOf(aors: readonly string[]): Promise<readonly RoleSession[]> {
    const sessions: RoleSession[] = [];
    for (const user of questionsOf(aors)) {
      sessions.push(...readSessions(await this.#options.pdp.ask("/v1/show/sessions", { user, live: "1" })));
    }
    const users = new Set(aors.map(normalAor));
    // A role that does not know these queries answers with what it likes.
    return sessions.filter(({ caller, callee, state }) => {
      return !OVER.has(state) && (users.has(normalAor(caller)) || users.has(normalAor(callee)));
    });
  }

  /** Undefined for one that is not known, or not this user's. @throws SystemError CONTROL_* */
  async find(callId: string, aor: string): Promise<RoleSession | undefined> {
    const own = await this.#of(callId, aor);
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
    const live = (await this.#of(callId, aor)).filter(({ state }) => !OVER.has(state));
    for (const session of live) await this.#end(session);
    return live.length > 0;
  }

  /** Leaves all of a user's sessions. @throws SystemError CONTROL_* */
  async leaveAll(aor: string): Promise<void> {
    const live = await this.liveOf([aor]);
    for (let first = 0; first < live.length; first += ENDED_AT_ONCE) {
      const ends = live.slice(first, first + ENDED_AT_ONCE).map((session) => this.#end(session));
      for (const end of await Promise.allSettled(ends)) {
        if (end.status === "rejected") this.#options.log.warn("portal.leave.failed", { aor, error: end.reason });
      }
    }
  }

  /** A server of both parties has one for each side; a caller may take the Call-ID of a stranger. */
  async #of(callId: string, aor: string): Promise<readonly RoleSession[]> {
    const sessions = readSessions(await this.#options.pdp.ask("/v1/show/sessions", { callId }));
    return sessions.filter((session) => session.callId === callId && isOf(session, aor));
  }

  async #end({ callId = "", session }: RoleSession): Promise<void> {
    await this.#options.pdp.act("/v1/sessions/end", { callId, session, cause: "left" });
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

/** Addresses by spaces, in as many questions as it takes. */
function questionsOf(aors: readonly string[]): readonly string[] {
  const questions: string[] = [];
  let [users, length]: [string[], number] = [[], 0];
  for (const aor of aors) {
    const own = new URLSearchParams({ user: aor }).toString().length;
    if (length + own > USERS_MAX && users.length > 0) {
      questions.push(users.join(" "));
      [users, length] = [[], 0];
    }
    users.push(aor);
    length += own;
  }
  return users.length === 0 ? questions : [...questions, users.join(" ")];
}

/** Whether the user takes part in it. */
export function isOf({ caller, callee }: RoleSession, aor: string): boolean {
  return sameAor(caller, aor) || sameAor(callee, aor);
}

/** RFC 3261 §19.1.4: the user part is compared as it is, the host without case. */
export const sameAor = (one: string, other: string): boolean => normalAor(one) === normalAor(other);

/** What of a session pages are told of. */
export const grantsOf = ({ grants }: RoleSession): readonly MediaGrant[] => grants ?? [];
