/** What the kernel says of a map or a program (BPF_OBJ_GET_INFO_BY_FD). */
import { Attributes, bpf, COMMAND } from "./bpf-call.js";

const NAME_LENGTH = 16;

/**
 * The first `length` octets of its `struct bpf_map_info` or `bpf_prog_info`; fields are at the same offsets in all kernels.
 * @param request what the kernel reads of the structure: where lists are to be put. @throws KernelError.
 */
export function objectInfo(fd: number, length: number, kind: "map" | "program", request?: Uint8Array): Buffer {
  const info = Buffer.alloc(length);
  if (request !== undefined) info.set(request);
  const attributes = new Attributes(16).setU32(0, fd).setU32(4, length).setPointer(8, info);
  bpf(COMMAND.objectInfo, attributes, `ask what the ${kind} is`);
  return info;
}

export function nameIn(info: Buffer, offset: number): string {
  const end = info.indexOf(0, offset);
  return info.toString("latin1", offset, Math.min(end < 0 ? info.length : end, offset + NAME_LENGTH));
}
