/** Secrets of a log-in: the id in the cookie, the key under which it is kept, and the token against forged requests. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** 256 bits. */
const ID_OCTETS = 32;
const ID = /^[A-Za-z0-9_-]{43}$/;

declare const secret: unique symbol;
/** What the cookie holds. Never stored, never logged. */
export type SessionSecret = string & { readonly [secret]: true };
/** SHA-256 of it: who reads the database can log in with none. */
export type SessionKey = string & { readonly [secret]: "key" };

/** Of 256 random bits. */
export const newSessionSecret = (): SessionSecret => randomBytes(ID_OCTETS).toString("base64url") as SessionSecret;

/** Undefined for what no portal gave out. */
export const parseSessionSecret = (text: string): SessionSecret | undefined =>
  ID.test(text) ? (text as SessionSecret) : undefined;

/** The key under which the log-in of a secret is kept. */
export const sessionKeyOf = (id: SessionSecret): SessionKey =>
  createHash("sha256").update(id).digest("base64url") as SessionKey;

/** Scripts of the page may know it, the id they may not: from one the other cannot be worked out. */
export const csrfTokenOf = (id: SessionSecret): string => createHmac("sha256", id).update("csrf").digest("base64url");

/** In constant time. */
export function isCsrfToken(id: SessionSecret, given: string): boolean {
  const [wanted, found] = [Buffer.from(csrfTokenOf(id)), Buffer.from(given)];
  return wanted.length === found.length && timingSafeEqual(wanted, found);
}
