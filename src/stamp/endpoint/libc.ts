/**
 * Calls of libc that Node has no way to: sockets with control messages, and what the kernel says of its clock. Made through
 * koffi, an optional dependency that is loaded when it is first wanted. Nothing else here knows koffi.
 */
import { createRequire } from "node:module";
import { constants, endianness } from "node:os";
import { SystemError } from "../../model/errors.js";

/** What of koffi is used. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): unknown };
  address(octets: Uint8Array): bigint;
  errno(): number;
}

/** Results below zero are the errno, as the kernel has it. Addresses are of octets that `pinned` gave. */
export interface Libc {
  socket(family: number, type: number, protocol: number): number;
  bind(socket: number, address: bigint, length: number): number;
  localAddress(socket: number, address: bigint, length: bigint): number;
  setOption(socket: number, level: number, name: number, value: bigint, length: number): number;
  send(socket: number, message: bigint, flags: number): number;
  receive(socket: number, message: bigint, flags: number): number;
  close(socket: number): number;
  clockTime(clock: number, time: bigint): number;
  adjustClock(request: bigint): number;
}

/** Octets that the kernel may write to. They do not move; whoever made them keeps them for as long. */
export interface Pinned {
  readonly octets: Buffer;
  readonly address: bigint;
}

export interface LibcGate {
  readonly libc: Libc;
  readonly pinned: (length: number) => Pinned;
}

const remedy = "npm install koffi: without it test packets are not in their pools' queues, and times are the process's";

const unavailable = (why: string, cause?: unknown): SystemError =>
  new SystemError("STAMP_NO_LIBC", `no sockets with the kernel's times: ${why}`, { remedy, cause });

/** Whose structures are as they are read here: 64 bits, the lowest octet first, numbers of the generic Linux. */
const PROCESSORS: ReadonlySet<string> = new Set(["x64", "arm64", "riscv64", "loong64"]);

/** @param load - gives koffi. @throws SystemError STAMP_NO_LIBC with what is missing */
export function openLibc(load: () => unknown = () => createRequire(import.meta.url)("koffi")): LibcGate {
  if (process.platform !== "linux") throw unavailable(`${process.platform} is not Linux`);
  if (!PROCESSORS.has(process.arch) || endianness() !== "LE")
    throw unavailable(`the processor ${process.arch} is not known`);
  try {
    const koffi = load() as Koffi;
    return { libc: bindLibc(koffi), pinned: (length) => pin(koffi, length) };
  } catch (cause) {
    throw unavailable("koffi cannot be loaded", cause);
  }
}

type Call = (...parameters: readonly (number | bigint)[]) => number;

function bindLibc(koffi: Koffi): Libc {
  const library = koffi.load(null);
  const call = (name: string, result: string, parameters: readonly string[]): Call => {
    const raw = library.func(name, result, parameters) as Call;
    // At once: whatever is done in between may set it.
    return (...values) => {
      const given = raw(...values);
      return given === -1 ? -koffi.errno() : given;
    };
  };
  return {
    socket: call("socket", "int", ["int", "int", "int"]),
    bind: call("bind", "int", ["int", "uintptr_t", "uint"]),
    localAddress: call("getsockname", "int", ["int", "uintptr_t", "uintptr_t"]),
    setOption: call("setsockopt", "int", ["int", "int", "int", "uintptr_t", "uint"]),
    send: call("sendmsg", "long", ["int", "uintptr_t", "int"]),
    receive: call("recvmsg", "long", ["int", "uintptr_t", "int"]),
    close: call("close", "int", ["int"]),
    clockTime: call("clock_gettime", "int", ["int", "uintptr_t"]),
    adjustClock: call("adjtimex", "int", ["uintptr_t"]),
  };
}

/** Memory of an ArrayBuffer of its own is outside of what the collector moves. */
function pin(koffi: Koffi, length: number): Pinned {
  const memory = new Uint8Array(new ArrayBuffer(length));
  return { octets: Buffer.from(memory.buffer), address: koffi.address(memory) };
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]) => [number, name] as const),
);

/** `ENOENT` of -2. */
export const errnoOf = (result: number): string => NAMES.get(-result) ?? `errno ${-result}`;
