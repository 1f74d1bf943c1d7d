/** Who is on-line, here and elsewhere, told to every open page: once a second, and only what has changed. */
import type { Clock, Timer } from "../../model/clock.js";
import { type Millis, seconds } from "../../model/units.js";
import type { ChosenState, PresenceEntry } from "../api/shapes.js";
import { type EventStream, type Frame, frameOf } from "../http/event-streams.js";
import type { DirectoryEntry } from "./directory-client.js";
import { type PresenceEvent, stepPresence, type UserPresence } from "./machine.js";

/** How others know a user. */
export interface Person {
  readonly user: string;
  readonly nick: string;
  readonly aor: string;
}

export interface PresenceOptions {
  readonly clock: Clock;
  /** One of ours has come or gone. */
  readonly onLocal: (person: Person, online: boolean) => void;
}

const FLUSH_EVERY: Millis = seconds(1);

interface Local {
  readonly person: Person;
  readonly state: UserPresence;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #streams = new Set<EventStream>();
  readonly #local = new Map<string, Local>();
  /** Users whose last page has closed. */
  readonly #leaving = new Set<string>();
  /** By address of record. */
  readonly #remote = new Map<string, PresenceEntry>();
  /** What pages are to be told, by address of record. */
  readonly #changes = new Map<string, PresenceEntry>();
  #everybody: Frame | undefined;
  #timer: Timer | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#arm();
  }

  /** Users of this portal. */
  get online(): number {
    return this.#local.size;
  }

  /** A page has opened: it is told of everybody, and from then on of changes. */
  opened(person: Person, stream: EventStream): void {
    const known = this.#local.get(person.user)?.state;
    this.#step(person, known, { kind: "opened", at: this.#options.clock.now() });
    // Made once for all who come within a flush: what has changed since comes with the next, also to this page.
    this.#everybody ??= frameOf("presence", this.#list());
    stream.send(this.#everybody);
    this.#streams.add(stream);
  }

  closed(user: string, stream: EventStream): void {
    // One of before a log-out was counted then.
    if (this.#streams.delete(stream)) this.#apply(user, { kind: "closed", at: this.#options.clock.now() });
  }

  /** False for one who is not on-line. */
  chose(user: string, state: ChosenState): boolean {
    if (!this.#local.has(user)) return false;
    this.#apply(user, { kind: "chose", at: this.#options.clock.now(), state });
    return true;
  }

  /** Logged out everywhere. */
  left(user: string): void {
    for (const stream of this.#streams) if (stream.user === user) this.#streams.delete(stream);
    this.#apply(user, { kind: "left" });
  }

  /** Who is on-line elsewhere: the whole list. Ours are known here better, and are left out. */
  remote(entries: readonly DirectoryEntry[], isOurs: (aor: string) => boolean): void {
    const seen = new Set<string>();
    for (const { nick, aor, since } of entries) {
      if (isOurs(aor)) continue;
      seen.add(aor);
      const known = this.#remote.get(aor);
      if (known?.nick === nick && known.since === since) continue;
      const entry: PresenceEntry = { nick, aor, state: "online", since };
      this.#remote.set(aor, entry);
      this.#change(entry);
    }
    for (const [aor, entry] of this.#remote) {
      if (seen.has(aor)) continue;
      this.#remote.delete(aor);
      this.#change({ ...entry, state: "offline", since: this.#options.clock.now() });
    }
  }

  close(): void {
    this.#timer?.cancel();
  }

  #apply(user: string, event: PresenceEvent): void {
    const local = this.#local.get(user);
    if (local !== undefined) this.#step(local.person, local.state, event);
  }

  #step(person: Person, known: UserPresence | undefined, event: PresenceEvent): void {
    const { state, isChange } = stepPresence(known, event);
    const { user, nick, aor } = person;
    if (state === undefined) this.#local.delete(user);
    else this.#local.set(user, { person, state });
    if (state?.leaving === undefined) this.#leaving.delete(user);
    else this.#leaving.add(user);
    if (!isChange) return;
    const now = this.#options.clock.now();
    this.#change({ nick, aor, state: state?.chosen ?? "offline", since: state?.since ?? now });
    if ((state === undefined) !== (known === undefined)) this.#options.onLocal(person, state !== undefined);
  }

  #change(entry: PresenceEntry): void {
    this.#changes.set(entry.aor, entry);
  }

  #list(): readonly PresenceEntry[] {
    const local = [...this.#local.values()].map(
      ({ person: { nick, aor }, state: { chosen, since } }): PresenceEntry => ({ nick, aor, state: chosen, since }),
    );
    return [...local, ...this.#remote.values()];
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(FLUSH_EVERY, () => {
      const at = this.#options.clock.now();
      for (const user of [...this.#leaving]) this.#apply(user, { kind: "time", at });
      this.#flush();
      this.#arm();
    });
  }

  #flush(): void {
    if (this.#changes.size === 0) return;
    const frame = frameOf("presence", [...this.#changes.values()]);
    this.#changes.clear();
    this.#everybody = undefined;
    for (const stream of this.#streams) stream.send(frame);
  }
}
