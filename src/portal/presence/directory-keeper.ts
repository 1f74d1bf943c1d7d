/** Keeps the directory told of our users, and us of those of others. */
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { millis, seconds, type Timestamp } from "../../model/units.js";
import type { Directory, DirectoryEntry } from "./directory-client.js";

export interface DirectoryKeeperOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly log: Logger;
  /** Everybody who is on-line anywhere, each time that the directory said something else; nobody once it has been silent for long. */
  readonly onEntries: (entries: readonly DirectoryEntry[]) => void;
}

interface Told {
  readonly aor: string;
  readonly online: boolean;
  /** When it is to be told next. */
  readonly due: Timestamp;
  readonly isOnItsWay: boolean;
  /** The last time that it makes sense to say that somebody is off-line: the directory knows by itself then. */
  readonly until: Timestamp;
}

const TICK = millis(100);
/** A third of the time for which the directory believes that somebody is on-line. */
const REFRESH = seconds(20);
const TTL = seconds(60);
/** Of a directory that answers at once. */
const READ_EVERY = seconds(5);
/** How long one that waits is to wait for news; shorter than what counts as silence. */
const WAIT = seconds(8);
/** What happens meanwhile is read together: a page is told once a second anyway. */
const READ_GAP = millis(200);
const RETRY = seconds(5);
/** Requests at a time, beside the reading: enough for some 5,000 users. */
const AT_ONCE = 64;

export class DirectoryKeeper {
  readonly #options: DirectoryKeeperOptions;
  readonly #told = new Map<string, Told>();
  readonly #taken = new Set<string>();
  #onTheirWay = 0;
  #isReading = false;
  #nextReading = 0 as Timestamp;
  #lastAnswer: Timestamp;
  /** What was told last, of a directory that says when it is another list. */
  #entries: readonly DirectoryEntry[] | undefined;
  #timer: Timer | undefined;

  constructor(options: DirectoryKeeperOptions) {
    this.#options = options;
    this.#lastAnswer = options.clock.now();
    this.#arm();
  }

  /** One of ours has come or gone. */
  tell(nick: string, aor: string, online: boolean): void {
    const now = this.#options.clock.now();
    const isOnItsWay = this.#told.get(nick)?.isOnItsWay ?? false;
    this.#told.set(nick, { aor, online, due: now, isOnItsWay, until: (now + TTL) as Timestamp });
  }

  problems(): readonly string[] {
    const silent = this.#options.clock.now() - this.#lastAnswer;
    return [
      ...(silent > 3 * READ_EVERY ? [`the directory has not answered for ${Math.round(silent / 1000)} s`] : []),
      ...(this.#taken.size > 0 ? [`${this.#taken.size} nick names belong to another provider`] : []),
    ];
  }

  close(): void {
    this.#timer?.cancel();
    this.#options.directory.close();
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(TICK, () => {
      this.#tick();
      this.#arm();
    });
  }

  #tick(): void {
    const now = this.#options.clock.now();
    for (const [nick, told] of this.#told) {
      if (this.#onTheirWay >= AT_ONCE) break;
      if (!told.online && now >= told.until) this.#told.delete(nick);
      else if (told.due <= now && !told.isOnItsWay) this.#put(nick, told).catch((error) => this.#failed(error));
    }
    if (now >= this.#nextReading && !this.#isReading) this.#read(now).catch((error) => this.#failed(error));
  }

  async #put(nick: string, told: Told): Promise<void> {
    this.#onTheirWay += 1;
    this.#told.set(nick, { ...told, isOnItsWay: true });
    const isHeard = await this.#options.directory.put(nick, told).then(
      (result) => this.#heard(nick, result),
      () => false,
    );
    this.#onTheirWay -= 1;
    const latest = this.#told.get(nick);
    if (latest === undefined) return;
    const isNews = latest.online !== told.online;
    // Nothing is left to say of somebody who has gone.
    if (isHeard && !isNews && !latest.online) {
      this.#told.delete(nick);
      return;
    }
    const now = this.#options.clock.now();
    const due = isNews ? now : now + (isHeard ? REFRESH : RETRY);
    this.#told.set(nick, { ...latest, isOnItsWay: false, due: due as Timestamp });
  }

  #heard(nick: string, result: "kept" | "taken"): true {
    this.#lastAnswer = this.#options.clock.now();
    if (result === "kept") this.#taken.delete(nick);
    else if (!this.#taken.has(nick)) {
      this.#taken.add(nick);
      this.#options.log.warn("portal.directory.nick-taken", { nick });
    }
    return true;
  }

  async #read(now: Timestamp): Promise<void> {
    const { directory, clock, onEntries, log } = this.#options;
    this.#isReading = true;
    this.#nextReading = (now + READ_EVERY) as Timestamp;
    try {
      const entries = await directory.online(WAIT);
      this.#lastAnswer = clock.now();
      if (directory.waits) this.#nextReading = (this.#lastAnswer + READ_GAP) as Timestamp;
      if (entries !== this.#entries) onEntries(entries);
      this.#entries = directory.waits ? entries : undefined;
    } catch (error) {
      log.debug("portal.directory.not-read", { error });
      // Whoever was on-line then is not known to be any more.
      if (clock.now() - this.#lastAnswer > TTL) {
        this.#entries = undefined;
        onEntries([]);
      }
    } finally {
      this.#isReading = false;
    }
  }

  #failed(error: unknown): void {
    this.#options.log.error("portal.directory.failed", { error });
  }
}
