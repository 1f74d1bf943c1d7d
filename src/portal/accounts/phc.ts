/** Password hashes as text: `$scrypt$ln=17,r=8,p=1$<salt>$<hash>`, both in base64 without padding (the PHC string format). */

/** What a hash costs (RFC 7914 §2): 128 * r * 2^ln octets of memory. */
export interface ScryptCost {
  /** Binary logarithm of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface PasswordHash extends ScryptCost {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** N = 2^17, r = 8, p = 1: what OWASP's Password Storage Cheat Sheet puts first for scrypt; 128 MiB. */
export const DEFAULT_COST: ScryptCost = { ln: 17, r: 8, p: 1 };

const TEXT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;
/** 1 GiB: past it a log-in would be an attack on this server. */
const MEMORY_MAX = 1024 ** 3;

/** Octets that one hash takes. */
export const memoryOf = ({ ln, r }: ScryptCost): number => 128 * r * 2 ** ln;

/** The text that `parseHash` reads. */
export function formatHash({ ln, r, p, salt, hash }: PasswordHash): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Undefined for what is not such a text, or costs more than this server may spend. */
export function parseHash(text: string): PasswordHash | undefined {
  const found = TEXT.exec(text);
  if (found === null) return undefined;
  const [ln = 0, r = 0, p = 0] = found.slice(1, 4).map(Number);
  const parsed = { ln, r, p, salt: Buffer.from(found[4] ?? "", "base64"), hash: Buffer.from(found[5] ?? "", "base64") };
  return ln >= 1 && r >= 1 && p >= 1 && memoryOf(parsed) <= MEMORY_MAX ? parsed : undefined;
}

/** Whether it costs an attacker at least what `DEFAULT_COST` does. */
export const isStrong = ({ ln, r, p }: ScryptCost): boolean =>
  ln >= DEFAULT_COST.ln && r >= DEFAULT_COST.r && p >= DEFAULT_COST.p;

const unpadded = (octets: Buffer): string => octets.toString("base64").replace(/=+$/, "");
