import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NetlinkMessage, readMessages } from "../../../src/kernel/netlink/message.js";
import { OctetWriter, readAttributes } from "../../../src/kernel/netlink/octets.js";
import { readElement, type SetElement, writeElement } from "../../../src/kernel/netlink/set-element.js";
import {
  type ElementChange,
  encodeTransaction,
  refusalOf,
  transactionMessages,
} from "../../../src/kernel/netlink/transaction.js";

const ZERO = { packets: 0, octets: 0 };
const KEY_OCTETS = Buffer.from("110000000a010002138900000a03000217710000", "hex");
const COMMENT = "sluice:0123456789abcdef:1";

const creates: readonly ElementChange[] = [
  {
    action: "create",
    set: "in4",
    element: {
      key: KEY_OCTETS,
      data: Buffer.from("020000a2", "hex"),
      comment: COMMENT,
      limit: { rate: 10_000, burst: 1500 },
      counter: ZERO,
    },
    object: "flow 1",
  },
  {
    action: "create",
    set: "out4",
    element: { key: KEY_OCTETS, data: Buffer.from("000000e4", "hex"), comment: COMMENT, counter: ZERO },
    object: "flow 1",
  },
];
const deletes = creates.map((change): ElementChange => ({ ...change, action: "delete", element: { key: KEY_OCTETS } }));

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
    const encoded = encodeTransaction("t", transactionMessages(creates), 7);
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
    const encoded = encodeTransaction("t", transactionMessages(deletes), 7);
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
  /** Two elements with one key, each in a set of its own. */
  const pairs = (count: number, action: ElementChange["action"]): ElementChange[] =>
    Array.from({ length: count }, (_, index) => {
      const key = Buffer.alloc(20, index);
      return ["in4", "out4"].map((set): ElementChange => ({ action, set, element: { key }, object: `flow ${index}` }));
    }).flat();

  it("names each element while they are few, and packs them when they are many", () => {
    const few = transactionMessages(pairs(32, "create"));
    expect(few.map((message) => message.changes.length)).toEqual(new Array(64).fill(1));
    const many = transactionMessages(pairs(250, "create"));
    expect(many.map((message) => [message.set, message.changes.length])).toEqual([
      ["in4", 200],
      ["out4", 200],
      ["in4", 50],
      ["out4", 50],
    ]);
  });

  it("deletes before it creates, so that a key can pass on", () => {
    const messages = transactionMessages([...pairs(1, "create"), ...pairs(1, "delete")]);
    expect(messages.map((message) => message.action)).toEqual(["delete", "delete", "create", "create"]);
  });

  it("asks for one acknowledgement, on the last message", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 120 }), (adds, removes) => {
        const changes = [...pairs(removes, "delete"), ...pairs(adds, "create")];
        const messages = readMessages(encodeTransaction("t", transactionMessages(changes), 1));
        const acknowledged = messages.map((message) => (message.flags & 4) !== 0);
        expect(acknowledged.indexOf(true)).toBe(messages.length - 2);
        expect(acknowledged.filter(Boolean)).toHaveLength(1);
        expect(messages.map((message) => message.sequence)).toEqual(messages.map((_, index) => index + 1));
      }),
    );
  });
});

describe("a refused transaction", () => {
  const messages = transactionMessages(
    Array.from({ length: 6 }, (_, index) => ({ ...creates[0]!, object: `flow ${index}` })),
  );
  const answer = (sequence: number, errno: number): NetlinkMessage => ({
    type: 2,
    flags: 0,
    sequence,
    port: 0,
    body: Buffer.from(new Int32Array([-errno]).buffer),
  });

  it("is no error when it was committed", () => {
    expect(refusalOf("t", messages, 10, [answer(16, 0)])).toBeUndefined();
  });

  it("names what was refused first, some of the others, and how many more", () => {
    const failed = [12, 13, 14, 15, 16].map((sequence) => answer(sequence, sequence === 13 ? 2 : 17));
    expect(refusalOf("t", messages, 10, failed)).toMatchObject({
      code: "KERNEL_REFUSED",
      message:
        "the kernel refused create flow 1 in t in4: EEXIST; create flow 2 in t in4: ENOENT; create flow 3 in t in4: EEXIST; and 2 more",
      detail: { operation: "create flow 1 in t in4", errno: "EEXIST" },
    });
  });

  it("says what can be done where the batch itself was refused, or a map is full", () => {
    expect(refusalOf("t", messages, 10, [answer(10, 1)])).toMatchObject({ code: "KERNEL_PERMISSION" });
    expect(refusalOf("t", messages, 10, [answer(11, 23)])?.remedy).toContain("limit of flows");
  });
});

describe("set element", () => {
  const arbitraryElement: fc.Arbitrary<SetElement> = fc
    .record(
      {
        key: fc.uint8Array({ minLength: 1, maxLength: 48 }).map((value) => Buffer.from(value)),
        data: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((value) => Buffer.from(value)),
        comment: fc.stringMatching(/^[!-~]{0,127}$/),
        limit: fc.record(
          {
            unit: fc.constant("packets" as const),
            rate: fc.maxSafeNat(),
            burst: fc.integer({ min: 0, max: 0xffffffff }),
          },
          { requiredKeys: ["rate", "burst"] },
        ),
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
