/**
 * Nick names and whose they are. A name belongs to the domain that claimed it first, for ever, on disk; who is on-line is said again and
 * again by those who know, and held in memory for a while.
 */
import { domainOf } from "../../model/address-of-record.js";
import type { Clock } from "../../model/clock.js";
import { type Millis, seconds, type Timestamp } from "../../model/units.js";
import { type Database, type Migration, openDatabase, type Statement } from "../../store/database.js";

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
  /** Users on-line at a time, of all domains. */
  readonly online: number;
}

export const DEFAULT_NICK_LIMITS: NickLimits = { ttl: seconds(60), perDomain: 100_000, online: 20_000 };

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
  readonly #clock: Clock;
  readonly #limits: NickLimits;
  readonly #find: Statement<[string], Row>;
  readonly #count: Statement<[string], { count: number }>;
  readonly #claim: Statement<[string, string, string, string]>;
  /** In the order in which they were heard of: those that are out of date come first. */
  readonly #online = new Map<string, Presence>();
  readonly #start: Timestamp;
  #version = 0;

  /** @param path - the file, or `:memory:` @throws SystemError STORE_* if it cannot be used */
  constructor(path: string, clock: Clock, limits: NickLimits = DEFAULT_NICK_LIMITS) {
    this.#database = openDatabase(path, MIGRATIONS);
    this.#clock = clock;
    this.#limits = limits;
    this.#start = clock.now();
    this.#find = this.#database.prepare("SELECT nick, domain, aor FROM nick WHERE key = ?");
    this.#count = this.#database.prepare("SELECT count(*) AS count FROM nick WHERE domain = ?");
    this.#claim = this.#database.prepare(
      `INSERT INTO nick (key, nick, domain, aor) VALUES (?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET nick = excluded.nick, aor = excluded.aor`,
    );
  }

  /** Is another as soon as somebody comes or goes, or is known otherwise. */
  get version(): number {
    this.#forget();
    return this.#version;
  }

  /** @param aor - `user@domain`, the domain in lower case */
  put(nick: string, aor: string, online: boolean): NickClaim {
    const key = keyOf(nick);
    const domain = domainOf(aor);
    const known = this.#find.get(key);
    if (known !== undefined && known.domain !== domain) return "taken";
    this.#forget();
    const before = this.#online.get(key);
    if (online && before === undefined && this.#online.size >= this.#limits.online) return "full";
    if (known === undefined && (this.#count.get(domain)?.count ?? 0) >= this.#limits.perDomain) return "full";
    // Said every few seconds: the disk hears of it when it is news.
    if (known?.aor !== aor || known.nick !== nick) this.#claim.run(key, nick, domain, aor);
    this.#online.delete(key);
    const isSame = online && before?.entry.aor === aor && before.entry.nick === nick;
    if (!isSame && (online || before !== undefined)) this.#version += 1;
    if (!online) return "kept";
    const now = this.#clock.now();
    const since = before?.entry.aor === aor ? before.entry.since : now;
    this.#online.set(key, { entry: { nick, aor, online, since }, until: (now + this.#limits.ttl) as Timestamp });
    return "kept";
  }

  find(nick: string): NickEntry | undefined {
    this.#forget();
    const key = keyOf(nick);
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
    this.#database.close();
  }

  #forget(): void {
    const now = this.#clock.now();
    for (const [key, { until }] of this.#online) {
      if (until > now) return;
      this.#online.delete(key);
      this.#version += 1;
    }
  }
}

/** Two spellings that look the same are the same name (Unicode TR 15, KC). */
const keyOf = (nick: string): string => nick.normalize("NFKC").toLowerCase();
