import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  flowMark,
  type MarkChange,
  PACKET_MARK,
  portMark,
  readFlowMark,
} from "../../../src/kernel/iptables/packet-mark.js";

/** net/netfilter/xt_set.c */
const change = (mark: number, { value, mask }: MarkChange): number => ((mark & ~mask) ^ value) >>> 0;

const ports = fc.integer({ min: 1, max: 0xffff });
const classes = fc.integer({ min: 1, max: 255 });
const marks = fc.integer({ min: 0, max: 0xffffffff });

/** As the session chain does it; the set of ports need not know the packet's. */
function tagged(mark: number, sourcePort: number, known: boolean, element: MarkChange): number {
  const cleared = (mark & ~PACKET_MARK.ours) >>> 0;
  return change(known ? change(cleared, portMark(sourcePort)) : cleared, element);
}

describe("packet mark", () => {
  it("leaves the tag 0 for the flow's own source port and no other", () => {
    fc.assert(
      fc.property(marks, ports, ports, fc.boolean(), classes, (mark, wanted, actual, known, number) => {
        const after = tagged(mark, actual, known || actual === wanted, flowMark(number, wanted));
        expect((after & PACKET_MARK.tag) >>> 0 === 0).toBe(actual === wanted);
        expect((after & PACKET_MARK.class) >>> 8).toBe(number);
        expect(after & 0xff).toBe(mark & 0xff);
      }),
    );
  });

  it("leaves it 0 for every source port where any will do", () => {
    fc.assert(
      fc.property(marks, ports, fc.boolean(), classes, (mark, actual, known, number) => {
        const after = tagged(mark, actual, known, flowMark(number, undefined));
        expect((after & PACKET_MARK.tag) >>> 0).toBe(0);
        expect((after & PACKET_MARK.class) >>> 8).toBe(number);
      }),
    );
  });

  it("reads back what it made, and nothing else", () => {
    fc.assert(
      fc.property(classes, fc.option(ports, { nil: undefined }), (number, sourcePort) => {
        expect(readFlowMark(flowMark(number, sourcePort))).toEqual({ number, sourcePort });
      }),
    );
    expect(readFlowMark({ value: 0x100, mask: 0xffffffff })).toBeUndefined();
    expect(readFlowMark({ value: 0x12340000, mask: PACKET_MARK.class })).toBeUndefined();
    expect(readFlowMark({ value: 0x12340101, mask: PACKET_MARK.class })).toBeUndefined();
  });
});
