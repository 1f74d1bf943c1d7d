/** Per-hop behaviours and their standard code points (RFC 2474, 2597, 3246, 5865). */
import { type Dscp, dscp } from "./units.js";

export const PHB_DSCP = {
  BE: 0,
  CS1: 8,
  AF11: 10,
  AF12: 12,
  AF13: 14,
  CS2: 16,
  AF21: 18,
  AF22: 20,
  AF23: 22,
  CS3: 24,
  AF31: 26,
  AF32: 28,
  AF33: 30,
  CS4: 32,
  AF41: 34,
  AF42: 36,
  AF43: 38,
  CS5: 40,
  VA: 44,
  EF: 46,
  CS6: 48,
  CS7: 56,
} as const;

export type Phb = keyof typeof PHB_DSCP;

export const PHB_NAMES = Object.keys(PHB_DSCP) as readonly Phb[];

export const dscpOf = (phb: Phb): Dscp => dscp(PHB_DSCP[phb]);

/** The PHB's name, or the bare number for a code point without one. */
export function describeDscp(value: Dscp): string {
  const name = PHB_NAMES.find((candidate) => PHB_DSCP[candidate] === value);
  return name ?? String(value);
}
