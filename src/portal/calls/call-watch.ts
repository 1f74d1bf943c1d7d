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
  /** Sessions of these users that live. */
  readonly liveOf: (aors: readonly string[]) => Promise<readonly RoleSession[]>;
  /** A session of a user, whether it lives or not; undefined if nobody knows of it any more. */
  readonly find: (callId: string, aor: string) => Promise<RoleSession | undefined>;
  readonly clock: Clock;
  readonly log: Logger;
}

const ASK_EVERY = seconds(1);

interface Known {
  readonly text: string;
  readonly happening: SessionHappening;
  /** Addresses of record. */
  readonly parties: readonly [string, string];
}

export class CallWatch {
  readonly #options: CallWatchOptions;
  /** By address of record. */
  readonly #listeners = new Map<string, Set<EventStream>>();
  /** By session, side and Call-ID, as they were last told. */
  #known: ReadonlyMap<string, Known> = new Map();
  /** Whose sessions are in it: what is found of others is no news. */
  #asked: ReadonlySet<string> = new Set();
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
      const asked = new Set(this.#listeners.keys());
      const known = knownOf(await this.#options.liveOf([...asked]));
      for (const [key, each] of this.#known) {
        if (!known.has(key) && each.parties.some((aor) => asked.has(aor))) await this.#over(each);
      }
      for (const [key, { text, happening, parties }] of known) {
        const isNews = this.#known.has(key) || parties.some((aor) => this.#asked.has(aor));
        if (isNews && this.#known.get(key)?.text !== text) this.#send(parties, happening);
      }
      [this.#known, this.#asked] = [known, asked];
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      if (this.#failures === 1) this.#options.log.warn("portal.sessions.not-read", { error });
    } finally {
      this.#isAsking = false;
    }
  }

  /** It does not live any more: says how it ended. */
  async #over({ happening, parties }: Known): Promise<void> {
    const { callId } = happening;
    const session = await this.#options.find(callId, parties[0]);
    const state = session?.state ?? "closed";
    this.#send(parties, { callId, state, grants: session === undefined ? happening.grants : grantsOf(session) });
  }

  #send(parties: readonly string[], happening: SessionHappening): void {
    const streams = new Set(parties.flatMap((aor) => [...(this.#listeners.get(aor) ?? [])]));
    if (streams.size === 0) return;
    const frame = frameOf("session", happening);
    for (const stream of streams) stream.send(frame);
  }
}

function knownOf(sessions: readonly RoleSession[]): ReadonlyMap<string, Known> {
  const known = new Map<string, Known>();
  for (const session of sessions) {
    const { callId, caller, callee, state } = session;
    if (callId === undefined) continue;
    const happening = { callId, state, grants: grantsOf(session) };
    // A policy server writes hosts without capitals, others may not: `listen` is given them without.
    const parties = [normalAor(caller), normalAor(callee)] as const;
    const key = [session.session, session.side, callId].join("\0");
    known.set(key, { text: JSON.stringify(happening), happening, parties });
  }
  return known;
}
