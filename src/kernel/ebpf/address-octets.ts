/**
 * Canonical addresses to octets in place and back, both families: a reading of the maps turns two hundred thousand of them,
 * for which the general way in `model/ip.ts`, over URLs, takes seconds. Pure.
 */
import { InternalError } from "../../model/errors.js";
import type { IpAddress, IpFamily } from "../../model/ip.js";

export const ADDRESS_LENGTH = { 4: 4, 6: 16 } as const;
const GROUPS = 8;
const DOT = 0x2e;
const COLON = 0x3a;
const ZERO = 0x30;

export const familyOfCanonical = (address: IpAddress): IpFamily => (address.includes(":") ? 6 : 4);

const invalid = (address: string): InternalError =>
  new InternalError("IP_ADDRESS", `not a canonical IP address: ${address}`);

/** Network order. @throws InternalError if it is no canonical address. */
export function putAddress(octets: Uint8Array, at: number, address: IpAddress): void {
  if (familyOfCanonical(address) === 4) putV4(octets, at, address);
  else putV6(octets, at, address);
}

function putV4(octets: Uint8Array, at: number, address: string): void {
  let value = 0;
  let place = at;
  for (let index = 0; index < address.length; index += 1) {
    const code = address.charCodeAt(index);
    if (code === DOT) {
      octets[place] = value;
      place += 1;
      value = 0;
    } else {
      const digit = code - ZERO;
      if (digit < 0 || digit > 9) throw invalid(address);
      value = value * 10 + digit;
    }
    if (value > 0xff || place > at + 3) throw invalid(address);
  }
  if (place !== at + 3) throw invalid(address);
  octets[place] = value;
}

/** Undefined for what is no hexadecimal digit of lower case. */
function digitOf(code: number): number | undefined {
  if (code >= ZERO && code <= 0x39) return code - ZERO;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : undefined;
}

function putV6(octets: Uint8Array, at: number, address: string): void {
  const groups: number[] = [];
  let gap: number | undefined;
  for (let index = 0; index < address.length; ) {
    if (address.charCodeAt(index) === COLON) {
      if (address.charCodeAt(index + 1) === COLON) {
        if (gap !== undefined) throw invalid(address);
        gap = groups.length;
        index += 2;
      } else {
        index += 1;
      }
      continue;
    }
    let value = 0;
    for (; index < address.length && address.charCodeAt(index) !== COLON; index += 1) {
      const digit = digitOf(address.charCodeAt(index));
      if (digit === undefined) throw invalid(address);
      value = value * 16 + digit;
    }
    if (value > 0xffff || groups.length === GROUPS) throw invalid(address);
    groups.push(value);
  }
  if (gap === undefined ? groups.length !== GROUPS : groups.length >= GROUPS) throw invalid(address);
  const zeros = GROUPS - groups.length;
  for (let index = 0; index < GROUPS; index += 1) {
    const start = gap ?? GROUPS;
    const group = index < start ? groups[index] : index < start + zeros ? 0 : groups[index - zeros];
    octets[at + 2 * index] = (group ?? 0) >>> 8;
    octets[at + 2 * index + 1] = group ?? 0;
  }
}

/** Canonical text, of RFC 5952 for IPv6. */
export const addressAt = (octets: Uint8Array, at: number, family: IpFamily): IpAddress =>
  family === 4
    ? `${octets[at] ?? 0}.${octets[at + 1] ?? 0}.${octets[at + 2] ?? 0}.${octets[at + 3] ?? 0}`
    : v6At(octets, at);

/** RFC 5952 §4.2: the first of the longest runs of two zero groups or more is `::`. */
function v6At(octets: Uint8Array, at: number): string {
  let best = 0;
  let bestAt = -1;
  let run = 0;
  for (let index = 0; index < GROUPS; index += 1) {
    run = octets[at + 2 * index] === 0 && octets[at + 2 * index + 1] === 0 ? run + 1 : 0;
    if (run > Math.max(1, best)) {
      best = run;
      bestAt = index - run + 1;
    }
  }
  let text = "";
  for (let index = 0; index < GROUPS; index += 1) {
    if (index === bestAt) {
      text += "::";
      index += best - 1;
      continue;
    }
    if (text !== "" && !text.endsWith(":")) text += ":";
    text += (((octets[at + 2 * index] ?? 0) << 8) | (octets[at + 2 * index + 1] ?? 0)).toString(16);
  }
  return text;
}
