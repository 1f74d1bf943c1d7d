/** Who is on-line, here and elsewhere, told to every open page: once a second, only what has changed, and as fast as the page reads. */
import type { Clock, Timer } from "../../model/clock.js";
import { type Millis, seconds } from "../../model/units.js";
import type { ChosenState, PresenceEntry } from "../api/shapes.js";
import type { EventStream } from "../http/event-streams.js";
import type { DirectoryEntry } from "./directory-client.js";
import { type PresenceEvent, stepPresence, type UserPresence } from "./machine.js";
import { type LogPlace, PresenceLog } from "./presence-log.js";

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
  /** Where each has come to. */
  readonly #streams = new Map<EventStream, LogPlace>();
  readonly #local = new Map<string, Local>();
  /** Users whose last page has closed. */
  readonly #leaving = new Set<string>();
  /** By address of record. */
  readonly #remote = new Map<string, PresenceEntry>();
  readonly #log = new PresenceLog();
  #told = 0;
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
    this.#streams.set(stream, this.#log.begin());
    this.#feed(stream);
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
    for (const stream of this.#streams.keys()) if (stream.user === user) this.#streams.delete(stream);
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
      this.#log.put(entry);
    }
    for (const [aor, entry] of this.#remote) {
      if (seen.has(aor)) continue;
      this.#remote.delete(aor);
      this.#log.put({ ...entry, state: "offline", since: this.#options.clock.now() });
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
    this.#log.put({ nick, aor, state: state?.chosen ?? "offline", since: state?.since ?? now });
    if ((state === undefined) !== (known === undefined)) this.#options.onLocal(person, state !== undefined);
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
    if (this.#log.last !== this.#told) {
      this.#told = this.#log.last;
      for (const stream of this.#streams.keys()) this.#feed(stream);
    }
    this.#log.prune(this.#options.clock.now());
    for (const [stream, place] of this.#streams) if (this.#log.isLost(place)) stream.end();
  }

  #feed(stream: EventStream): void {
    stream.feed(() => {
      const place = this.#streams.get(stream);
      const part = place === undefined ? undefined : this.#log.next(place);
      if (part !== undefined) this.#streams.set(stream, part.place);
      return part?.frame;
    });
  }
}
