/**
 * A bounded flood of UDP datagrams at a steady rate: the load on the bottleneck. Two floods facing each
 * other on one port are each other's sink, so no "port unreachable" answers disturb the measurement.
 */
import { createSocket } from "node:dgram";
import { familyOf, type IpAddress } from "../model/ip.js";
import type { BitsPerSecond, Millis, Octets } from "../model/units.js";

export interface FloodOptions {
  readonly destination: IpAddress;
  readonly port: number;
  /** Counted at layer 3. */
  readonly rate: BitsPerSecond;
  /** Of each IP packet. */
  readonly packetSize: Octets;
  readonly duration: Millis;
}

export interface FloodResult {
  readonly packets: number;
  /** Datagrams that this machine did not take. */
  readonly failed: number;
}

const TICK_MS = 2;
/** A late timer is made up for only so far: beyond, the flood would come as one burst. */
const MAX_CATCH_UP_MS = 20;
const MAX_RATE = 1e9;
const MAX_DURATION_MS = 600_000;

/** How many packets are due `elapsed` ms after the last reckoning, with the fraction carried over. */
export function packetsDue(options: FloodOptions, elapsed: number, carried: number): { due: number; carried: number } {
  const perMilli = options.rate / 8 / options.packetSize / 1000;
  const exact = carried + Math.min(elapsed, MAX_CATCH_UP_MS) * perMilli;
  return { due: Math.floor(exact), carried: exact - Math.floor(exact) };
}

/** Ends by itself after `duration`, or when `signal` says so. @throws RangeError for a size, rate or time out of bounds */
export async function flood(options: FloodOptions, signal?: AbortSignal): Promise<FloodResult> {
  const family = familyOf(options.destination);
  if (family === undefined) throw new RangeError(`not an IP address: ${options.destination}`);
  const headers = family === 4 ? 28 : 48;
  checkBounds(options, headers);
  const payload = Buffer.alloc(options.packetSize - headers);
  const socket = createSocket({ type: family === 4 ? "udp4" : "udp6", reuseAddr: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(options.port, resolve);
  });
  let packets = 0;
  let failed = 0;
  socket.on("error", () => undefined);
  const sendOne = (): void => {
    packets += 1;
    socket.send(payload, options.port, options.destination, (error) => {
      if (error !== null) failed += 1;
    });
  };
  await paced(options, sendOne, signal);
  await new Promise<void>((resolve) => socket.close(resolve));
  return { packets, failed };
}

function checkBounds({ rate, packetSize, duration }: FloodOptions, headers: number): void {
  if (!(rate > 0 && rate <= MAX_RATE)) throw new RangeError(`rate must be above 0 and at most ${MAX_RATE} bit/s`);
  if (!(packetSize >= headers && packetSize <= 1500))
    throw new RangeError(`packet size must be ${headers}..1500 octets`);
  if (!(duration > 0 && duration <= MAX_DURATION_MS))
    throw new RangeError(`time must be at most ${MAX_DURATION_MS} ms`);
}

function paced(options: FloodOptions, sendOne: () => void, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const start = performance.now();
    let last = start;
    let carried = 0;
    const tick = setInterval(() => {
      const now = performance.now();
      const reckoned = packetsDue(options, now - last, carried);
      last = now;
      carried = reckoned.carried;
      for (let index = 0; index < reckoned.due; index += 1) sendOne();
      if (now - start < options.duration && signal?.aborted !== true) return;
      clearInterval(tick);
      resolve();
    }, TICK_MS);
  });
}
