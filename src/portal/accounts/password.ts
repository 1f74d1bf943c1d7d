/** Makes and checks hashes of passwords. One at a time: each takes a core for some tenths of a second. */
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { SystemError } from "../../model/errors.js";
import { DEFAULT_COST, formatHash, memoryOf, type PasswordHash, type ScryptCost } from "./phc.js";

const SALT_OCTETS = 16;
const HASH_OCTETS = 32;
/** Characters; NIST SP 800-63B §5.1.1.2 wants eight or more to be asked for. */
export const PASSWORD_MIN = 8;
/** Characters: longer ones cost the server more than they gain. */
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
  /** Checks that wait for their turn, of sources that were right lately, and as many of others. */
  readonly waiting: number;
  /** Of them, those of one source. */
  readonly waitingPerSource: number;
}

/** Log-ins may burn one core, and 128 MiB. */
export const DEFAULT_CHECKER_LIMITS: PasswordCheckerLimits = { atOnce: 1, waiting: 32, waitingPerSource: 2 };
/** Beyond this, the one that was right the longest time ago is forgotten. */
const TRUSTED_MAX = 4096;

export class PasswordChecker {
  readonly #limits: PasswordCheckerLimits;
  /** Sources that were right lately are served first: who floods from many others does not keep users out. */
  readonly #turns: { readonly trusted: (() => void)[]; readonly others: (() => void)[] } = { trusted: [], others: [] };
  readonly #waitingOf = new Map<string, number>();
  readonly #trusted = new Set<string>();
  #running = 0;

  constructor(limits: PasswordCheckerLimits = DEFAULT_CHECKER_LIMITS) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#turns.trusted.length + this.#turns.others.length;
  }

  /**
   * Whether `password` makes `wanted`, compared in constant time; "busy" when too many wait.
   * @param source - who asks, as `sourceKey` tells it
   */
  async check(password: string, wanted: PasswordHash, source: string): Promise<boolean | "busy"> {
    if (this.#running < this.#limits.atOnce) this.#running += 1;
    else if (!(await this.#turn(source))) return "busy";
    try {
      const made = await derive(password, wanted.salt, wanted.hash.length, wanted);
      const isRight = timingSafeEqual(made, wanted.hash);
      if (isRight) this.#trust(source);
      return isRight;
    } finally {
      // The place is handed on, so that nobody who comes meanwhile takes it first.
      const next = this.#turns.trusted.shift() ?? this.#turns.others.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** False where too many wait. */
  async #turn(source: string): Promise<boolean> {
    const queue = this.#turns[this.#trusted.has(source) ? "trusted" : "others"];
    const own = this.#waitingOf.get(source) ?? 0;
    if (queue.length >= this.#limits.waiting || own >= this.#limits.waitingPerSource) return false;
    this.#waitingOf.set(source, own + 1);
    await new Promise<void>((resolve) => queue.push(resolve));
    const left = (this.#waitingOf.get(source) ?? 1) - 1;
    if (left === 0) this.#waitingOf.delete(source);
    else this.#waitingOf.set(source, left);
    return true;
  }

  #trust(source: string): void {
    this.#trusted.delete(source);
    if (this.#trusted.size >= TRUSTED_MAX) {
      const [oldest] = this.#trusted;
      if (oldest !== undefined) this.#trusted.delete(oldest);
    }
    this.#trusted.add(source);
  }
}
