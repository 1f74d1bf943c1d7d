/**
 * Digest authentication of a request (RFC 3261 §22, RFC 7616 §3.4.6, RFC 8760): what to answer, or whose it is.
 * ```
 *  no credentials ─────────────────────────────▶ challenge
 *  nonce too old, or not made for this source ─▶ challenge, stale; unread
 *  budget used up ─────────────────────────────▶ refused, unread
 *  wrong response, no such user ───────────────▶ failure counted; challenge
 *  right, but run out ─────────────────────────▶ refused
 *  right, nc again ────────────────────────────▶ challenge, stale
 *  right ──────────────────────────────────────▶ granted
 * ```
 * A failure is somebody's who reads what is sent to the source: datagrams with a forged source are none.
 */
import { randomBytes } from "node:crypto";
import { type Millis, seconds, type Timestamp } from "../../model/units.js";
import type { ExtraHeader } from "../message/build.js";
import type { SipRequest } from "../message/message.js";
import { type DigestAlgorithm, digestResponse, sameDigest } from "./algorithms.js";
import { type CredentialStore, NOBODY } from "./credential-store.js";
import { type DigestCredentials, formatChallenge, parseCredentials } from "./digest-header.js";
import { FailureBudget, type FailureLimits } from "./failure-budget.js";
import { NonceMaker } from "./nonce.js";
import { NonceCounts } from "./nonce-counts.js";

export interface VerifierOptions {
  readonly credentials: CredentialStore;
  readonly nonceLife?: Millis;
  readonly nonces?: number;
  readonly failures?: FailureLimits;
  readonly random?: (octets: number) => Buffer;
}

/** Since the start. */
export interface AuthCounters {
  challenged: number;
  granted: number;
  /** A password was wrong. */
  failed: number;
  /** Right, but handed out for a time that is over. */
  expired: number;
  /** The nonce was too old, of before a restart or of another source, or its count was used. */
  stale: number;
  /** Not looked at: too many failures before. */
  blocked: number;
}

/** Who asks: a registrar (§22.2: 401) or a proxy (§22.3: 407). */
export type Asker = "registrar" | "proxy";

export interface AuthQuestion {
  readonly asker: Asker;
  readonly realm: string;
  /** Offered, the most wanted first. */
  readonly algorithms: readonly DigestAlgorithm[];
  /** Address that the request came from. */
  readonly source: string;
  readonly now: Timestamp;
}

export type AuthVerdict =
  /** `until`: the credentials end then, and with them what they are taken for. */
  | { readonly kind: "granted"; readonly user: string; readonly until?: Timestamp }
  | {
      readonly kind: "answered";
      readonly status: 401 | 403 | 407;
      readonly phrase: string;
      readonly headers: readonly ExtraHeader[];
    };

const NONCE_LIFE = seconds(300);
const NONCES = 50_000;

export class DigestVerifier {
  readonly counters: AuthCounters = { challenged: 0, granted: 0, failed: 0, expired: 0, stale: 0, blocked: 0 };
  private readonly credentials: CredentialStore;
  private readonly nonces: NonceMaker;
  private readonly counts: NonceCounts;
  private readonly budget: FailureBudget;

  constructor(options: VerifierOptions) {
    const { nonceLife: life = NONCE_LIFE, nonces = NONCES, random = randomBytes } = options;
    this.credentials = options.credentials;
    this.nonces = new NonceMaker({ random, life });
    this.counts = new NonceCounts(nonces, life);
    this.budget = new FailureBudget(options.failures);
  }

  verify(request: SipRequest, question: AuthQuestion): AuthVerdict {
    const given = credentialsFor(request, question);
    if (given === undefined) return this.challenge(question, false);
    const made = this.nonces.read(given.nonce, question);
    // RFC 7616 §3.3: stale is said of the nonce. Whether the response is right would be told for nothing.
    if (made === undefined) return this.stale(question);
    const claimant = { user: `${given.user}@${question.realm}`, source: question.source };
    const wait = this.budget.blockedFor(claimant, question.now);
    if (wait !== undefined) {
      this.counters.blocked += 1;
      return blocked(wait);
    }
    const login = this.credentials.find(given.user, question.realm, given.algorithm) ?? NOBODY;
    const { ha1, ...granted } = login;
    const right = digestResponse(given.algorithm, ha1, { ...given, method: request.method });
    if (!sameDigest(right, given.response) || given.uri !== request.requestUri) {
      this.counters.failed += 1;
      this.budget.failed(claimant, question.now);
      return this.challenge(question, false);
    }
    if (granted.until !== undefined && granted.until < question.now) {
      this.counters.expired += 1;
      return refused("the credentials have run out");
    }
    if (!this.counts.take(given.nonce, Number.parseInt(given.nc, 16), { made, now: question.now })) {
      return this.stale(question);
    }
    this.counters.granted += 1;
    this.budget.succeeded(claimant, question.now);
    return { kind: "granted", ...granted };
  }

  private stale(question: AuthQuestion): AuthVerdict {
    this.counters.stale += 1;
    return this.challenge(question, true);
  }

  private challenge(question: AuthQuestion, stale: boolean): AuthVerdict {
    const { asker, realm, algorithms } = question;
    this.counters.challenged += 1;
    const nonce = this.nonces.make(question);
    const name = asker === "registrar" ? "WWW-Authenticate" : "Proxy-Authenticate";
    // RFC 8760 §2.3: one header field for each algorithm, the most wanted on top.
    const headers = algorithms.map((algorithm) => {
      return { name, value: formatChallenge({ realm, nonce, algorithm, stale }) };
    });
    return asker === "registrar"
      ? { kind: "answered", status: 401, phrase: "Unauthorized", headers }
      : { kind: "answered", status: 407, phrase: "Proxy Authentication Required", headers };
  }
}

/** The first credentials for this realm, by an algorithm that is offered (RFC 3261 §22.3: others are for others). */
function credentialsFor(
  request: SipRequest,
  { asker, realm, algorithms }: AuthQuestion,
): DigestCredentials | undefined {
  const lines = request.headerLines(asker === "registrar" ? "authorization" : "proxy-authorization");
  for (const line of lines) {
    const read = parseCredentials(line);
    if (read?.realm === realm && algorithms.includes(read.algorithm)) return read;
  }
  return undefined;
}

/** Not 429: in SIP that is Provide Referrer Identity (RFC 3892 §5). */
function blocked(wait: Millis): AuthVerdict {
  const after = { name: "Retry-After", value: String(Math.ceil(wait / 1000)) };
  return refused("too many wrong passwords", [after]);
}

function refused(why: string, more: readonly ExtraHeader[] = []): AuthVerdict {
  const headers = [{ name: "Warning", value: `399 sluice "${why}"` }, ...more];
  return { kind: "answered", status: 403, phrase: "Forbidden", headers };
}
