/** Puts what is known at loading into a program: the length of the link header and the maps. Pure. */
import { InternalError } from "../../model/errors.js";

/** In the order of their marks. */
export const MARKED_MAPS = ["flows4", "flows6", "ports", "servers", "settings"] as const;
export type FlowMapName = (typeof MARKED_MAPS)[number];

/** Immediate values that stand for something else; flow.bpf.c has the same. */
const MARK = { linkHeader: 0x5c1ce000, firstMap: 0x5c1ce100 } as const;
/** Codes of `rN = immediate`, in 64 and in 32 bits, and of the first half of `rN = 64-bit immediate`. */
const MOVE64 = 0xb7;
const MOVE32 = 0xb4;
const LOAD64 = 0x18;
/** What a LOAD64 loads, in the field of its source register: a map, or the address of an array's one value. */
const PSEUDO_MAP = 1;
const PSEUDO_MAP_VALUE = 2;

const OCTETS = 8;
const ROW = /^([0-9a-f]{2}) ([0-9a-f]) ([0-9a-f]) ([0-9a-f]{4}) ([0-9a-f]{8})$/;

interface Instruction {
  readonly code: number;
  readonly destination: number;
  readonly source: number;
  readonly offset: number;
  readonly immediate: number;
}

function parse(row: string): Instruction {
  const [, code = "", destination = "", source = "", offset = "", immediate = ""] = ROW.exec(row) ?? [];
  if (code === "") throw new InternalError("INTERNAL_BPF_ROW", `no instruction: ${row}`);
  const [low, high] = [Number.parseInt(destination, 16), Number.parseInt(source, 16)];
  return {
    code: Number.parseInt(code, 16),
    destination: low,
    source: high,
    offset: Number.parseInt(offset, 16),
    immediate: Number.parseInt(immediate, 16),
  };
}

function resolve(instruction: Instruction, linkHeader: number, descriptors: readonly number[]): Instruction {
  const { code, immediate } = instruction;
  if ((code === MOVE64 || code === MOVE32) && immediate === MARK.linkHeader) {
    return { ...instruction, immediate: linkHeader };
  }
  if (code !== LOAD64) return instruction;
  const name = MARKED_MAPS[immediate - MARK.firstMap];
  if (name === undefined) return instruction;
  const descriptor = descriptors[immediate - MARK.firstMap];
  if (descriptor === undefined) throw new InternalError("INTERNAL_BPF_ROW", `no map ${name} to link`);
  return { ...instruction, source: name === "settings" ? PSEUDO_MAP_VALUE : PSEUDO_MAP, immediate: descriptor };
}

/**
 * Instructions as the kernel of a little-endian machine takes them.
 * @param descriptors of the maps, in the order of MARKED_MAPS.
 */
export function linked(rows: readonly string[], linkHeader: number, descriptors: readonly number[]): Buffer {
  const octets = Buffer.alloc(rows.length * OCTETS);
  for (const [index, row] of rows.entries()) {
    const { code, destination, source, offset, immediate } = resolve(parse(row), linkHeader, descriptors);
    octets.writeUInt8(code, index * OCTETS);
    octets.writeUInt8((source << 4) | destination, index * OCTETS + 1);
    octets.writeUInt16LE(offset, index * OCTETS + 2);
    octets.writeUInt32LE(immediate, index * OCTETS + 4);
  }
  return octets;
}
