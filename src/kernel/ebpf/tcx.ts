/**
 * Programs at the egress of a device of this network namespace (tcx, Linux 6.6 and later). The kernel lists them, so that what a
 * process attached is found by the next one without a file system of pins.
 */
import { Attributes, bpf, bpfError, COMMAND, errnoName, tryBpf } from "./bpf-call.js";
import type { LoadedProgram } from "./bpf-program.js";

export interface TcxEgress {
  /** Raised by every change; it starts again when a device has had none. */
  readonly revision: bigint;
  /** In the order in which packets meet them. */
  readonly programIds: readonly number[];
}

/** linux/bpf.h, BPF_TCX_EGRESS and BPF_F_REPLACE. */
const EGRESS = 47;
const REPLACE = 4;
/** The kernel's own limit (BPF_MPROG_MAX). */
const MOST_PROGRAMS = 64;

/** @throws KernelError KERNEL_REFUSED: ENODEV for no such device, EINVAL for a kernel without tcx; KERNEL_PERMISSION. */
export function queryEgress(ifindex: number): TcxEgress {
  const ids = Buffer.alloc(4 * MOST_PROGRAMS);
  const attributes = new Attributes(64)
    .setU32(0, ifindex)
    .setU32(4, EGRESS)
    .setPointer(16, ids)
    .setU32(24, MOST_PROGRAMS);
  const result = tryBpf(COMMAND.programQuery, attributes);
  // A device that never had a program has no list.
  if (result < 0 && errnoName(-result) !== "ENOENT")
    throw bpfError(result, `ask for the egress programs of device ${ifindex}`);
  const count = result < 0 ? 0 : Math.min(attributes.u32(24), MOST_PROGRAMS);
  return {
    revision: attributes.u64(56),
    programIds: Array.from({ length: count }, (_, index) => ids.readUInt32LE(4 * index)),
  };
}

/**
 * Behind the programs that are there, or in the place of `replace`, with no packet in between that meets neither.
 * @throws KernelError KERNEL_REFUSED: ENODEV, ENOENT where `replace` is not attached, EEXIST, ERANGE; KERNEL_PERMISSION.
 */
export function attachEgress(ifindex: number, program: LoadedProgram, replace?: LoadedProgram): void {
  const attributes = new Attributes(32).setU32(0, ifindex).setU32(4, program.fd).setU32(8, EGRESS);
  if (replace !== undefined) attributes.setU32(12, REPLACE).setU32(16, replace.fd);
  bpf(COMMAND.programAttach, attributes, `attach ${program.name} to the egress of device ${ifindex}`);
}

/** @throws KernelError KERNEL_REFUSED: ENODEV, ENOENT where it is not attached; KERNEL_PERMISSION. */
export function detachEgress(ifindex: number, program: LoadedProgram): void {
  const attributes = new Attributes(32).setU32(0, ifindex).setU32(4, program.fd).setU32(8, EGRESS);
  bpf(COMMAND.programDetach, attributes, `detach ${program.name} from the egress of device ${ifindex}`);
}
