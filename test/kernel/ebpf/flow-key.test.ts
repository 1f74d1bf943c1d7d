import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressAt, putAddress } from "../../../src/kernel/ebpf/address-octets.js";
import {
  decodeFlowKey,
  decodeServerKey,
  encodeFlowKey,
  encodeServerKey,
  type Server,
} from "../../../src/kernel/ebpf/flow-key.js";
import type { FlowKey } from "../../../src/model/flow.js";
import { addressFromBytes, addressToBytes, familyOf } from "../../../src/model/ip.js";

/** Zeros often, for the runs that `::` stands for. */
const octet = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }));
const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((octets) => addressFromBytes(octets));
const address6 = fc
  .array(octet, { minLength: 16, maxLength: 16 })
  .map((octets) => addressFromBytes(Buffer.from(octets)));
const port = fc.integer({ min: 1, max: 65_535 });
const protocol = fc.constantFrom("udp" as const, "tcp" as const);

const key = (address: fc.Arbitrary<string>): fc.Arbitrary<FlowKey> =>
  fc
    .tuple(protocol, address, fc.option(port, { nil: undefined }), address, port)
    .map(([transport, from, source, to, destination]) => ({
      protocol: transport,
      source: { address: from, port: source },
      destination: { address: to, port: destination },
    }));

describe("addresses as octets", () => {
  it("are those of the general way, both ways", () => {
    fc.assert(
      fc.property(fc.oneof(address4, address6), (address) => {
        const octets = new Uint8Array(20);
        putAddress(octets, 2, address);
        const length = familyOf(address) === 4 ? 4 : 16;
        expect(Buffer.from(octets.subarray(2, 2 + length))).toEqual(addressToBytes(address));
        expect(addressAt(octets, 2, familyOf(address)!)).toBe(address);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.x.4",
    "",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "12345::",
    "::G",
    "::1.2.3.4",
  ])("refuses %j", (text) => {
    expect(() => putAddress(new Uint8Array(16), 0, text)).toThrow("not a canonical IP address");
  });
});

describe("flow keys", () => {
  it("come back from their octets", () => {
    fc.assert(
      fc.property(fc.oneof(key(address4), key(address6)), (wanted) => {
        const { family, octets } = encodeFlowKey(wanted);
        expect(octets).toHaveLength(family === 4 ? 16 : 40);
        expect(decodeFlowKey(family, octets)).toEqual(wanted);
      }),
    );
  });

  it("have addresses, ports in network order, protocol and zeros", () => {
    const wanted: FlowKey = {
      protocol: "tcp",
      source: { address: "192.0.2.10", port: undefined },
      destination: { address: "198.51.100.20", port: 0x1234 },
    };
    expect([...encodeFlowKey(wanted).octets]).toEqual([192, 0, 2, 10, 198, 51, 100, 20, 0, 0, 0x12, 0x34, 6, 0, 0, 0]);
  });

  it("are none with another protocol, no destination port, or something in the padding", () => {
    const { octets } = encodeFlowKey({
      protocol: "udp",
      source: { address: "192.0.2.10", port: 5 },
      destination: { address: "198.51.100.20", port: 6 },
    });
    for (const [at, value] of [
      [12, 1],
      [11, 0],
      [13, 1],
      [15, 1],
    ] as const) {
      const wrong = Uint8Array.from(octets);
      wrong[at] = value;
      expect(decodeFlowKey(4, wrong)).toBeUndefined();
    }
  });
});

describe("server keys", () => {
  it("come back from their octets", () => {
    const server: fc.Arbitrary<Server> = fc.record({ protocol, address: fc.oneof(address4, address6), port });
    fc.assert(
      fc.property(server, (wanted) => {
        expect(decodeServerKey(encodeServerKey(wanted))).toEqual(wanted);
      }),
    );
  });

  it("have the address first, then port, protocol and family", () => {
    const octets = encodeServerKey({ protocol: "udp", address: "192.0.2.1", port: 5060 });
    expect([...octets]).toEqual([192, 0, 2, 1, ...new Array(12).fill(0), 0x13, 0xc4, 17, 4]);
  });

  it("are none of another family or protocol", () => {
    const octets = encodeServerKey({ protocol: "udp", address: "192.0.2.1", port: 5060 });
    for (const at of [18, 19]) {
      const wrong = Uint8Array.from(octets);
      wrong[at] = 9;
      expect(decodeServerKey(wrong)).toBeUndefined();
    }
  });
});
