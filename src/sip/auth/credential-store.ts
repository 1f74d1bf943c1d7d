/** Who may log in, and as whom: accounts of telephones, and what a portal handed out. Pure. */
import { randomBytes } from "node:crypto";
import type { Timestamp } from "../../model/units.js";
import { type DigestAlgorithm, ha1Of } from "./algorithms.js";
import { readShortLived } from "./short-lived.js";

export interface SipAccount {
  /** User part of the address, and name in credentials. */
  readonly user: string;
  /** Lower case; realm of the account's hashes. */
  readonly domain: string;
  /** H(A1) for each algorithm that the account may use, lower-case hexadecimal. */
  readonly ha1: Partial<Readonly<Record<DigestAlgorithm, string>>>;
}

export interface CredentialSources {
  readonly accounts: readonly SipAccount[];
  /** Shared with the portal. */
  readonly secret?: string | Buffer;
  /** The domain that short-lived credentials without one are for. */
  readonly firstDomain: string;
}

/** What a user name leads to. */
export interface Login {
  /** The user part that it proves. */
  readonly user: string;
  readonly ha1: string;
  /** After it nothing is granted by it; absent: as long as there is the account. */
  readonly until?: Timestamp;
}

export class CredentialStore {
  private readonly accounts: ReadonlyMap<string, SipAccount>;
  private readonly sources: CredentialSources;

  constructor(sources: CredentialSources) {
    this.sources = sources;
    this.accounts = new Map(sources.accounts.map((account) => [`${account.user}@${account.domain}`, account]));
  }

  get isEmpty(): boolean {
    return this.accounts.size === 0 && this.sources.secret === undefined;
  }

  /** True for users that the accounts name: they exist, logged in or not. */
  knows(user: string, domain: string): boolean {
    return this.accounts.has(`${user}@${domain}`);
  }

  /** Undefined if nobody has that name in the realm, or not for that algorithm. */
  find(username: string, realm: string, algorithm: DigestAlgorithm): Login | undefined {
    const account = this.accounts.get(`${username}@${realm}`);
    const kept = account?.ha1[algorithm];
    if (account !== undefined) return kept === undefined ? undefined : { user: username, ha1: kept };
    const { secret, firstDomain } = this.sources;
    const claim = secret === undefined ? undefined : readShortLived(secret, username);
    if (claim === undefined || (claim.domain ?? firstDomain) !== realm) return undefined;
    const ha1 = ha1Of(algorithm, { user: username, realm, password: claim.password });
    return { user: claim.user, ha1, until: claim.expires };
  }
}

/** Compared with where there is no account, so that the time taken does not tell. */
export const NOBODY: Login = { user: "", ha1: randomBytes(32).toString("hex") };
