/**
 * The netlink agent: a process that holds netlink sockets for the daemon and passes datagrams on, unread.
 *
 * The npm package `netlink` ends its process when the kernel overruns a receive buffer (ENOBUFS); here that ends this
 * process alone, and the daemon starts another. It lives as long as the daemon's end of the pipe is open.
 */
import { Socket } from "node:net";
import type { RawNetlinkSocket } from "netlink";
import {
  type ChannelSettings,
  decodeSettings,
  encodeRefusal,
  FRAME,
  type Frame,
  FrameReader,
  frameHeader,
} from "./frames.js";

const PIPE = 3;
/** A netlink datagram of a dump is at most 32 KiB, one of a refused batch little more than the batch. */
const DATAGRAM = 65_536;
/** What may wait for a daemon that does not read. */
const MAX_UNREAD = 256 * 1024 * 1024;
const EXIT = { closed: 0, protocol: 3, unread: 4, noPackage: 5 } as const;

/**
 * Frames that are obeyed before answers are looked for: the kernel carries out a transaction within `send`, so the daemon
 * would wait for all that it sent at once, and this process then for the daemon.
 */
const SLICE = 8;

const NOTHING = Buffer.alloc(0);
const sockets = new Map<number, RawNetlinkSocket>();
const pipe = new Socket({ fd: PIPE });
let unsaid: Buffer[] = [];

/** Everything that is said in one turn of the event loop goes in one write. */
function say(kind: number, channel: number, tag: number, payload: Buffer): void {
  if (unsaid.length === 0) {
    setImmediate(() => {
      pipe.write(Buffer.concat(unsaid));
      unsaid = [];
      if (pipe.writableLength > MAX_UNREAD) process.exit(EXIT.unread);
    });
  }
  unsaid.push(frameHeader({ kind, channel, tag }, payload.length), payload);
}

const refusalOf = (error: unknown): Buffer =>
  encodeRefusal({
    errno: error instanceof Error && "code" in error ? String(error.code) : "",
    reason: error instanceof Error ? error.message : String(error),
  });

function open(Raw: typeof RawNetlinkSocket, channel: number, settings: ChannelSettings): void {
  try {
    const raw = new Raw(settings.protocol, {
      messagePeeking: false,
      msgBufferSize: DATAGRAM,
      recvBufferSize: settings.receiveBuffer,
      sendBufferSize: settings.sendBuffer,
    });
    sockets.set(channel, raw);
    raw.on("message", (datagram) => say(FRAME.datagram, channel, 0, datagram));
    raw.on("truncatedMessage", () =>
      say(FRAME.failed, channel, 0, encodeRefusal({ errno: "", reason: "an answer was longer than its buffer" })),
    );
    raw.on("error", (error) => say(FRAME.failed, channel, 0, refusalOf(error)));
    for (const group of settings.groups) raw.addMembership(group);
    say(FRAME.opened, channel, raw.getRecvBufferSize(), NOTHING);
  } catch (error) {
    say(FRAME.refused, channel, 0, refusalOf(error));
  }
}

function obey(Raw: typeof RawNetlinkSocket, frame: Frame): void {
  const { kind, channel, tag, payload } = frame;
  if (kind === FRAME.open) {
    open(Raw, channel, decodeSettings(payload));
  } else if (kind === FRAME.send) {
    sockets.get(channel)?.send(payload, {}, (error) => {
      if (error !== undefined) say(FRAME.unsent, channel, tag, refusalOf(error));
    });
  } else if (kind === FRAME.close) {
    sockets.get(channel)?.close();
    sockets.delete(channel);
  } else {
    process.exit(EXIT.protocol);
  }
}

async function main(): Promise<void> {
  process.title = "sluice-netlink";
  // A signal to the whole process group is for the daemon: it may still need its sockets to end well.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  pipe.on("error", () => process.exit(EXIT.closed));
  pipe.on("end", () => process.exit(EXIT.closed));
  pipe.on("close", () => process.exit(EXIT.closed));
  const { RawNetlinkSocket: Raw } = await import("netlink");
  const waiting: Frame[] = [];
  let isObeying = false;
  const obeySome = (): void => {
    for (const frame of waiting.splice(0, SLICE)) obey(Raw, frame);
    isObeying = waiting.length > 0;
    if (isObeying) setImmediate(obeySome);
  };
  const reader = new FrameReader((frame) => waiting.push(frame));
  pipe.on("data", (chunk) => {
    try {
      reader.push(chunk);
    } catch {
      process.exit(EXIT.protocol);
    }
    if (!isObeying) obeySome();
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(EXIT.noPackage);
});
