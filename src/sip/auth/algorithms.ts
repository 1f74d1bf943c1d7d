/** Digest arithmetic (RFC 7616 §3.4.1 to §3.4.3, RFC 8760 §2.2). Pure. Text that came in a message is latin1: one character an octet. */
import { createHash, timingSafeEqual } from "node:crypto";

/** As RFC 8760 §2.1 writes them. */
export const DIGEST_ALGORITHMS = ["SHA-256", "SHA-512-256", "MD5"] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

const HASHES: Readonly<Record<DigestAlgorithm, string>> = {
  "SHA-256": "sha256",
  "SHA-512-256": "sha512-256",
  MD5: "md5",
};

/** Hexadecimal digits of the algorithm's output. */
export const digestDigits = (algorithm: DigestAlgorithm): number => (algorithm === "MD5" ? 32 : 64);

/** §3.3: without the parameter it is MD5. Undefined for one that is not known, the `-sess` forms among them. */
export function digestAlgorithmOf(text: string | undefined): DigestAlgorithm | undefined {
  if (text === undefined) return "MD5";
  const upper = text.toUpperCase();
  return DIGEST_ALGORITHMS.find((algorithm) => algorithm === upper);
}

function hashOf(algorithm: DigestAlgorithm, text: string, encoding: "latin1" | "utf8"): string {
  return createHash(HASHES[algorithm]).update(text, encoding).digest("hex");
}

/** H(A1), §3.4.2: what a server may keep instead of a password. @param password - any text, taken as UTF-8 */
export function ha1Of(algorithm: DigestAlgorithm, login: { user: string; realm: string; password: string }): string {
  return hashOf(algorithm, `${login.user}:${login.realm}:${login.password}`, "utf8");
}

/** What goes into a response besides the secret; as the header field carried it, unquoted. */
export interface DigestInput {
  readonly method: string;
  readonly uri: string;
  readonly nonce: string;
  readonly nc: string;
  readonly cnonce: string;
}

/** §3.4.1 with qop `auth`: the only one that is offered. */
export function digestResponse(algorithm: DigestAlgorithm, ha1: string, input: DigestInput): string {
  const ha2 = hashOf(algorithm, `${input.method}:${input.uri}`, "latin1");
  const secretive = `${ha1}:${input.nonce}:${input.nc}:${input.cnonce}:auth:${ha2}`;
  return hashOf(algorithm, secretive, "latin1");
}

/** In a time that does not tell how much of it is right. */
export function sameDigest(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one, "latin1"), Buffer.from(other, "latin1")];
  return left.length === right.length && timingSafeEqual(left, right);
}
