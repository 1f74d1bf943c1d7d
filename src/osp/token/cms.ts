/**
 * CMS SignedData (RFC 5652 §5) in one profile: attached content, one signer named by issuer and serial
 * number, ECDSA P-256 with SHA-256 (RFC 5754), no signed attributes, no certificates inside. Deployed
 * OSP destinations take it, and it is the smallest they take.
 */
import { DerCursor, der, derOid, TAG } from "./der.js";

const SIGNED_DATA = derOid("1.2.840.113549.1.7.2");
const DATA = derOid("1.2.840.113549.1.7.1");
/** Parameters absent: RFC 5754 §2. */
const SHA256 = der(TAG.sequence, derOid("2.16.840.1.101.3.4.2.1"));
const ECDSA_SHA256 = der(TAG.sequence, derOid("1.2.840.10045.4.3.2"));
/** SignedData and SignerInfo version 1: a signer named by issuer and serial (RFC 5652 §5.1, §5.3). */
const VERSION_1 = der(TAG.integer, Buffer.from([1]));

export interface SignedParts {
  readonly content: Buffer;
  /** DER of IssuerAndSerialNumber. */
  readonly signer: Buffer;
  /** DER of ECDSA-Sig-Value. */
  readonly signature: Buffer;
}

export function encodeSignedData({ content, signer, signature }: SignedParts): Buffer {
  const signerInfo = der(TAG.sequence, VERSION_1, signer, SHA256, ECDSA_SHA256, der(TAG.octetString, signature));
  const encapsulated = der(TAG.sequence, DATA, der(TAG.explicit0, der(TAG.octetString, content)));
  const signedData = der(TAG.sequence, VERSION_1, der(TAG.set, SHA256), encapsulated, der(TAG.set, signerInfo));
  return der(TAG.sequence, SIGNED_DATA, der(TAG.explicit0, signedData));
}

/**
 * The parts of a token of our profile, or undefined. After a walk that only finds the three parts, the
 * token is written anew from them and must come out octet for octet: so every length, version and
 * algorithm is checked, and there is one encoding of one meaning.
 */
export function decodeSignedData(octets: Buffer): SignedParts | undefined {
  const contentInfo = new DerCursor(octets).into(TAG.sequence);
  contentInfo?.next(TAG.oid);
  const signedData = contentInfo?.into(TAG.explicit0)?.into(TAG.sequence);
  signedData?.next(TAG.integer);
  signedData?.next(TAG.set);
  const encapsulated = signedData?.into(TAG.sequence);
  encapsulated?.next(TAG.oid);
  const content = encapsulated?.into(TAG.explicit0)?.next(TAG.octetString)?.content;
  const signerInfo = signedData?.into(TAG.set)?.into(TAG.sequence);
  signerInfo?.next(TAG.integer);
  const signer = signerInfo?.next(TAG.sequence)?.whole;
  signerInfo?.next(TAG.sequence);
  signerInfo?.next(TAG.sequence);
  const signature = signerInfo?.next(TAG.octetString)?.content;
  if (content === undefined || signer === undefined || signature === undefined) return undefined;
  const parts = { content, signer, signature };
  return encodeSignedData(parts).equals(octets) ? parts : undefined;
}
