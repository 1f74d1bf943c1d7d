/** The secret that a portal shares with its SIP proxy: both read the same file the same way. */

/** Octets: half of what HMAC-SHA-256 makes of it. */
const OCTETS_MIN = 16;

export interface SecretReading {
  /** Without the line end that editors put after it. */
  readonly secret: string;
  readonly octets: number;
  readonly isLongEnough: boolean;
}

/** @param contents - of the file */
export function readSharedSecret(contents: Buffer): SecretReading {
  const secret = contents.toString("utf8").trim();
  const octets = Buffer.byteLength(secret);
  return { secret, octets, isLongEnough: octets >= OCTETS_MIN };
}
