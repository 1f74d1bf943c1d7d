/** Bundle messages, RFC 2961 §3: whole messages one after the other. */
import { MESSAGE_TYPE } from "./codes.js";
import { malformed } from "./errors.js";
import { HEADER_LENGTH, readHeader } from "./header.js";
import type { BundleMessage } from "./message.js";

/**
 * Each sub-message has a length and an INTEGRITY object of its own, so it is handed on as octets, to be
 * decoded as if it had come alone.
 * @throws RsvpDecodeError if the lengths do not add up or a Bundle is in the Bundle
 */
export function cutBundle(body: Buffer): BundleMessage {
  const messages: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    const detail = { offset: HEADER_LENGTH + at, object: "sub-message" };
    const rest = body.subarray(at);
    if (rest.length >= HEADER_LENGTH && rest.readUInt8(1) === MESSAGE_TYPE.Bundle) {
      throw malformed("a Bundle in a Bundle", detail);
    }
    const { length } = readHeader(rest);
    if (length > rest.length) {
      throw malformed("sub-message ends after its Bundle", { ...detail, need: length, have: rest.length });
    }
    messages.push(rest.subarray(0, length));
    at += length;
  }
  if (messages.length === 0) throw malformed("a Bundle of nothing", { offset: 0, object: "Bundle" });
  return { kind: "Bundle", messages };
}
