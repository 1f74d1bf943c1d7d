/** Netlink messages: header, errors, ends of dumps. No socket here. */
import { constants } from "node:os";
import { DecodeError } from "../../model/errors.js";
import { align4, hostI32, hostU16, hostU32, type OctetWriter, sized } from "./octets.js";

export const FLAG = {
  request: 0x001,
  ack: 0x004,
  echo: 0x008,
  dump: 0x300,
  create: 0x400,
  exclusive: 0x200,
} as const;

/** On parts of a dump: something changed meanwhile. */
const FLAG_INTERRUPTED = 0x010;
const HEADER = 16;
const TYPE_ERROR = 2;
const TYPE_DONE = 3;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Of the socket that asked for it. */
  readonly port: number;
  readonly body: Buffer;
}

export const isInterrupted = (message: NetlinkMessage): boolean => (message.flags & FLAG_INTERRUPTED) !== 0;

/** Writes the header, then the body, then the length. */
export function writeMessage(
  writer: OctetWriter,
  header: { readonly type: number; readonly flags: number; readonly sequence: number },
  body: () => void,
): void {
  const at = writer.reserve(HEADER);
  body();
  writer.u32At(at, writer.length - at);
  writer.u16At(at + 4, header.type);
  writer.u16At(at + 6, header.flags);
  writer.u32At(at + 8, header.sequence);
}

/** @throws DecodeError if a message's length does not fit. */
export function readMessages(datagram: Buffer): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (datagram.length - at >= HEADER) {
    const length = hostU32(datagram, at);
    if (length < HEADER || at + length > datagram.length) {
      const detail = { offset: at, object: "netlink message", need: length, have: datagram.length - at };
      throw new DecodeError("NETLINK_MESSAGE", "a netlink message's length does not fit", detail);
    }
    messages.push({
      type: hostU16(datagram, at + 4),
      flags: hostU16(datagram, at + 6),
      sequence: hostU32(datagram, at + 8),
      port: hostU32(datagram, at + 12),
      body: datagram.subarray(at + HEADER, at + length),
    });
    at += align4(length);
  }
  return messages;
}

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** `ENOENT` for 2; the number itself where the C library knows no name. */
export const errnoName = (errno: number): string => ERRNO_NAMES.get(errno) ?? `errno ${errno}`;

/** Undefined if the message is no reply to a request; 0 is an acknowledgement, or the end of a dump. */
export function replyErrno(message: NetlinkMessage): number | undefined {
  if (message.type !== TYPE_ERROR && message.type !== TYPE_DONE) return undefined;
  if (message.type === TYPE_DONE && message.body.length < 4) return 0;
  return -hostI32(sized(message.body, 4, "netlink error"), 0);
}
