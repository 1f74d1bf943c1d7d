/** A key and its certificate for TLS: read from PEM files, and checked before anything is served with them. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { SystemError } from "../model/errors.js";
import type { TlsMaterial } from "../model/tls.js";
import { type Timestamp, timestamp } from "../model/units.js";

export interface KeyPairPaths {
  readonly key: string;
  /** The certificate, followed by those that signed it. */
  readonly certificate: string;
}

export interface KeyPair extends TlsMaterial {
  /** The certificate is valid from then until then; whether it is now is for the caller to see. */
  readonly from: Timestamp;
  readonly until: Timestamp;
}

/** @throws SystemError TLS_FILES where one cannot be read or is no PEM, or they do not belong together */
export function readKeyPair({ key: keyPath, certificate: certificatePath }: KeyPairPaths): KeyPair {
  const [key, certificate] = [readOctets(keyPath), readOctets(certificatePath)];
  const { parsed, fits } = parse(key, certificate, `${keyPath} and ${certificatePath} are no key and certificate`);
  if (!fits) {
    const remedy = "have the certificate made anew for this key; it stands first in its file";
    const what = `the key in ${keyPath} is not that of the certificate in ${certificatePath}`;
    throw new SystemError("TLS_FILES", what, { remedy });
  }
  const [from, until] = [parsed.validFrom, parsed.validTo].map((text) => timestamp(Date.parse(text)));
  return { key, certificate, from: from as Timestamp, until: until as Timestamp };
}

function readOctets(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const remedy = `ls -l ${path}: correct its path or its rights`;
    throw new SystemError("TLS_FILES", `${path} cannot be read`, { remedy, cause });
  }
}

function parse(key: Buffer, certificate: Buffer, wrong: string): { parsed: X509Certificate; fits: boolean } {
  try {
    const parsed = new X509Certificate(certificate);
    const fits = parsed.checkPrivateKey(createPrivateKey(key));
    // Reads those that signed it, too, and refuses what TLS would not take.
    if (fits) createSecureContext({ key, cert: certificate });
    return { parsed, fits };
  } catch (cause) {
    const remedy = "write both as whole PEM files, the key without a passphrase";
    throw new SystemError("TLS_FILES", wrong, { remedy, cause });
  }
}
