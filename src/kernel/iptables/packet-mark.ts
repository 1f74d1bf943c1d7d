/**
 * Bits of the packet mark that the chains work with. They are only written on packets between the ends of an admitted flow to
 * its port, and are zero again when the packet leaves our chains; the low octet always stays as others set it.
 *
 *     31               16 15           8 7            0
 *     +------------------+--------------+--------------+
 *     |       tag        |    class     |   others'    |
 *     +------------------+--------------+--------------+
 *
 * No set of the kernel has a key of two addresses and two ports, so the source port is compared in the mark: the set
 * of ports writes the packet's source port into the tag, the flow's own element adds the port that it wants by XOR, and
 * what is left is 0 for the right port alone. The kernel computes mark = (mark & ~mask) ^ value for an element's value/mask.
 */
export const PACKET_MARK = { ours: 0xffffff00, tag: 0xffff0000, class: 0x0000ff00 } as const;

/** Class numbers 1..255; 0 is no class. */
export const MAX_CLASSES = 255;

const CLASS_SHIFT = 8;
const TAG_SHIFT = 16;

export interface MarkChange {
  readonly value: number;
  /** Bits that are cleared before `value` is added by XOR. */
  readonly mask: number;
}

export const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

export const classMark = (number: number): number => (number << CLASS_SHIFT) >>> 0;

/** What the element of the port set does. */
export const portMark = (port: number): MarkChange => ({ value: (port << TAG_SHIFT) >>> 0, mask: PACKET_MARK.tag });

/** What the flow's element does: any source port will do where there is none. */
export function flowMark(number: number, sourcePort: number | undefined): MarkChange {
  if (sourcePort === undefined) return { value: classMark(number), mask: PACKET_MARK.ours };
  return { value: ((sourcePort << TAG_SHIFT) | classMark(number)) >>> 0, mask: PACKET_MARK.class };
}

export interface FlowMark {
  readonly number: number;
  readonly sourcePort: number | undefined;
}

/** Undefined for what `flowMark` never gives. */
export function readFlowMark({ value, mask }: MarkChange): FlowMark | undefined {
  const number = (value & PACKET_MARK.class) >>> CLASS_SHIFT;
  const sourcePort = value >>> TAG_SHIFT;
  if (number === 0 || (value & ~PACKET_MARK.ours) !== 0) return undefined;
  if (mask === PACKET_MARK.ours && sourcePort === 0) return { number, sourcePort: undefined };
  return mask === PACKET_MARK.class && sourcePort !== 0 ? { number, sourcePort } : undefined;
}
