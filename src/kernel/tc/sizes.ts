/** How large bursts, quanta and queues are for a rate. All octets are counted at layer 2, as HTB counts. Pure. */
import { type BytesPerSecond, bytesPerSecond, type Octets } from "../../model/units.js";

/** Of Ethernet, as the kernel counts it: without preamble and checksum. */
const ETHERNET_HEADER = 14;

/** The largest frame of a device. */
export const frameOf = (mtu: number): Octets => (mtu + ETHERNET_HEADER) as Octets;

/** Octets per second. A pool of rate 0 guarantees this little: HTB knows no class without a rate. */
const MIN_RATE = 64;

export const guaranteed = (rate: BytesPerSecond, most: BytesPerSecond): BytesPerSecond =>
  bytesPerSecond(Math.min(Math.max(MIN_RATE, rate), most));

/** The kernel counts a burst as the time to send it, in 32 bits of 64 ns: 274 s. */
const MAX_BURST_SECONDS = 200;

/** A burst covers what a timer that fires a millisecond late would miss, and two frames at least. */
export function burstOf(rate: number, floor: number, frame: number): Octets {
  const wished = Math.max(floor, 2 * frame, Math.ceil(rate / 1000));
  return Math.min(wished, rate * MAX_BURST_SECONDS) as Octets;
}

/** Above it the kernel itself calls a quantum too big. */
const MAX_QUANTUM = 200_000;

/**
 * What a class may send before it is the next one's turn: one frame, or 0.1 ms of its rate. So a round of all pools takes
 * 0.1 ms and a frame of each, however fast the link, and a fast class is not asked again for every packet.
 */
export const quantumOf = (rate: number, frame: number): Octets =>
  Math.max(frame, Math.min(MAX_QUANTUM, Math.ceil(rate / 10_000))) as Octets;

/** No queue holds more: at rates where this binds, it is emptied within milliseconds. */
const MAX_QUEUE = 64 * 1024 * 1024;

/** Longer queued than 100 ms, a packet of a call is worthless. */
export const realTimeQueue = (rate: number, floor: number, frame: number): Octets =>
  Math.min(MAX_QUEUE, Math.max(floor, 4 * frame, Math.ceil(rate / 10))) as Octets;

/**
 * The largest packet that a device merges on receipt (GRO), counted with a header for each of its segments. A queue that
 * counts octets and holds less would never take it.
 */
const LARGEST_MERGED = 73_728;

/** 50 ms of the link. */
export const bestEffortQueue = (link: number): Octets =>
  Math.min(MAX_QUEUE, Math.max(LARGEST_MERGED, Math.ceil(link / 20))) as Octets;
