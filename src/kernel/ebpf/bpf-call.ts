/**
 * The system call bpf(2). Node has no way to it and no package loads and attaches programs, so libc's `syscall` is called
 * through koffi, an optional dependency that is loaded when the first call is made. Nothing else here knows koffi.
 */
import { createRequire } from "node:module";
import { constants, endianness } from "node:os";
import { KernelError } from "../../model/errors.js";

/** linux/bpf.h, enum bpf_cmd. */
export const COMMAND = {
  mapCreate: 0,
  mapLookup: 1,
  mapUpdate: 2,
  mapDelete: 3,
  programLoad: 5,
  programAttach: 8,
  programDetach: 9,
  programTestRun: 10,
  programById: 13,
  mapById: 14,
  objectInfo: 15,
  programQuery: 16,
  mapTake: 21,
  mapLookupBatch: 24,
  programBindMap: 35,
} as const;

/** What of koffi is used. */
export interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): unknown };
  address(octets: Uint8Array): bigint;
  errno(): number;
}

export type Syscall = (number: number, command: number, attributes: bigint, length: number) => number;

/** The way to the system call. */
export interface Gate {
  readonly number: number;
  readonly call: Syscall;
  readonly koffi: Koffi;
}

/** By `process.arch`. */
const SYSCALL_NUMBERS: Readonly<Record<string, number>> = {
  x64: 321,
  arm64: 280,
  riscv64: 280,
  loong64: 280,
  ppc64: 361,
};

/** Of errors that only the kernel's inside knows; bpf(2) lets it out. */
const INNER_ERRORS: Readonly<Record<number, string>> = { 524: "ENOTSUPP" };
const SECOND_NAMES: readonly string[] = ["EWOULDBLOCK", "ENOTSUP"];

const ERROR_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .filter(([name]) => !SECOND_NAMES.includes(name))
    .map(([name, number]) => [number, name] as const),
);

/** `ENOENT` of 2. */
export const errnoName = (number: number): string =>
  ERROR_NAMES.get(number) ?? INNER_ERRORS[number] ?? `errno ${number}`;

const REMEDY = "set kernel.backend to nftables";

const unsupported = (why: string, remedy: string, cause?: unknown): KernelError =>
  new KernelError("KERNEL_UNSUPPORTED", `no eBPF: ${why}`, { operation: "bpf(2)" }, { remedy, cause });

/** The bytecode is of little-endian machines. */
export function syscallNumber(machine: string, order: "LE" | "BE"): number {
  const number = SYSCALL_NUMBERS[machine];
  if (number === undefined || order !== "LE") {
    throw unsupported(`the processor ${machine} (${order}) is not known`, REMEDY);
  }
  return number;
}

/** @param load gives koffi. @throws KernelError KERNEL_UNSUPPORTED with what is missing. */
export function openGate(load: () => unknown = () => createRequire(import.meta.url)("koffi")): Gate {
  if (process.platform !== "linux") throw unsupported(`${process.platform} is not Linux`, REMEDY);
  const number = syscallNumber(process.arch, endianness());
  try {
    const koffi = load() as Koffi;
    const call = koffi.load(null).func("syscall", "long", ["long", "long", "uintptr_t", "size_t"]) as Syscall;
    return { number, call, koffi };
  } catch (cause) {
    throw unsupported("koffi cannot be loaded", `npm install koffi, or ${REMEDY}`, cause);
  }
}

let opened: Gate | undefined;

function gate(): Gate {
  opened ??= openGate();
  return opened;
}

/**
 * `union bpf_attr` of one command: fields at their offsets, in the order of this machine, zeros between them. Octets that
 * are pointed to are kept for as long as the attributes are, and do not move.
 */
export class Attributes {
  readonly length: number;
  readonly octets: Uint8Array;
  /** Of the octets, for the kernel. */
  readonly address: bigint;
  readonly #words: Uint32Array;
  readonly #doubleWords: BigUint64Array;
  readonly #kept: Uint8Array[] = [];

  /** @param length octets, of which eight are a word. @throws KernelError KERNEL_UNSUPPORTED. */
  constructor(length: number) {
    const octets = new Uint8Array(Math.ceil(length / 8) * 8);
    this.octets = octets;
    this.length = octets.length;
    this.#words = new Uint32Array(octets.buffer);
    this.#doubleWords = new BigUint64Array(octets.buffer);
    this.address = gate().koffi.address(octets);
  }

  setU32(offset: number, value: number): this {
    this.#words[offset / 4] = value;
    return this;
  }

  setU64(offset: number, value: bigint): this {
    this.#doubleWords[offset / 8] = value;
    return this;
  }

  setPointer(offset: number, octets: Uint8Array): this {
    this.#kept.push(octets);
    return this.setU64(offset, gate().koffi.address(octets));
  }

  /** A name of at most 15 octets, ended by zero. */
  setName(offset: number, name: string): this {
    if (!/^[A-Za-z0-9_.]{1,15}$/.test(name)) throw new RangeError(`no name for a BPF object: ${name}`);
    this.octets.set(Buffer.from(name, "latin1"), offset);
    return this;
  }

  u32(offset: number): number {
    return this.#words[offset / 4] ?? 0;
  }

  u64(offset: number): bigint {
    return this.#doubleWords[offset / 8] ?? 0n;
  }
}

/** Held, so that its octets outlive the call whatever its caller does with them. */
const underWay: { attributes: Attributes | undefined } = { attributes: undefined };

/** What the call gives, or the errno below zero. @throws KernelError KERNEL_UNSUPPORTED. */
export function tryBpf(command: number, attributes: Attributes): number {
  const { number, call, koffi } = gate();
  underWay.attributes = attributes;
  const result = call(number, command, attributes.address, attributes.length);
  // At once: whatever is done in between may set it.
  const given = result < 0 ? -koffi.errno() : result;
  underWay.attributes = undefined;
  return given;
}

const PERMISSION_REMEDY =
  "run the router as root, or with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN, which finding programs again takes";

/** @param result of `tryBpf`, below zero. */
export function bpfError(result: number, operation: string, cause?: unknown): KernelError {
  const errno = errnoName(-result);
  const detail = { operation, errno };
  if (errno === "EPERM") {
    return new KernelError("KERNEL_PERMISSION", `not allowed: ${operation}`, detail, { remedy: PERMISSION_REMEDY });
  }
  return new KernelError("KERNEL_REFUSED", `${operation}: ${errno}`, detail, { cause });
}

/** @throws KernelError KERNEL_UNSUPPORTED; KERNEL_PERMISSION or KERNEL_REFUSED with the operation and the errno. */
export function bpf(command: number, attributes: Attributes, operation: string): number {
  const result = tryBpf(command, attributes);
  if (result < 0) throw bpfError(result, operation);
  return result;
}
