/**
 * Credentials that a portal hands out to a user who has logged in there, and that a proxy can check without having been
 * told: the user name says who and until when, the password is a keyed hash over it. Both sides hold the secret.
 */
import { createHmac } from "node:crypto";
import type { Timestamp } from "../../model/units.js";

/** For the digest of RFC 7616; the password has 256 bits, so that guessing does not come into it. */
export interface ShortLivedCredentials {
  readonly username: string;
  readonly password: string;
}

/**
 * @param user - user part of the SIP address; with `@domain` for a domain other than the proxy's first
 * @param expires - the last moment at which they are taken; kept to the second
 */
export function shortLivedCredentials(
  secret: string | Buffer,
  user: string,
  expires: Timestamp,
): ShortLivedCredentials {
  const username = `${Math.floor(expires / 1000)}:${user}`;
  return { username, password: passwordOf(secret, username) };
}

const passwordOf = (secret: string | Buffer, username: string): string =>
  createHmac("sha256", secret).update(username, "utf8").digest("base64url");

export interface ShortLivedUser {
  readonly user: string;
  /** Absent: the proxy's first domain. */
  readonly domain?: string;
  readonly expires: Timestamp;
  readonly password: string;
}

/** What a user name of that form claims; undefined for any other. Whether it has run out is for the caller to see. */
export function readShortLived(secret: string | Buffer, username: string): ShortLivedUser | undefined {
  const match = /^(\d{1,11}):([^@:\s]{1,64})(?:@([^@:\s]{1,253}))?$/.exec(username);
  const [, until = "", user = "", domain] = match ?? [];
  if (match === null) return undefined;
  const expires = (Number(until) * 1000) as Timestamp;
  const password = passwordOf(secret, username);
  return { user, expires, password, ...(domain === undefined ? {} : { domain: domain.toLowerCase() }) };
}
