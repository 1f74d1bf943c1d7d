/** Requests of a router about reservations, as the policy server gets them. */
import type { CopsMessage, ReqMessage } from "../../../src/cops/codec/message.js";
import { CLIENT_TYPE_RSVP, requestHandle, reservationContext } from "../../../src/cops/rsvp/codes.js";
import { encodeRuling } from "../../../src/cops/rsvp/verdict.js";
import type { IpAddress } from "../../../src/model/ip.js";
import { bytesPerSecond, dscp, millis, octets } from "../../../src/model/units.js";
import { encodePacket } from "../../../src/rsvp/codec/encode.js";
import { HEADER_LENGTH } from "../../../src/rsvp/codec/header.js";
import type { FlowDescriptors, RsvpMessage } from "../../../src/rsvp/codec/message.js";
import type { Session } from "../../../src/rsvp/codec/objects.js";
import { tokenBucket, UNLIMITED_PEAK } from "../../../src/rsvp/codec/token-bucket.js";

export const flowspecOf = (rate: number) =>
  ({
    kind: "controlledLoad",
    tspec: tokenBucket({
      rate: bytesPerSecond(rate / 8),
      bucket: octets(8000),
      peak: UNLIMITED_PEAK,
      minPoliced: octets(200),
      maxPacket: octets(200),
    }),
  }) as const;

export const aggregate = (destination: IpAddress, codePoint = 46): Session => ({
  kind: "aggregate",
  destination,
  dscp: dscp(codePoint),
  ePolice: false,
});

export const singleFlow = (destination: IpAddress): Session => ({
  kind: "ip",
  destination,
  protocol: 17,
  port: 5004,
  ePolice: false,
});

/** The objects of a message, without its header. */
export const objectsOf = (message: RsvpMessage): Buffer =>
  encodePacket({ message, sendTtl: 0, refreshReduction: false, acks: [] }).subarray(HEADER_LENGTH);

export interface Wanted {
  readonly session?: Session;
  readonly sender?: IpAddress;
  readonly rate?: number;
  readonly handle?: number;
  readonly held?: boolean;
  readonly flows?: FlowDescriptors;
}

const ALL = reservationContext("unicastFixed");

export function requestOf(wanted: Wanted = {}): ReqMessage {
  const { session = aggregate("10.3.0.1"), sender = "10.1.0.1", rate = 100_000, handle = 1, held = false } = wanted;
  const filter = session.kind === "ip" ? { address: sender, port: 5004 } : { address: sender };
  const flows: FlowDescriptors = wanted.flows ?? { style: "FF", flows: [{ filter, flowspec: flowspecOf(rate) }] };
  const resv = objectsOf({
    kind: "Resv",
    session,
    hop: { address: session.destination.includes(":") ? "fd01::2" : "10.2.0.2", lih: 3 },
    refreshPeriod: millis(30_000),
    policy: [],
    flows,
    unknown: [],
  });
  return reqOf(resv, { handle, lpdp: held ? [encodeRuling(ALL, { install: true })] : [] });
}

export function reqOf(
  signaled: Buffer,
  more: { readonly handle?: number } & Partial<Omit<Extract<CopsMessage, { op: "REQ" }>, "handle">> = {},
): ReqMessage {
  const { handle = 1, ...rest } = more;
  return {
    op: "REQ",
    clientType: CLIENT_TYPE_RSVP,
    handle: requestHandle(handle),
    context: ALL,
    signaled: [signaled],
    named: [],
    lpdp: [],
    ...rest,
  };
}
