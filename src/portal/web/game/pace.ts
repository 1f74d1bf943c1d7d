/** How often a channel may send, so that it stays within the rate that was granted. */

/**
 * Octets at layer 3 that a packet of a data channel takes beside its payload: IPv6 40 (IPv4 20), UDP 8, DTLS 1.2 record with AES-GCM
 * 37 (RFC 5246, 5288), SCTP header 12 and DATA chunk 16 (RFC 9260).
 */
const OVERHEAD = 40 + 8 + 37 + 12 + 16;
/** An acknowledgement (SACK) goes back for every second packet at least. */
const SACK = (40 + 8 + 37 + 12 + 16) / 2;

/** kbit/s at layer 3, one way, that both sides' sending at `perSecond` takes. */
export const rateOf = (payload: number, perSecond: number): number =>
  (8 * perSecond * (payload + OVERHEAD + SACK)) / 1000;

/**
 * Every how many steps of 1/60 s a packet is sent: the most often that the rate allows, `least` at the most often, and 10 a second
 * at the least.
 */
export function stepsPerPacket(payload: number, granted: number | undefined, least: number): number {
  const steps = [1, 2, 3, 4, 5, 6].filter((count) => count >= least);
  return steps.find((count) => granted === undefined || rateOf(payload, 60 / count) <= granted) ?? 6;
}
