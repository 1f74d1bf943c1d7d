/** COPS for SIP: numbers. IANA has registered no client-type for SIP, so a private-use one is the default. */
import { R_TYPE } from "../codec/codes.js";
import type { CopsContext } from "../codec/message.js";

/** 0x4000-0x7fff is for private use (RFC 2748 §6); these octets read "SI". Both ends must be set alike. */
export const DEFAULT_SIP_CLIENT_TYPE = 0x5349;

/** M-Type of the Context: the SIP event that the PEP asks about. */
export const SIP_M_TYPE = {
  invite: 1,
  provisional: 2,
  answer: 3,
  bye: 4,
  cancel: 5,
  failure: 6,
  timeout: 7,
  reoffer: 8,
  /** A party has gone without a word: its connection, or the page that it was in. */
  left: 9,
} as const;

export type SipEvent = keyof typeof SIP_M_TYPE;

/** Events that end the session: what was reserved is released. */
const ENDING: readonly number[] = [
  SIP_M_TYPE.bye,
  SIP_M_TYPE.cancel,
  SIP_M_TYPE.failure,
  SIP_M_TYPE.timeout,
  SIP_M_TYPE.left,
];

export const isEnding = (mType: number): boolean => ENDING.includes(mType);

/** Who may: asked once, when the INVITE comes. */
export const aaaContext = (): CopsContext => ({ rType: R_TYPE.admission, mType: SIP_M_TYPE.invite });

/** Reserve, change or release resources. */
export const ldpContext = (event: SipEvent): CopsContext => ({
  rType: R_TYPE.resourceAllocation,
  mType: SIP_M_TYPE[event],
});

const EVENTS = new Map<number, SipEvent>(
  Object.entries(SIP_M_TYPE).map(([event, mType]) => [mType, event as SipEvent]),
);

export const sipEventOf = (mType: number): SipEvent | undefined => EVENTS.get(mType);

/** One handle per dialog, four octets: analysers show those as a number. @param number - 1..2^32-1 */
export function dialogHandle(number: number): Buffer {
  const handle = Buffer.alloc(4);
  handle.writeUInt32BE(number);
  return handle;
}

/** The number of a handle that `dialogHandle` made; undefined for any other. */
export const handleNumber = (handle: Buffer): number | undefined =>
  handle.length === 4 ? handle.readUInt32BE() : undefined;
