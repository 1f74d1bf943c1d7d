/** The address of the sending system, which together with the key identifier names a security association. */
import type { IpAddress } from "../../model/ip.js";
import { HEADER_LENGTH } from "../codec/header.js";
import { cutObjects, readObject } from "../codec/object.js";
import { OBJECTS, objectFormOf } from "../codec/object-table.js";

/**
 * RFC 2747 §4: that of RSVP_HOP, where there is one; else the IP source. Looks at nothing else of the message, which is
 * not yet known to be genuine.
 * @throws RsvpDecodeError if the objects do not add up
 */
export function senderAddress(octets: Buffer, source: IpAddress): IpAddress {
  const raw = cutObjects(octets.subarray(HEADER_LENGTH), HEADER_LENGTH).find(
    ({ classNum }) => classNum === OBJECTS.hop.classNum,
  );
  const form = raw === undefined ? undefined : objectFormOf(raw.classNum, raw.cType);
  if (raw === undefined || form === undefined) return source;
  const object = readObject(form, raw);
  return object.name === "hop" ? object.value.address : source;
}
