/** Code points of RSVP and its extensions. Names are the RFCs'. */
import type { RsvpMessageKind } from "./message.js";

/** Msg Type of the common header: RFC 2205 §3.1.1, RFC 2961, RFC 3209 §5, RFC 3097 §2. */
export const MESSAGE_TYPE = {
  Path: 1,
  Resv: 2,
  PathErr: 3,
  ResvErr: 4,
  PathTear: 5,
  ResvTear: 6,
  ResvConf: 7,
  Bundle: 12,
  Ack: 13,
  Srefresh: 15,
  Hello: 20,
  IntegrityChallenge: 25,
  IntegrityResponse: 26,
} as const satisfies Record<RsvpMessageKind, number>;

const KINDS = new Map<number, RsvpMessageKind>(
  Object.entries(MESSAGE_TYPE).map(([kind, type]) => [type, kind as RsvpMessageKind]),
);

export const messageKindOf = (type: number): RsvpMessageKind | undefined => KINDS.get(type);

/** Flags of the ERROR_SPEC object, RFC 2205 §A.5. */
export const ERROR_FLAG = { inPlace: 0x01, notGuilty: 0x02 } as const;

/** Flags of the INTEGRITY object, RFC 2747 §2.1, whose bit 0 is the most significant. */
export const INTEGRITY_FLAG = { handshake: 0x80 } as const;

/** Error codes: RFC 2205 §B, RFC 3175 §3.2. */
export const RSVP_ERROR = {
  confirmation: 0,
  admission: 1,
  policy: 2,
  noPath: 3,
  noSender: 4,
  conflictingStyle: 5,
  unknownStyle: 6,
  conflictingDestinationPorts: 7,
  conflictingSenderPorts: 8,
  preempted: 12,
  unknownClass: 13,
  unknownCType: 14,
  api: 20,
  trafficControl: 21,
  trafficControlSystem: 22,
  rsvpSystem: 23,
  newAggregateNeeded: 26,
} as const;

/** Values of error 1, RFC 2205 §B. */
export const ADMISSION = { delayBound: 1, bandwidth: 2, mtu: 3 } as const;

/** Values of error 2: RFC 4495 §5.1. */
export const POLICY = { partialPreemption: 102 } as const;

/** Values of error 21, RFC 2205 §B. */
export const TRAFFIC_CONTROL = {
  serviceConflict: 1,
  serviceUnsupported: 2,
  badFlowspec: 3,
  badTspec: 4,
  badAdspec: 5,
} as const;

/** The STYLE object's option vector, RFC 2205 §A.7. */
export const STYLE_OPTIONS = { WF: 0b10001, FF: 0b01010, SE: 0b10010 } as const;
