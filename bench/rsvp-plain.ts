/** RFC 2205 alone: a transport whose messages do not say that their sender can do RFC 2961. */
import { CHECKSUM_AT, checksum } from "../src/rsvp/codec/header.js";
import type { OutgoingDatagram, RsvpTransport } from "../src/rsvp/endpoint/transport.js";

/** RFC 2961 §2: without the bit no neighbour sends Srefresh or Bundle messages. */
const REFRESH_REDUCTION = 0x01;

export function withoutReduction(transport: RsvpTransport): RsvpTransport {
  return {
    kind: transport.kind,
    send: (datagram) => transport.send({ ...datagram, octets: cleared(datagram) }),
    attach: (name) => transport.attach(name),
    detach: (name) => transport.detach(name),
    counts: () => transport.counts(),
    close: () => transport.close(),
  };
}

function cleared({ octets }: OutgoingDatagram): Buffer {
  octets.writeUInt8(octets.readUInt8(0) & ~REFRESH_REDUCTION, 0);
  octets.writeUInt16BE(0, CHECKSUM_AT);
  octets.writeUInt16BE(checksum(octets), CHECKSUM_AT);
  return octets;
}
