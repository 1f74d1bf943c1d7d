/** What health and the doctor say of certificates that run out. */

export const DAY_MS = 86_400_000;
/** How long before its end a certificate is worth a warning: time to have a new one made. */
export const EXPIRY_WARNING_DAYS = 14;

export interface Expiry {
  /** The certificate, as the subject of a sentence. */
  readonly what: string;
  readonly until: number;
  /** What happens then. */
  readonly effect: string;
}

export const expiryProblems = ({ what, until, effect }: Expiry, now: number): readonly string[] =>
  until <= now ? [`${what} has run out: ${effect}`] : [];

export function expiryWarnings({ what, until }: Expiry, now: number): readonly string[] {
  if (until <= now || until - now > EXPIRY_WARNING_DAYS * DAY_MS) return [];
  return [`${what} runs out in ${Math.floor((until - now) / DAY_MS)} days`];
}
