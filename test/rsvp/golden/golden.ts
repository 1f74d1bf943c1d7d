/** What every golden message says of itself, and values that several of them share. */

import { bytesPerSecond, octets } from "../../../src/model/units.js";
import type { RsvpMessage, RsvpPacket } from "../../../src/rsvp/codec/message.js";
import type { Flowspec, TokenBucket } from "../../../src/rsvp/codec/objects.js";
import { UNLIMITED_PEAK } from "../../../src/rsvp/codec/token-bucket.js";

export interface Golden {
  readonly name: string;
  readonly packet: RsvpPacket;
  /**
   * Groups of hexadecimal octets, written out from the figures of the RFCs: the header, then an object each. The
   * checksum is given as 0000, that is none; whether the one sent is right is for tshark and scapy to say.
   */
  readonly hex: string;
  /** Lines, or parts of lines, of tshark's full reading, in this order. */
  readonly seen: readonly string[];
}

/** A packet that says nothing hop by hop. */
export const packetOf = (message: RsvpMessage): RsvpPacket => ({
  sendTtl: 63,
  refreshReduction: false,
  acks: [],
  message,
});

export const octetsOf = (hex: string): Buffer => Buffer.from(hex.replace(/[^0-9a-f]/g, ""), "hex");

/** r 80000, b 4000, p 80000, m 100, M 1500: ten G.711 calls. */
export const TEN_CALLS: TokenBucket = {
  rate: bytesPerSecond(80_000),
  bucket: octets(4000),
  peak: bytesPerSecond(80_000),
  minPoliced: octets(100),
  maxPacket: octets(1500),
};
/** 80000 = 0x1.388p16, 4000 = 0x1.f4p11. */
export const TEN_CALLS_HEX = "7f 00 0005 479c4000 457a0000 479c4000 00000064 000005dc";

/** r 10000, b 400, p unlimited, m and M 200: one G.711 call of which the peak is not known. */
export const ONE_CALL: TokenBucket = {
  rate: bytesPerSecond(10_000),
  bucket: octets(400),
  peak: UNLIMITED_PEAK,
  minPoliced: octets(200),
  maxPacket: octets(200),
};
/** 10000 = 0x1.388p13, 400 = 0x1.9p8, infinity. */
export const ONE_CALL_HEX = "7f 00 0005 461c4000 43c80000 7f800000 000000c8 000000c8";

export const controlledLoad = (tspec: TokenBucket): Flowspec => ({ kind: "controlledLoad", tspec });
export const CL_TEN = `0024 09 02 00 00 0007 05 00 0006 ${TEN_CALLS_HEX}`;
export const CL_ONE = `0024 09 02 00 00 0007 05 00 0006 ${ONE_CALL_HEX}`;
export const TSPEC_TEN = `0024 0c 02 00 00 0007 01 00 0006 ${TEN_CALLS_HEX}`;
export const TSPEC_ONE = `0024 0c 02 00 00 0007 01 00 0006 ${ONE_CALL_HEX}`;

export const WF = "0008 08 01 00 000011";
export const FF = "0008 08 01 00 00000a";
export const SE = "0008 08 01 00 000012";
export const EVERY_30_S = "0008 05 01 00007530";
