/**
 * Nick names and whose they are. A name belongs to the domain that claimed it first, for ever, on disk; who is on-line is said again and
 * again by those who know, and held in memory for a while.
 */
import { domainOf } from "../../model/address-of-record.js";
import type { Clock } from "../../model/clock.js";
import { nickKey } from "../../model/nick-name.js";
import { type Millis, seconds, type Timestamp } from "../../model/units.js";
import { type Database, type Migration, openDatabase, type Statement } from "../../store/database.js";
import { GroupCommit } from "../../store/group-commit.js";

const MIGRATIONS: readonly Migration[] = [
  {
    name: "nick names",
    up: `CREATE TABLE nick (
     key TEXT PRIMARY KEY,
     nick TEXT NOT NULL,
     domain TEXT NOT NULL,
     aor TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX nick_domain ON nick (domain);`,
  },
];

export interface NickEntry {
  /** As its owner writes it; names that differ in case only are one. */
  readonly nick: string;
  /** `user@domain` */
  readonly aor: string;
  readonly online: boolean;
  /** Since when the user is on-line, else since when nobody said so. */
  readonly since: Timestamp;
}

export interface NickLimits {
  /** How long somebody is on-line of whom nothing more is heard. */
  readonly ttl: Millis;
  /** Names of one domain. */
  readonly perDomain: number;
  /** Users on-line at a time, of all domains: no list is longer. */
  readonly online: number;
  /** Of them, those of one domain: others find their places. */
  readonly onlinePerDomain: number;
}

/** A portal has 10 000 users at most. */
export const DEFAULT_NICK_LIMITS: NickLimits = {
  ttl: seconds(60),
  perDomain: 100_000,
  online: 20_000,
  onlinePerDomain: 10_000,
};

/** `taken`: another domain has the name. `full`: a limit was reached. */
export type NickClaim = "kept" | "taken" | "full";

interface Row {
  readonly nick: string;
  readonly domain: string;
  readonly aor: string;
}

interface Presence {
  readonly entry: NickEntry;
  readonly until: Timestamp;
}

export class NickNames {
  readonly #database: Database;
  readonly #commits: GroupCommit;
  readonly #clock: Clock;
  readonly #limits: NickLimits;
  readonly #find: Statement<[string], Row>;
  readonly #claim: Statement<[string, string, string, string]>;
  /** Names that are on the disk, by domain. */
  readonly #names: Map<string, number>;
  /** In the order in which they were heard of: those that are out of date come first. */
  readonly #online = new Map<string, Presence>();
  readonly #onlineOf = new Map<string, number>();
  readonly #start: Timestamp;
  #version = 0;

  /** @param path - the file, or `:memory:` @throws SystemError STORE_* if it cannot be used */
  constructor(path: string, clock: Clock, limits: NickLimits = DEFAULT_NICK_LIMITS) {
    this.#database = openDatabase(path, MIGRATIONS);
    this.#commits = new GroupCommit(this.#database);
    this.#clock = clock;
    this.#limits = limits;
    this.#start = clock.now();
    this.#find = this.#database.prepare("SELECT nick, domain, aor FROM nick WHERE key = ?");
    this.#claim = this.#database.prepare(
      `INSERT INTO nick (key, nick, domain, aor) VALUES (?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET nick = excluded.nick, aor = excluded.aor`,
    );
    const counts = this.#database.prepare<[], { domain: string; count: number }>(
      "SELECT domain, count(*) AS count FROM nick GROUP BY domain",
    );
    this.#names = new Map(counts.all().map(({ domain, count }) => [domain, count]));
  }

  /** Is another as soon as somebody comes or goes, or is known otherwise. */
  get version(): number {
    this.#forget();
    return this.#version;
  }

  /**
   * Resolves when whose the name is stands on the disk.
   * @param aor - `user@domain`, the domain in lower case
   * @throws SystemError as `GroupCommit.run`
   */
  async put(nick: string, aor: string, online: boolean): Promise<NickClaim> {
    const key = nickKey(nick);
    const domain = domainOf(aor);
    const known = this.#find.get(key);
    if (known !== undefined && known.domain !== domain) return "taken";
    if (online && !this.#hasRoom(key, domain)) return "full";
    // Said every few seconds: the disk hears of it when it is news.
    if (known?.aor !== aor || known.nick !== nick) {
      const claim = await this.#commits.run(() => this.#keep({ nick, domain, aor }, key));
      if (claim !== "kept") return claim;
      // Others have come meanwhile.
      if (online && !this.#hasRoom(key, domain)) return "full";
    }
    this.#say(key, { nick, aor, online });
    return "kept";
  }

  find(nick: string): NickEntry | undefined {
    this.#forget();
    const key = nickKey(nick);
    const present = this.#online.get(key);
    if (present !== undefined) return present.entry;
    const known = this.#find.get(key);
    return known === undefined ? undefined : { nick: known.nick, aor: known.aor, online: false, since: this.#start };
  }

  /** Everybody, of all domains. */
  online(): readonly NickEntry[] {
    this.#forget();
    return [...this.#online.values()].map(({ entry }) => entry);
  }

  close(): void {
    this.#commits.close();
    this.#database.close();
  }

  #hasRoom(key: string, domain: string): boolean {
    this.#forget();
    if (this.#online.has(key)) return true;
    const { online, onlinePerDomain } = this.#limits;
    return this.#online.size < online && (this.#onlineOf.get(domain) ?? 0) < onlinePerDomain;
  }

  /** In a transaction: what was so before it began may not be so any more. */
  #keep({ nick, domain, aor }: Row, key: string): NickClaim {
    const known = this.#find.get(key);
    if (known !== undefined && known.domain !== domain) return "taken";
    const count = this.#names.get(domain) ?? 0;
    if (known === undefined && count >= this.#limits.perDomain) return "full";
    this.#claim.run(key, nick, domain, aor);
    if (known === undefined) this.#names.set(domain, count + 1);
    return "kept";
  }

  #say(key: string, { nick, aor, online }: Omit<NickEntry, "since">): void {
    const before = this.#online.get(key)?.entry;
    this.#remove(key);
    const isSame = online && before?.aor === aor && before.nick === nick;
    if (!isSame && (online || before !== undefined)) this.#version += 1;
    if (!online) return;
    const now = this.#clock.now();
    const since = before?.aor === aor ? before.since : now;
    this.#online.set(key, { entry: { nick, aor, online, since }, until: (now + this.#limits.ttl) as Timestamp });
    const domain = domainOf(aor);
    this.#onlineOf.set(domain, (this.#onlineOf.get(domain) ?? 0) + 1);
  }

  #remove(key: string): void {
    const present = this.#online.get(key);
    if (present === undefined) return;
    this.#online.delete(key);
    const domain = domainOf(present.entry.aor);
    const left = (this.#onlineOf.get(domain) ?? 1) - 1;
    if (left === 0) this.#onlineOf.delete(domain);
    else this.#onlineOf.set(domain, left);
  }

  #forget(): void {
    const now = this.#clock.now();
    for (const [key, { until }] of this.#online) {
      if (until > now) return;
      this.#remove(key);
      this.#version += 1;
    }
  }
}
