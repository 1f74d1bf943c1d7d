/** Who is logged in. */
import type { Clock, Timer } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { seconds } from "../../model/units.js";
import type { Account } from "../accounts/accounts.js";
import { type LoginSession, type SessionAction, type SessionLimits, stepSession } from "./machine.js";
import { newSessionSecret, type SessionKey, type SessionSecret, sessionKeyOf } from "./session-id.js";
import type { SessionStore } from "./session-store.js";

export interface SessionsOptions {
  readonly store: SessionStore;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly find: (name: string) => Account | undefined;
  /** A log-in has ended, for whatever reason. */
  readonly onEnd: (key: SessionKey, user: string) => void;
}

/** A log-in that holds, and whose it is. */
export interface Login {
  readonly id: SessionSecret;
  readonly key: SessionKey;
  readonly account: Account;
}

const SWEEP_EVERY = seconds(30);
/** Log-ins of one user at a time: the oldest makes room. */
const PER_USER_MAX = 16;

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #open = new Map<SessionKey, LoginSession>();
  readonly #byUser = new Map<string, Set<SessionKey>>();
  #sweeping: Timer | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
    for (const [key, session] of options.store.all()) this.#set(key, session);
    this.#sweeping = options.clock.after(SWEEP_EVERY, () => this.#sweep());
  }

  get size(): number {
    return this.#open.size;
  }

  /** @returns the new log-in, which is on the disk; a former one of the same browser ends (session fixation) */
  async open(account: Account, former?: SessionSecret): Promise<Login> {
    if (former !== undefined) await this.close(sessionKeyOf(former));
    const keys = this.#byUser.get(account.name);
    const [oldest] = keys ?? [];
    if (keys !== undefined && keys.size >= PER_USER_MAX && oldest !== undefined) await this.close(oldest);
    const id = newSessionSecret();
    const key = sessionKeyOf(id);
    const { name: user, fingerprint } = account;
    const at = this.#options.clock.now();
    const { state, actions } = stepSession(undefined, { kind: "opened", at, user, fingerprint }, this.#options.limits);
    if (state !== undefined) this.#set(key, state);
    await this.#act(key, state, actions);
    return { id, key, account };
  }

  /** The log-in that a request is made under, which counts as its use; undefined if it does not hold any more. */
  use(id: SessionSecret): Login | undefined {
    const key = sessionKeyOf(id);
    const account = this.#step(key, "used");
    return account === undefined ? undefined : { id, key, account };
  }

  /** Whether it still holds, which is no use of it. */
  holds(key: SessionKey): boolean {
    return this.#step(key, "time") !== undefined;
  }

  /** Resolves when it is gone from the disk too: a restart must not bring it back. */
  async close(key: SessionKey): Promise<void> {
    const session = this.#open.get(key);
    const { actions } = stepSession(session, { kind: "closed" }, this.#options.limits);
    if (session !== undefined) this.#remove(key, session);
    await this.#act(key, undefined, actions);
  }

  async closeAll(user: string): Promise<void> {
    await Promise.all([...(this.#byUser.get(user) ?? [])].map((key) => this.close(key)));
  }

  /** Whether the user is logged in anywhere. */
  has(user: string): boolean {
    return [...(this.#byUser.get(user) ?? [])].some((key) => this.holds(key));
  }

  stop(): void {
    this.#sweeping?.cancel();
  }

  #step(key: SessionKey, kind: "used" | "time"): Account | undefined {
    const session = this.#open.get(key);
    if (session === undefined) return undefined;
    const { clock, limits, find } = this.#options;
    const account = find(session.user);
    const event = { kind, at: clock.now(), fingerprint: account?.fingerprint };
    const { state, actions } = stepSession(session, event, limits);
    if (state === undefined) this.#remove(key, session);
    else this.#open.set(key, state);
    this.#act(key, state, actions).catch((error: unknown) => {
      this.#options.log.error("portal.session.not-stored", { error });
    });
    return state === undefined ? undefined : account;
  }

  async #act(key: SessionKey, state: LoginSession | undefined, actions: readonly SessionAction[]): Promise<void> {
    const { store } = this.#options;
    for (const action of actions) {
      if (action === "delete") await store.delete(key);
      else if (state === undefined) throw new SystemError("PORTAL_SESSION", "a log-in that ended is not stored");
      else await store.put(key, state);
    }
  }

  #set(key: SessionKey, session: LoginSession): void {
    this.#open.set(key, session);
    const keys = this.#byUser.get(session.user) ?? new Set();
    this.#byUser.set(session.user, keys.add(key));
  }

  #remove(key: SessionKey, { user }: LoginSession): void {
    this.#open.delete(key);
    const keys = this.#byUser.get(user);
    keys?.delete(key);
    if (keys?.size === 0) this.#byUser.delete(user);
    this.#options.onEnd(key, user);
  }

  /** What nobody asks about ends in time too. */
  #sweep(): void {
    for (const key of [...this.#open.keys()]) this.holds(key);
    this.#sweeping = this.#options.clock.after(SWEEP_EVERY, () => this.#sweep());
  }
}
