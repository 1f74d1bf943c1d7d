/** Keys: who signs tokens, and whose tokens are trusted. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { SystemError } from "../../model/errors.js";
import type { Timestamp } from "../../model/units.js";
import { DerCursor, der, TAG } from "./der.js";

export interface TokenSigner {
  readonly key: KeyObject;
  readonly certificate: TrustedCertificate;
}

/** A certificate that is itself the trust anchor: no chain is built. */
export interface TrustedCertificate {
  /** DER of IssuerAndSerialNumber: how a token names its signer. */
  readonly id: Buffer;
  readonly publicKey: KeyObject;
  /** As node prints it, such as `CN=ch.lab`. */
  readonly issuer: string;
  readonly notAfter: Timestamp;
}

/** The certificates whose tokens are taken: fixed while it is used; more than one while keys roll over. */
export type TokenTrust = readonly TrustedCertificate[];

const REMEDY =
  "make a pair with: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ch.lab -days 3650 -keyout ch.key -out ch.crt";

const keyError = (message: string, cause?: unknown): SystemError =>
  new SystemError("OSP_SIGNER", message, { remedy: REMEDY, ...(cause === undefined ? {} : { cause }) });

const isP256 = (key: KeyObject): boolean =>
  key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";

export interface SignerFiles {
  /** PKCS#8 or SEC 1 private key, unencrypted. */
  readonly keyPem: string | Buffer;
  readonly certificatePem: string | Buffer;
}

/** @throws SystemError OSP_SIGNER if the pair is unreadable, not on P-256, or key and certificate do not match. */
export function loadSigner({ keyPem, certificatePem }: SignerFiles): TokenSigner {
  const certificate = loadTrusted(certificatePem);
  const key = loadKey(keyPem);
  if (!isP256(key)) throw keyError("the token key is not an elliptic curve key on P-256");
  if (!new X509Certificate(certificatePem).checkPrivateKey(key)) {
    throw keyError("the token key does not belong to the certificate");
  }
  return { key, certificate };
}

function loadKey(pem: string | Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The parser's own words may quote the key: they are not passed on.
    throw keyError("the token key cannot be read as a PEM private key");
  }
}

/** @throws SystemError OSP_SIGNER if one of the files is no certificate with a P-256 key. */
export const loadTrust = (certificatePems: readonly (string | Buffer)[]): TokenTrust =>
  certificatePems.map(loadTrusted);

function loadTrusted(pem: string | Buffer): TrustedCertificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (error) {
    throw keyError("the token certificate cannot be read as a PEM certificate", error);
  }
  const id = issuerAndSerial(certificate.raw);
  if (id === undefined || !isP256(certificate.publicKey)) {
    throw keyError("the token certificate is not for an elliptic curve key on P-256");
  }
  const { publicKey, issuer } = certificate;
  return { id, publicKey, issuer, notAfter: Date.parse(certificate.validTo) as Timestamp };
}

/** RFC 5280 §4.1: Certificate { TBSCertificate { [0] version, serialNumber, signature, issuer, … } … }. */
function issuerAndSerial(raw: Buffer): Buffer | undefined {
  const body = new DerCursor(raw).into(TAG.sequence)?.into(TAG.sequence);
  const first = body?.next();
  // A version 1 certificate has no version field: its first value is the serial number.
  const serial = first?.tag === TAG.explicit0 ? body?.next(TAG.integer) : first;
  body?.next(TAG.sequence);
  const issuer = body?.next(TAG.sequence);
  if (serial === undefined || serial.tag !== TAG.integer || issuer === undefined) return undefined;
  return der(TAG.sequence, issuer.whole, serial.whole);
}
