/** Has the kernel run a program on a packet (BPF_PROG_TEST_RUN), as if it left an Ethernet device. */
import { createRequire } from "node:module";
import { Attributes, bpf, COMMAND, syscallNumber } from "../../../src/kernel/ebpf/bpf-call.js";
import type { LoadedProgram } from "../../../src/kernel/ebpf/bpf-program.js";

export const PASS = -1;
export const DROP = 2;

export interface Verdict {
  readonly action: number;
  readonly packet: Buffer;
  readonly priority: number;
}

/** linux/bpf.h, struct __sk_buff. */
const CONTEXT = { length: 192, priority: 32, gsoSegments: 164, gsoSize: 176 } as const;
const TAIL_ROOM = 256;

/** A program that changes octets of a shared packet is given a copy by the kernel: this one is not shared. */
export function runOn(
  program: LoadedProgram,
  packet: Uint8Array,
  { segments = 0, times = 1 }: { readonly segments?: number; readonly times?: number } = {},
): Verdict {
  const input = Buffer.from(packet);
  const output = Buffer.alloc(packet.length + TAIL_ROOM);
  const [before, after] = [Buffer.alloc(CONTEXT.length), Buffer.alloc(CONTEXT.length)];
  before.writeUInt32LE(segments, CONTEXT.gsoSegments);
  const attributes = new Attributes(80)
    .setU32(0, program.fd)
    .setU32(8, input.length)
    .setU32(12, output.length)
    .setPointer(16, input)
    .setPointer(24, output)
    .setU32(32, times)
    .setU32(40, before.length)
    .setU32(44, after.length)
    .setPointer(48, before)
    .setPointer(56, after);
  bpf(COMMAND.programTestRun, attributes, `run ${program.name}`);
  return {
    action: attributes.u32(4) | 0,
    packet: output.subarray(0, attributes.u32(12)),
    priority: after.readUInt32LE(CONTEXT.priority),
  };
}

interface AsyncCall {
  async(...args: readonly unknown[]): void;
}

/** The same packet so many times on each of two threads at once, which the event loop is not one of. */
export async function runTogether(program: LoadedProgram, packet: Uint8Array, times: number): Promise<void> {
  const koffi = createRequire(import.meta.url)("koffi") as {
    load(path: null): { func(...args: unknown[]): AsyncCall };
  };
  const call = koffi.load(null).func("syscall", "long", ["long", "long", "uintptr_t", "size_t"]);
  const one = async (): Promise<void> => {
    const input = Buffer.from(packet);
    const attributes = new Attributes(80)
      .setU32(0, program.fd)
      .setU32(8, input.length)
      .setPointer(16, input)
      .setU32(32, times);
    const number = syscallNumber(process.arch, "LE");
    const result = await new Promise<number>((resolve, reject) => {
      call.async(
        number,
        COMMAND.programTestRun,
        attributes.address,
        attributes.length,
        (error: unknown, value: number) => (error ? reject(error) : resolve(value)),
      );
    });
    if (result !== 0 || attributes.length !== 80) throw new Error(`the program was not run: ${result}`);
  };
  await Promise.all([one(), one()]);
}
