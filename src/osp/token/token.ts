/** Signing and checking of OSP tokens. A bad token is data, never an exception. */
import { randomInt, sign, verify } from "node:crypto";
import type { Timestamp } from "../../model/units.js";
import { TOKEN_OCTETS } from "../codec/authorisation.js";
import type { TransactionId } from "../codec/messages.js";
import { decodeClaims, encodeClaims, type TokenClaims } from "./claims.js";
import { decodeSignedData, encodeSignedData } from "./cms.js";
import type { TokenSigner, TokenTrust } from "./signer.js";

/** DER of a token; in SIP it goes as base64 in `P-OSP-Auth-Token`. @throws ProtocolError OSP_TOKEN_CLAIM */
export function signToken(claims: TokenClaims, signer: TokenSigner): Buffer {
  const content = encodeClaims(claims, randomInt(2 ** 16));
  // No signed attributes, so the signature is over the content itself (RFC 5652 §5.4).
  const signature = sign("sha256", content, signer.key);
  return encodeSignedData({ content, signer: signer.certificate.id, signature });
}

/** Remembers the tokens that were used, each until it expires. */
export interface ReplayGuard {
  /** True if this pair was used before; otherwise notes it until `until` and answers false. */
  seen(transactionId: TransactionId, callId: Buffer, until: Timestamp): boolean;
}

export interface TokenExpectations {
  readonly now: Timestamp;
  readonly calling: string;
  readonly called: string;
  readonly callId: Buffer;
  /** Issuer of the signing certificate as node prints it (`CN=ch.lab`); absent takes any that is trusted. */
  readonly issuer?: string | undefined;
  /** Our domain: a token that names another is refused. One that names none is taken, as other servers issue them. */
  readonly audience?: string | undefined;
  /** Seconds that clocks may differ; default 60. */
  readonly skew?: number | undefined;
  /** Absent makes the caller responsible for one-time use. */
  readonly replay?: ReplayGuard | undefined;
}

export const TOKEN_FAULTS = [
  "malformed",
  "issuer",
  "certificateExpired",
  "signature",
  "calling",
  "called",
  "callId",
  "audience",
  "notYetValid",
  "expired",
  "replayed",
] as const;
export type TokenFault = (typeof TOKEN_FAULTS)[number];

export type TokenVerdict =
  | { readonly valid: true; readonly claims: TokenClaims }
  | { readonly valid: false; readonly reason: TokenFault };

const DEFAULT_SKEW_SECONDS = 60;

const invalid = (reason: TokenFault): TokenVerdict => ({ valid: false, reason });

/** Checks in the order of the standard: who signed, that it is unaltered, then what it says. */
export function verifyToken(token: Buffer, trust: TokenTrust, expectations: TokenExpectations): TokenVerdict {
  const parts = token.length > TOKEN_OCTETS ? undefined : decodeSignedData(token);
  if (parts === undefined) return invalid("malformed");
  const signer = trust.find(({ id }) => id.equals(parts.signer));
  if (signer === undefined) return invalid("issuer");
  if (expectations.issuer !== undefined && signer.issuer !== expectations.issuer) return invalid("issuer");
  if (signer.notAfter < expectations.now) return invalid("certificateExpired");
  if (!verify("sha256", parts.content, signer.publicKey, parts.signature)) return invalid("signature");
  const claims = decodeClaims(parts.content);
  if (claims === undefined) return invalid("malformed");
  const fault = findFault(claims, expectations);
  return fault === undefined ? { valid: true, claims } : invalid(fault);
}

function findFault(claims: TokenClaims, expected: TokenExpectations): TokenFault | undefined {
  const skew = (expected.skew ?? DEFAULT_SKEW_SECONDS) * 1000;
  if (claims.calling !== expected.calling) return "calling";
  if (claims.called !== expected.called) return "called";
  if (!claims.callId.equals(expected.callId)) return "callId";
  const { audience } = claims;
  if (audience !== undefined && expected.audience !== undefined && audience !== expected.audience) return "audience";
  if (expected.now + skew < claims.validAfter) return "notYetValid";
  if (expected.now - skew > claims.validUntil) return "expired";
  // Last, so that a token that fails for another reason is not used up by the attempt.
  const until = (claims.validUntil + skew) as Timestamp;
  return expected.replay?.seen(claims.transactionId, claims.callId, until) ? "replayed" : undefined;
}
