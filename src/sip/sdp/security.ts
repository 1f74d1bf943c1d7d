/** How a medium's packets are protected: SDES (RFC 4568), DTLS (RFC 8122, 8842). Keys are never kept. */
import { MEDIA_SECURITY, type MediaSecurity } from "../../model/quality.js";
import { AGAIN, type AttributeReaders, type AttributeTarget, type Fault, fault, partsOf } from "./attribute-reader.js";
import { SDP_SETUPS, type SdpCrypto, type SdpMedia } from "./description.js";

/** Octets of each hash that RFC 8122 names, and of the two that it forbids. */
const HASH_OCTETS: Readonly<Record<string, number>> = {
  "sha-1": 20,
  "sha-224": 28,
  "sha-256": 32,
  "sha-384": 48,
  "sha-512": 64,
  md5: 16,
  md2: 16,
};

/** RFC 8122: not to be used, so they prove nothing. */
const BROKEN_HASHES = new Set(["md2", "md5"]);

/** RFC 4568: session parameters that take the protection away. */
const UNPROTECTED = new Set(["UNENCRYPTED_SRTP", "UNAUTHENTICATED_SRTP"]);

function readCrypto(value: string, target: AttributeTarget): boolean | Fault {
  const [tag, suite, keys, ...parameters] = partsOf(value, " ");
  if (tag === undefined || !/^\d{1,9}$/.test(tag.part)) return fault(0, "a tag of digits must come first");
  if (suite === undefined || !/^\w+$/.test(suite.part)) return fault(suite?.at ?? value.length, "no crypto suite");
  const isKeyed = keys?.part.split(";").every((key) => /^[A-Za-z][\w-]*:\S+$/.test(key));
  if (isKeyed !== true) return fault(keys?.at ?? value.length, "key parameters are a method, a colon and a key");
  const protects = !parameters.some(({ part }) => UNPROTECTED.has(part));
  target.cryptos ??= [];
  target.cryptos.push({ tag: Number(tag.part), suite: suite.part, protects });
  return true;
}

function readFingerprint(value: string, target: AttributeTarget): boolean | Fault {
  const [, name = "", gap = "", digest = ""] = /^([A-Za-z0-9-]+)( +)(\S+)$/.exec(value) ?? [];
  const hash = name.toLowerCase();
  if (hash === "") return fault(0, "a hash function, a space and a fingerprint");
  const octets = digest.split(":");
  const wanted = Object.hasOwn(HASH_OCTETS, hash) ? HASH_OCTETS[hash] : undefined;
  if (!octets.every((octet) => /^[0-9A-Fa-f]{2}$/.test(octet)) || (wanted ?? octets.length) !== octets.length) {
    return fault(name.length + gap.length, `no fingerprint of ${hash}`);
  }
  target.fingerprints ??= [];
  target.fingerprints.push({ hash, octets: octets.length });
  return true;
}

function readSetup(value: string, target: AttributeTarget): boolean | Fault {
  const setup = SDP_SETUPS.find((name) => name === value);
  if (setup === undefined) return fault(0, `it must be ${SDP_SETUPS.join(", ")}`);
  if (target.setup !== undefined) return AGAIN;
  target.setup = setup;
  return true;
}

export const SECURITY_READERS: AttributeReaders = {
  crypto: readCrypto,
  fingerprint: readFingerprint,
  setup: readSetup,
};

const rank = (security: MediaSecurity): number => MEDIA_SECURITY.indexOf(security);

export const isLess = (left: MediaSecurity, right: MediaSecurity): boolean => rank(left) < rank(right);

export const lesser = (left: MediaSecurity, right: MediaSecurity): MediaSecurity =>
  isLess(left, right) ? left : right;

/** What one description gives by itself. @param medium - with what the session says for all its media filled in */
export function securityOffered(medium: SdpMedia): MediaSecurity {
  if (givesDtls(medium)) return "dtls";
  return isSavp(medium) && medium.cryptos?.some(({ protects }) => protects) === true ? "srtp" : "none";
}

/** What both descriptions give together. */
export function securityAgreed(offered: SdpMedia, answered: SdpMedia): MediaSecurity {
  if (givesDtls(offered) && givesDtls(answered)) return "dtls";
  if (!isSavp(offered) || !isSavp(answered)) return "none";
  const chosen = answered.cryptos ?? [];
  const protectedBySdes = chosen.length > 0 && chosen.every((line) => line.protects && isOffered(line, offered));
  return protectedBySdes ? "srtp" : "none";
}

/** RFC 4568: the answer repeats tag and suite of the line that it takes. */
const isOffered = ({ tag, suite }: SdpCrypto, offered: SdpMedia): boolean =>
  offered.cryptos?.some((line) => line.tag === tag && line.suite === suite && line.protects) === true;

const isSavp = ({ protocol }: SdpMedia): boolean => /(?:^|\/)SAVPF?$/.test(protocol);

/**
 * A protocol over TLS or DTLS with a fingerprint to know the other side by; RTP/SAVP with one is DTLS-SRTP as it was
 * written before RFC 5764. `holdconn` makes no association (RFC 4145).
 */
function givesDtls(medium: SdpMedia): boolean {
  const isTls = /(?:^|\/)D?TLS(?:\/|$)/.test(medium.protocol) && !medium.protocol.includes("RTP/");
  const isProven = medium.fingerprints?.some(({ hash }) => !BROKEN_HASHES.has(hash)) === true;
  return (isTls || isSavp(medium)) && isProven && medium.setup !== "holdconn";
}
