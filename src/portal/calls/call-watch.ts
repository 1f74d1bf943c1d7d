/** Tells pages of their users' sessions as they change. The policy server is asked as long as anybody listens. */
import { normalAor } from "../../model/address-of-record.js";
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { seconds } from "../../model/units.js";
import type { SessionHappening } from "../api/shapes.js";
import { type EventStream, frameOf } from "../http/event-streams.js";
import type { RoleSession } from "../roles/answers.js";
import { grantsOf } from "./calls.js";

export interface CallWatchOptions {
  readonly sessions: () => Promise<readonly RoleSession[]>;
  readonly clock: Clock;
  readonly log: Logger;
}

const ASK_EVERY = seconds(1);

interface Known {
  readonly text: string;
  readonly happening: SessionHappening;
}

export class CallWatch {
  readonly #options: CallWatchOptions;
  /** By address of record. */
  readonly #listeners = new Map<string, Set<EventStream>>();
  /** By session, side and Call-ID, as they were last told. */
  #known: ReadonlyMap<string, Known> = new Map();
  /** Whether `#known` is what is so: else what is found is no news. */
  #isKnown = false;
  #isAsking = false;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(options: CallWatchOptions) {
    this.#options = options;
    this.#arm();
  }

  listen(aor: string, stream: EventStream): void {
    const streams = this.#listeners.get(aor) ?? new Set();
    this.#listeners.set(aor, streams.add(stream));
  }

  unlisten(aor: string, stream: EventStream): void {
    const streams = this.#listeners.get(aor);
    streams?.delete(stream);
    if (streams?.size === 0) this.#listeners.delete(aor);
    if (this.#listeners.size === 0) this.#isKnown = false;
  }

  problems(): readonly string[] {
    return this.#failures >= 3 ? ["the policy server's control socket does not answer"] : [];
  }

  close(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(ASK_EVERY, () => {
      if (this.#listeners.size > 0 && !this.#isAsking) {
        this.#ask().catch((error: unknown) => this.#options.log.error("portal.watch.failed", { error }));
      }
      this.#arm();
    });
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      const sessions = await this.#options.sessions();
      this.#failures = 0;
      this.#tell(sessions);
    } catch (error) {
      this.#failures += 1;
      if (this.#failures === 1) this.#options.log.warn("portal.sessions.not-read", { error });
    } finally {
      this.#isAsking = false;
    }
  }

  #tell(sessions: readonly RoleSession[]): void {
    const known = new Map<string, Known>();
    for (const session of sessions) {
      const { callId, caller, callee, state } = session;
      const key = [session.session, session.side, callId].join("\0");
      if (callId === undefined || known.has(key)) continue;
      const happening = { callId, state, grants: grantsOf(session) };
      const text = JSON.stringify(happening);
      known.set(key, { text, happening });
      if (this.#isKnown && this.#known.get(key)?.text !== text) this.#send([caller, callee], happening);
    }
    this.#known = known;
    this.#isKnown = true;
  }

  #send(parties: readonly string[], happening: SessionHappening): void {
    // A policy server writes hosts without capitals, others may not: `listen` is given them without.
    const streams = new Set(parties.flatMap((aor) => [...(this.#listeners.get(normalAor(aor)) ?? [])]));
    if (streams.size === 0) return;
    const frame = frameOf("session", happening);
    for (const stream of streams) stream.send(frame);
  }
}
