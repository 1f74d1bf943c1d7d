/** Makes and checks hashes of passwords. One at a time: each takes a core for some tenths of a second. */
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { SystemError } from "../../model/errors.js";
import { DEFAULT_COST, formatHash, memoryOf, type PasswordHash, type ScryptCost } from "./phc.js";

const SALT_OCTETS = 16;
const HASH_OCTETS = 32;
/** Characters; NIST SP 800-63B §5.1.1.2 wants eight or more to be asked for. */
export const PASSWORD_MIN = 8;
export const PASSWORD_MAX = 256;

/**
 * The text for `password:` in the file of accounts.
 * @throws SystemError PASSWORD_LENGTH
 */
export async function hashPassword(password: string, cost: ScryptCost = DEFAULT_COST): Promise<string> {
  const { length } = [...password];
  if (length < PASSWORD_MIN || length > PASSWORD_MAX) {
    const remedy = `take one of ${PASSWORD_MIN} to ${PASSWORD_MAX} characters`;
    throw new SystemError("PASSWORD_LENGTH", "the password is too short or too long", { remedy });
  }
  const salt = randomBytes(SALT_OCTETS);
  return formatHash({ ...cost, salt, hash: await derive(password, salt, HASH_OCTETS, cost) });
}

function derive(password: string, salt: Buffer, length: number, cost: ScryptCost): Promise<Buffer> {
  const { ln, r, p } = cost;
  // Node refuses what needs maxmem or more; the algorithm itself needs a little more than its largest table.
  const options = { N: 2 ** ln, r, p, maxmem: memoryOf(cost) + 128 * r * (p + 2) + 1024 };
  return new Promise((resolve, reject) => {
    // Unicode has several spellings of one text; keyboards differ in which they send (RFC 8265 §4.2.1).
    scrypt(password.normalize("NFC"), salt, length, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

export interface PasswordCheckerLimits {
  /** Hashes made at the same time. */
  readonly atOnce: number;
  /** Checks that wait for their turn. */
  readonly waiting: number;
}

/** Log-ins may burn one core, and 128 MiB. */
export const DEFAULT_CHECKER_LIMITS: PasswordCheckerLimits = { atOnce: 1, waiting: 32 };

export class PasswordChecker {
  readonly #limits: PasswordCheckerLimits;
  readonly #turns: (() => void)[] = [];
  #running = 0;

  constructor(limits: PasswordCheckerLimits = DEFAULT_CHECKER_LIMITS) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#turns.length;
  }

  /** Whether `password` makes `wanted`, compared in constant time; "busy" when too many wait. */
  async check(password: string, wanted: PasswordHash): Promise<boolean | "busy"> {
    if (this.#running >= this.#limits.atOnce) {
      if (this.#turns.length >= this.#limits.waiting) return "busy";
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    } else this.#running += 1;
    try {
      const made = await derive(password, wanted.salt, wanted.hash.length, wanted);
      return timingSafeEqual(made, wanted.hash);
    } finally {
      // The place is handed on, so that nobody who comes meanwhile takes it first.
      const next = this.#turns.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
