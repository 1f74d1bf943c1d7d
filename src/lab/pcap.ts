/** Reads classic pcap files, as tcpdump writes them: a header, then records one after another. */
import { DecodeError } from "../model/errors.js";
import type { Timestamp } from "../model/units.js";

/** How the link's header looks (the registered LINKTYPE numbers). */
export const LINK_TYPE = { ethernet: 1, raw: 101, linuxCooked: 113, linuxCooked2: 276 } as const;

export interface Capture {
  readonly linkType: number;
  readonly frames: readonly Frame[];
}

export interface Frame {
  readonly at: Timestamp;
  /** What was captured, link header first. */
  readonly bytes: Buffer;
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;

interface Layout {
  readonly u32: (offset: number) => number;
  /** Units of the fraction in one millisecond. */
  readonly perMilli: number;
}

/** @throws DecodeError if `file` is no pcap file; a record that was cut off at the end is left out */
export function readCapture(file: Buffer): Capture {
  const { u32, perMilli } = layoutOf(file);
  const frames: Frame[] = [];
  let offset = FILE_HEADER;
  while (offset + RECORD_HEADER <= file.length) {
    const end = offset + RECORD_HEADER + u32(offset + 8);
    if (end > file.length) break;
    const at = (u32(offset) * 1000 + u32(offset + 4) / perMilli) as Timestamp;
    frames.push({ at, bytes: file.subarray(offset + RECORD_HEADER, end) });
    offset = end;
  }
  return { linkType: u32(20) & 0x0fffffff, frames };
}

function layoutOf(file: Buffer): Layout {
  const detail = { offset: 0, object: "pcap file header", need: FILE_HEADER, have: file.length };
  if (file.length < FILE_HEADER) throw new DecodeError("PCAP_SHORT", "the capture has no header", detail);
  for (const u32 of [file.readUInt32LE.bind(file), file.readUInt32BE.bind(file)]) {
    const magic = u32(0);
    if (magic === MICROSECONDS || magic === NANOSECONDS) {
      return { u32, perMilli: magic === NANOSECONDS ? 1e6 : 1e3 };
    }
  }
  throw new DecodeError("PCAP_MAGIC", "the file is not a pcap capture", { offset: 0, object: "magic number" });
}
