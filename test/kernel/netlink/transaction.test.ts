import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readMessages } from "../../../src/kernel/netlink/message.js";
import { encodeTransaction, transactionMessages } from "../../../src/kernel/netlink/nf-tables.js";
import { OctetWriter, readAttributes } from "../../../src/kernel/netlink/octets.js";
import { readElement, type SetElement, writeElement } from "../../../src/kernel/netlink/set-element.js";
import { createFlow, deleteFlow } from "../../../src/kernel/nft/flow-elements.js";
import { dscp, octets } from "../../../src/model/units.js";
import { flow, remark } from "../fixtures.js";

const rule = flow(1, {
  key: {
    protocol: "udp",
    source: { address: "10.1.0.2", port: 5001 },
    destination: { address: "10.3.0.2", port: 6001 },
  },
  dscp: dscp(34),
  pool: 2,
  burst: octets(1500),
  outOfProfile: remark(36),
});

/** As `nft --debug=mnl` prints them on a little-endian machine, in groups of four octets. */
const words = (text: string): string => text.replaceAll(/\s|\/\/.*$/gm, "");

const BEGIN = "14000000 10000100 07000000 00000000 0000000a";
const END = "14000000 11000100 0a000000 00000000 0000000a";
const KEY = "1c000180 18000100 11000000 0a010002 13890000 0a030002 17710000";
const OWNER = `20000600 001a736c 75696365 3a303132 33343536 37383961 62636465 663a3100 // sluice:0123456789abcdef:1`;
const COUNTER = "0c000100 636f756e 74657200 1c000280 0c000100 00000000 00000000 0c000200 00000000 00000000";

const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

describe.runIf(little)("element transaction on the wire", () => {
  it("creates both halves of a flow", () => {
    const encoded = encodeTransaction("t", transactionMessages(createFlow(rule)), 7);
    expect(encoded.toString("hex")).toBe(
      words(`${BEGIN}
        e8000000 0c0a0106 08000000 00000000 01000000 // NEWSETELEM, request create excl
        06000100 74000000 08000200 696e3400 // table t, set in4
        c4000380 c0000180 ${KEY}
        0c000280 08000100 020000a2 // mark in host order
        ${OWNER}
        74000b80
        44000180 0a000100 6c696d69 74000000 34000280
        0c000100 00000000 00002710 0c000200 00000000 00000001 // 10000 octets in one second
        08000300 000005dc 08000400 00000001 08000500 00000000 // burst 1500, by octets
        2c000180 ${COUNTER}
        a4000000 0c0a0506 09000000 00000000 01000000 // and asks for an acknowledgement
        06000100 74000000 09000200 6f757434 00000000 // table t, set out4
        7c000380 78000180 ${KEY}
        0c000280 08000100 000000e4
        ${OWNER}
        2c000780 ${COUNTER}
        ${END}`),
    );
  });

  it("deletes by key and asks for the echo", () => {
    const encoded = encodeTransaction("t", transactionMessages(deleteFlow(rule)), 7);
    expect(encoded.toString("hex")).toBe(
      words(`${BEGIN}
        48000000 0e0a0900 08000000 00000000 01000000 // DELSETELEM, request echo
        06000100 74000000 08000200 696e3400 24000380 20000180 ${KEY}
        4c000000 0e0a0d00 09000000 00000000 01000000 // request echo ack
        06000100 74000000 09000200 6f757434 00000000 24000380 20000180 ${KEY}
        ${END}`),
    );
  });
});

describe("element transaction", () => {
  const flows = (count: number) => Array.from({ length: count }, (_, index) => flow(index + 1));

  it("names each element while they are few, and packs them when they are many", () => {
    const few = transactionMessages(flows(32).flatMap((entry) => createFlow(entry)));
    expect(few.map((message) => message.changes.length)).toEqual(new Array(64).fill(1));
    const many = transactionMessages(flows(250).flatMap((entry) => createFlow(entry)));
    expect(many.map((message) => [message.set, message.changes.length])).toEqual([
      ["in4", 200],
      ["out4", 200],
      ["in4", 50],
      ["out4", 50],
    ]);
  });

  it("deletes before it creates, so that a key can pass on", () => {
    const messages = transactionMessages([...createFlow(flow(1)), ...deleteFlow(flow(2))]);
    expect(messages.map((message) => message.action)).toEqual(["delete", "delete", "create", "create"]);
  });

  it("asks for one acknowledgement, on the last message", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 120 }), (adds, removes) => {
        const changes = [...flows(removes).flatMap(deleteFlow), ...flows(adds).flatMap((entry) => createFlow(entry))];
        const messages = readMessages(encodeTransaction("t", transactionMessages(changes), 1));
        const acknowledged = messages.map((message) => (message.flags & 4) !== 0);
        expect(acknowledged.indexOf(true)).toBe(messages.length - 2);
        expect(acknowledged.filter(Boolean)).toHaveLength(1);
        expect(messages.map((message) => message.sequence)).toEqual(messages.map((_, index) => index + 1));
      }),
    );
  });
});

describe("set element", () => {
  const arbitraryElement: fc.Arbitrary<SetElement> = fc
    .record(
      {
        key: fc.uint8Array({ minLength: 1, maxLength: 48 }).map((value) => Buffer.from(value)),
        data: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((value) => Buffer.from(value)),
        comment: fc.stringMatching(/^[!-~]{0,127}$/),
        limit: fc.record({ rate: fc.maxSafeNat(), burst: fc.integer({ min: 0, max: 0xffffffff }) }),
        counter: fc.record({ packets: fc.maxSafeNat(), octets: fc.maxSafeNat() }),
      },
      { requiredKeys: ["key"] },
    )
    // nf_tables would count nothing for a limit alone, and Sluice never makes one.
    .filter((element) => element.limit === undefined || element.counter !== undefined);

  const encode = (element: SetElement): Buffer => {
    const writer = new OctetWriter(16);
    writeElement(writer, element, false);
    return readAttributes(writer.finish(), "test")[0]!.value;
  };

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(arbitraryElement, (element) => {
        expect(readElement(encode(element))).toEqual(element);
      }),
    );
  });

  it("answers any octets with an element or a DecodeError", () => {
    fc.assert(
      fc.property(arbitraryElement, fc.nat(), fc.nat(255), (element, place, value) => {
        const encoded = Buffer.from(encode(element));
        encoded[place % encoded.length] = value;
        try {
          readElement(encoded);
        } catch (error) {
          expect(error).toMatchObject({ family: "decode" });
        }
      }),
      { numRuns: 500 },
    );
  });
});
