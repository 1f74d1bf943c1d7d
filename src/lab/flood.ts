/** A bounded flood of UDP datagrams at a steady rate: the load on the bottleneck. */
import { createSocket } from "node:dgram";
import { familyOf, type IpAddress } from "../model/ip.js";
import type { BitsPerSecond, Millis, Octets } from "../model/units.js";

export interface FloodOptions {
  readonly destination: IpAddress;
  readonly port: number;
  /** Counted at layer 3. */
  readonly rate: BitsPerSecond;
  /**
   * Of the IP packets, in turn. A queue that is counted in octets and full of large packets has room for small
   * ones: to see what a flood does to media, some of it should be no larger than they are.
   */
  readonly packetSizes: readonly Octets[];
  readonly duration: Millis;
}

export interface FloodResult {
  readonly packets: number;
  /** Datagrams that this machine did not take. */
  readonly failed: number;
}

const TICK_MS = 2;
/** A late timer is made up for only so far: beyond, the flood would come as one burst. */
const MAX_CATCH_UP_MS = 40;
const MAX_RATE = 1e9;
const MAX_DURATION_MS = 600_000;

/** Tells, each time it is asked, which packets are due since it was asked last. */
export function pacer(options: Pick<FloodOptions, "rate" | "packetSizes">): (elapsedMs: number) => readonly Octets[] {
  const perMilli = options.rate / 8 / 1000;
  let credit = 0;
  let next = 0;
  return (elapsedMs) => {
    credit += Math.min(elapsedMs, MAX_CATCH_UP_MS) * perMilli;
    const due: Octets[] = [];
    for (;;) {
      const size = options.packetSizes[next % options.packetSizes.length];
      if (size === undefined || size > credit) return due;
      credit -= size;
      next += 1;
      due.push(size);
    }
  };
}

/** Ends by itself after `duration`, or when `signal` says so. @throws RangeError for a size, rate or time out of bounds */
export async function flood(options: FloodOptions, signal?: AbortSignal): Promise<FloodResult> {
  const family = familyOf(options.destination);
  if (family === undefined) throw new RangeError(`not an IP address: ${options.destination}`);
  const headers = family === 4 ? 28 : 48;
  checkBounds(options, headers);
  const payloads = new Map(options.packetSizes.map((size) => [size, Buffer.alloc(size - headers)]));
  const socket = createSocket({ type: family === 4 ? "udp4" : "udp6" });
  // Connected: otherwise each datagram would look its address up.
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(options.port, options.destination, resolve);
  });
  let packets = 0;
  let failed = 0;
  socket.on("error", () => undefined);
  const send = (size: Octets): void => {
    packets += 1;
    socket.send(payloads.get(size) ?? "", (error) => {
      if (error !== null) failed += 1;
    });
  };
  await paced(options, send, signal);
  await new Promise<void>((resolve) => socket.close(resolve));
  return { packets, failed };
}

function checkBounds({ rate, packetSizes, duration }: FloodOptions, headers: number): void {
  if (!(rate > 0 && rate <= MAX_RATE)) throw new RangeError(`rate must be above 0 and at most ${MAX_RATE} bit/s`);
  const areSizes = packetSizes.length > 0 && packetSizes.every((size) => size >= headers && size <= 1500);
  if (!areSizes) throw new RangeError(`packet sizes must be ${headers}..1500 octets`);
  const isTime = duration > 0 && duration <= MAX_DURATION_MS;
  if (!isTime) throw new RangeError(`time must be above 0 and at most ${MAX_DURATION_MS} ms`);
}

function paced(options: FloodOptions, send: (size: Octets) => void, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const due = pacer(options);
    const start = performance.now();
    let last = start;
    const tick = setInterval(() => {
      const now = performance.now();
      for (const size of due(now - last)) send(size);
      last = now;
      if (now - start < options.duration && signal?.aborted !== true) return;
      clearInterval(tick);
      resolve();
    }, TICK_MS);
  });
}
