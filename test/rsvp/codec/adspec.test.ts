import { describe, expect, it } from "vitest";
import { readAdspec, writeAdspec } from "../../../src/rsvp/codec/adspec.js";
import { IntServFault, readFlowspec, readTspec } from "../../../src/rsvp/codec/intserv.js";
import { octetsOf } from "../golden/golden.js";

/** IntServ contents with the overall length worked out. */
function intserv(hex: string): Buffer {
  const body = octetsOf(hex);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(body.length / 4, 2);
  return Buffer.concat([head, body]);
}

const HOPS = "04 00 0001 00000003";
const REST = "06 00 0001 4b3ebc20 08 00 0001 000005dc 0a 00 0001 000005dc";
const GENERAL = `01 00 0008 ${HOPS} ${REST}`;

describe("an ADSPEC", () => {
  it.each([
    ["no general parameters", "05 00 0000"],
    ["the general parameters in second place", `05 00 0000 ${GENERAL}`],
    ["services out of order (RFC 2210 §3.3)", `${GENERAL} 05 00 0000 02 80 0000`],
    ["a service twice", `${GENERAL} 05 00 0000 05 00 0000`],
    ["a general parameter missing", `01 00 0006 ${REST}`],
    ["a parameter twice", `01 00 000a ${HOPS} ${HOPS} ${REST}`],
    ["a parameter of two words", `01 00 0009 04 00 0002 00000003 00000000 ${REST}`],
    ["a parameter past its service", `01 00 0008 ${HOPS} ${REST.replace("0a 00 0001", "0a 00 0002")}`],
    ["a service past the end", GENERAL.replace("01 00 0008", "01 00 0009")],
    ["some of the guaranteed service's terms", `${GENERAL} 02 00 0002 85 00 0001 00000001`],
    ["a path bandwidth that is not a number", GENERAL.replace("4b3ebc20", "7fc00000")],
    ["a negative path bandwidth", GENERAL.replace("4b3ebc20", "cb3ebc20")],
  ])("with %s is refused", (_, hex) => {
    expect(() => readAdspec(intserv(hex))).toThrow(IntServFault);
  });

  it("with parameters in another order than ours is read, and sent in the RFC's", () => {
    const adspec = readAdspec(intserv(`01 00 0008 ${REST} ${HOPS}`));
    expect(writeAdspec(adspec)).toEqual(intserv(GENERAL));
  });
});

describe("a TSpec or FLOWSPEC", () => {
  const bucket = "7f 00 0005 461c4000 43c80000 7f800000 000000c8 000000c8";

  it.each([
    ["no header", Buffer.alloc(0)],
    ["another version", octetsOf("10 00 0000")],
    ["a length that is not the object's", octetsOf(`00 00 0008 01 00 0006 ${bucket}`)],
    ["no service", intserv("")],
    ["two services", intserv(`01 00 0006 ${bucket} 01 00 0000`)],
    ["another service", intserv(`05 00 0006 ${bucket}`)],
    ["no token bucket", intserv("01 00 0000")],
    ["a token bucket of four words", intserv("01 00 0005 7f 00 0004 461c4000 43c80000 7f800000 000000c8")],
    ["two token buckets", intserv(`01 00 000c ${bucket} ${bucket}`)],
  ])("TSpec with %s is refused", (_, contents) => {
    expect(() => readTspec(contents)).toThrow(IntServFault);
  });

  it("guaranteed without an RSpec is refused, and not for its service", () => {
    const read = () => readFlowspec(intserv(`02 00 0006 ${bucket}`));
    expect(read).toThrow(IntServFault);
    expect(read).toThrow(expect.objectContaining({ service: undefined }));
  });

  it("of a service that is not known names it", () => {
    expect(() => readFlowspec(intserv("06 00 0000"))).toThrow(expect.objectContaining({ service: 6 }));
  });

  it("may have a parameter that is not known, which is not kept", () => {
    const extra = "80 00 0001 00000001";
    expect(readTspec(intserv(`01 00 0008 ${bucket} ${extra}`))).toEqual(readTspec(intserv(`01 00 0006 ${bucket}`)));
  });
});
