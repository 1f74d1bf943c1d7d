/** Messages of aggregate reservations for tests of what carries them. */
import { bytesPerSecond, dscp, millis, octets } from "../../../src/model/units.js";
import type { PathMessage, PathTearMessage, ResvMessage } from "../../../src/rsvp/codec/message.js";
import type { Session, TokenBucket } from "../../../src/rsvp/codec/objects.js";

export const tspec = (rate = 80_000): TokenBucket => ({
  rate: bytesPerSecond(rate),
  bucket: octets(4000),
  peak: bytesPerSecond(rate),
  minPoliced: octets(100),
  maxPacket: octets(1500),
});

export const session = (destination: string, codePoint = 46): Session => ({
  kind: "aggregate",
  destination,
  dscp: dscp(codePoint),
  ePolice: false,
});

export interface PathFacts {
  readonly from: string;
  readonly to: string;
  /** The address in RSVP_HOP. */
  readonly hop?: string;
  readonly rate?: number;
  readonly codePoint?: number;
}

export const path = ({ from, to, hop = from, rate, codePoint }: PathFacts): PathMessage => ({
  kind: "Path",
  session: session(to, codePoint),
  hop: { address: hop, lih: 7 },
  refreshPeriod: millis(30_000),
  policy: [],
  sender: { template: { address: from }, tspec: tspec(rate) },
  unknown: [],
});

export const pathTear = ({ from, to, hop = from, codePoint }: PathFacts): PathTearMessage => ({
  kind: "PathTear",
  session: session(to, codePoint),
  hop: { address: hop, lih: 7 },
  template: { address: from },
  unknown: [],
});

/** @param hop - of who sends it */
export const resv = ({ from, to, hop = to, rate, codePoint }: PathFacts): ResvMessage => ({
  kind: "Resv",
  session: session(to, codePoint),
  hop: { address: hop, lih: 7 },
  refreshPeriod: millis(30_000),
  policy: [],
  flows: {
    style: "SE",
    flowspec: { kind: "controlledLoad", tspec: tspec(rate) },
    filters: [{ address: from }],
  },
  unknown: [],
});
