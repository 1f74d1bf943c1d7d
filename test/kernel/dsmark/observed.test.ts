import { describe, expect, it } from "vitest";
import { MADE_EDGE } from "../../../src/kernel/dsmark/edge.js";
import { readFilter, readMark } from "../../../src/kernel/dsmark/observed.js";
import { MARKS } from "../../../src/kernel/dsmark/slots.js";
import { hostU32Octets, OctetWriter } from "../../../src/kernel/netlink/octets.js";
import { readQdisc } from "../../../src/kernel/tc/observed.js";

const TCA = { kind: 1, options: 2 } as const;
const DEVICE = 3;

interface Header {
  readonly handle: number;
  readonly parent: number;
  /** tcm_info. */
  readonly info?: Buffer;
}

/** struct tcmsg, then kind and options, as linux/pkt_sched.h and linux/pkt_cls.h say. */
function message({ handle, parent, info }: Header, kind: string, options: (writer: OctetWriter) => void): Buffer {
  const writer = new OctetWriter(256);
  const at = writer.reserve(20);
  writer.u32At(at + 4, DEVICE);
  writer.u32At(at + 8, handle);
  writer.u32At(at + 12, parent);
  writer.text(TCA.kind, kind);
  writer.nested(TCA.options, () => options(writer));
  const octets = Buffer.from(writer.finish());
  info?.copy(octets, 16);
  return octets;
}

const u16 = (value: number): Buffer => Buffer.from(new Uint16Array([value]).buffer);
const ROOT = { handle: 0x20000, parent: 0xffffffff };

describe("DSMARK, as rtnetlink tells it", () => {
  it("has indices, a default and a flag", () => {
    const full = message(ROOT, "dsmark", (writer) => {
      writer.octets(1, u16(128));
      writer.octets(2, u16(0xffbf));
      writer.octets(3, Buffer.alloc(0));
    });
    expect(readQdisc(full)).toEqual({
      interfaceIndex: DEVICE,
      kind: "dsmark",
      ...ROOT,
      dsmark: { indices: 128, defaultIndex: 0xffbf, setTcIndex: true },
    });
    const bare = message(ROOT, "dsmark", (writer) => writer.octets(1, u16(64)));
    expect(readQdisc(bare).dsmark).toEqual({ indices: 64, setTcIndex: false });
  });

  it("has a mask and a value for an index", () => {
    const body = message({ handle: 0x2006e, parent: 0x20000 }, "dsmark", (writer) => {
      writer.octets(4, Buffer.of(0x03));
      writer.octets(5, Buffer.of(0xb8));
    });
    const { index, ...mark } = readMark(body) ?? { index: -1 };
    expect(mark).toEqual(MARKS.get(index));
    expect(index).toBe(0x6e);
    expect(readMark(message({ handle: 0x10011, parent: 0x10001 }, "htb", () => undefined))).toBeUndefined();
  });

  it("is not guessed from octets that are cut off", () => {
    expect(() => readQdisc(message(ROOT, "dsmark", () => undefined))).toThrow(/dsmark indices/);
    expect(() => readQdisc(message(ROOT, "dsmark", (writer) => writer.octets(1, Buffer.of(1))))).toThrow();
    expect(() => readMark(message(ROOT, "dsmark", (writer) => writer.octets(4, Buffer.of(3))))).toThrow(/dsmark index/);
    expect(() => readFilter(Buffer.alloc(19))).toThrow(/filter/);
  });
});

describe("a filter, as rtnetlink tells it", () => {
  const priorityAndProtocol = (priority: number, protocol: number): Buffer => {
    const network = Buffer.alloc(2);
    network.writeUInt16BE(protocol);
    const raw = new Uint16Array(new Uint8Array(network).buffer)[0] ?? 0;
    return hostU32Octets(((priority << 16) | raw) >>> 0);
  };

  it("of tcindex has no parameters, for the kernel tells none", () => {
    const header = { handle: 0, parent: 0x10000, info: priorityAndProtocol(5301, 3) };
    expect([readFilter(message(header, "tcindex", () => undefined))]).toEqual(MADE_EDGE.filters);
  });

  it("of another kind is told by kind, place and protocol", () => {
    const header = { handle: 0x80000800, parent: 0x10000, info: priorityAndProtocol(49152, 0x0800) };
    const body = message(header, "u32", (writer) => writer.octets(1, hostU32Octets(1)));
    expect(readFilter(body)).toEqual({ kind: "u32", priority: 49152, protocol: 0x0800, handle: 0x80000800 });
  });
});
