/** What rtnetlink tells of DSMARK and tcindex (linux/pkt_sched.h); tc prints no valid JSON of them. Pure. */
import { findAttribute, hostU16, hostU32, readAttributes, sized, textOf } from "../netlink/octets.js";
import type { Mark } from "./slots.js";

const TC_HEADER = 20;
const TCA = { kind: 1, options: 2 } as const;
const DSMARK = { indices: 1, defaultIndex: 2, setTcIndex: 3, mask: 4, value: 5 } as const;

export interface DsmarkOptions {
  readonly indices: number;
  /** Absent where packets without an index keep what they have. */
  readonly defaultIndex?: number;
  readonly setTcIndex: boolean;
}

/** @param options of a qdisc of the kind dsmark. @throws DecodeError */
export function readDsmark(options: Buffer): DsmarkOptions {
  const attributes = readAttributes(options, "dsmark");
  const indices = sized(findAttribute(attributes, DSMARK.indices) ?? Buffer.alloc(0), 2, "dsmark indices");
  const byDefault = findAttribute(attributes, DSMARK.defaultIndex);
  return {
    indices: hostU16(indices, 0),
    ...(byDefault === undefined ? {} : { defaultIndex: hostU16(sized(byDefault, 2, "dsmark default index"), 0) }),
    // A flag: it is there, without octets.
    setTcIndex: findAttribute(attributes, DSMARK.setTcIndex) !== undefined,
  };
}

/** An index of DSMARK, which tc calls a class. Undefined for a class of another kind. @throws DecodeError */
export function readMark(body: Buffer): (Mark & { readonly index: number }) | undefined {
  sized(body, TC_HEADER, "class");
  const attributes = readAttributes(body.subarray(TC_HEADER), "class");
  if (textOf(findAttribute(attributes, TCA.kind) ?? Buffer.alloc(0)) !== "dsmark") return undefined;
  const options = readAttributes(findAttribute(attributes, TCA.options) ?? Buffer.alloc(0), "dsmark index");
  const octet = (type: number): number =>
    sized(findAttribute(options, type) ?? Buffer.alloc(0), 1, "dsmark index").readUInt8(0);
  return { index: hostU32(body, 8) & 0xffff, mask: octet(DSMARK.mask), value: octet(DSMARK.value) };
}

export interface ObservedFilter {
  readonly kind: string;
  /** Order among the filters of a qdisc. */
  readonly priority: number;
  /** EtherType. */
  readonly protocol: number;
  /** The kernel tells a classifier first, as 0, and each entry that leads to a class after it, under the entry's own number. */
  readonly handle: number;
}

/** Of tcindex the kernel does not tell the parameters. @throws DecodeError for octets that are no filter. */
export function readFilter(body: Buffer): ObservedFilter {
  sized(body, TC_HEADER, "filter");
  const attributes = readAttributes(body.subarray(TC_HEADER), "filter");
  const kind = textOf(findAttribute(attributes, TCA.kind) ?? Buffer.alloc(0));
  const info = hostU32(body, 16);
  // The EtherType alone is in network order.
  const protocol = body.readUInt16BE(hostU16(body, 16) === (info & 0xffff) ? 16 : 18);
  return { kind, priority: info >>> 16, protocol, handle: hostU32(body, 8) };
}
