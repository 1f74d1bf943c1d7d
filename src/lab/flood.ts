/** A bounded flood of UDP datagrams at a steady rate: the load on the bottleneck. */
import { createSocket } from "node:dgram";
import { familyOf, type IpAddress } from "../model/ip.js";
import type { BitsPerSecond, Millis, Octets } from "../model/units.js";

export interface FloodOptions {
  readonly destination: IpAddress;
  readonly port: number;
  /** Counted at layer 3. */
  readonly rate: BitsPerSecond;
  /** Of each datagram with its headers. One that is larger than the route's MTU leaves as fragments. */
  readonly datagramSize: Octets;
  readonly duration: Millis;
}

/** Counted in datagrams. */
export interface FloodResult {
  readonly sent: number;
  /** Those that the kernel did not take. */
  readonly failed: number;
}

const TICK_MS = 2;
/** A late timer is made up for only so far: beyond, the flood would come as one burst. */
const MAX_CATCH_UP_MS = 40;
/** Datagrams that the kernel has not taken yet: when it is slower than the rate, it sets the pace. */
const MAX_WAITING = 16;
const MAX_DATAGRAM = 65_000;
const MAX_RATE = 1e9;
const MAX_DURATION_MS = 600_000;

/** Tells, each time it is asked, how many datagrams are due since it was asked last. */
export function pacer({
  rate,
  datagramSize,
}: Pick<FloodOptions, "rate" | "datagramSize">): (elapsedMs: number) => number {
  const perMilli = rate / 8 / datagramSize / 1000;
  let credit = 0;
  return (elapsedMs) => {
    credit += Math.min(elapsedMs, MAX_CATCH_UP_MS) * perMilli;
    const due = Math.floor(credit);
    credit -= due;
    return due;
  };
}

/** Ends by itself after `duration`, or when `signal` says so. @throws RangeError for a size, rate or time out of bounds */
export async function flood(options: FloodOptions, signal?: AbortSignal): Promise<FloodResult> {
  const family = familyOf(options.destination);
  if (family === undefined) throw new RangeError(`not an IP address: ${options.destination}`);
  const headers = family === 4 ? 28 : 48;
  checkBounds(options, headers);
  const payload = Buffer.alloc(options.datagramSize - headers);
  const socket = createSocket({ type: family === 4 ? "udp4" : "udp6" });
  // Connected: otherwise each datagram would look its address up.
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(options.port, options.destination, resolve);
  });
  let sent = 0;
  let failed = 0;
  let waiting = 0;
  socket.on("error", () => undefined);
  const send = (): void => {
    if (waiting >= MAX_WAITING) return;
    waiting += 1;
    socket.send(payload, (error) => {
      waiting -= 1;
      if (error === null) sent += 1;
      else failed += 1;
    });
  };
  await paced(options, send, signal);
  await new Promise<void>((resolve) => socket.close(resolve));
  return { sent, failed };
}

function checkBounds({ rate, datagramSize, duration }: FloodOptions, headers: number): void {
  if (!(rate > 0 && rate <= MAX_RATE)) throw new RangeError(`rate must be above 0 and at most ${MAX_RATE} bit/s`);
  const isSize = datagramSize >= headers && datagramSize <= MAX_DATAGRAM;
  if (!isSize) throw new RangeError(`datagram size must be ${headers}..${MAX_DATAGRAM} octets`);
  const isTime = duration > 0 && duration <= MAX_DURATION_MS;
  if (!isTime) throw new RangeError(`time must be above 0 and at most ${MAX_DURATION_MS} ms`);
}

function paced(options: FloodOptions, send: () => void, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const due = pacer(options);
    const start = performance.now();
    let last = start;
    const tick = setInterval(() => {
      const now = performance.now();
      for (let count = due(now - last); count > 0; count -= 1) send();
      last = now;
      if (now - start < options.duration && signal?.aborted !== true) return;
      clearInterval(tick);
      resolve();
    }, TICK_MS);
  });
}
