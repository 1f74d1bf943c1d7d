/** What neighbours say to each other: INTEGRITY, its handshake, RFC 2961, and Hello. */
import type { RsvpPacket } from "../../../src/rsvp/codec/message.js";
import { type Golden, octetsOf, packetOf } from "./golden.js";

const session = { kind: "ip", destination: "192.0.2.77", protocol: 17, port: 5004, ePolice: false } as const;
const SESSION = "000c 01 01 c000024d 11 00 138c";
const HOP = "000c 03 01 c6336402 0a0b0c0d";
const TEAR: RsvpPacket = packetOf({
  kind: "ResvTear",
  session,
  hop: { address: "198.51.100.2", lih: 0x0a0b0c0d },
  flows: { style: "WF" },
  unknown: [],
});
const ACK_ALONE = "10 0d 2aff 01 00 0014 000c 18 01 00 00abcd 00000005";

export const NEIGHBOURS: readonly Golden[] = [
  {
    name: "ResvTear with MESSAGE_ID, two acknowledgements, and the capability flag",
    packet: {
      ...TEAR,
      refreshReduction: true,
      messageId: { ackDesired: true, epoch: 0x123456, id: 0xfffffffe },
      acks: [
        { kind: "ack", epoch: 0xabcdef, id: 7 },
        { kind: "nack", epoch: 0xabcdef, id: 8 },
      ],
    },
    hex: `11 06 0000 3f 00 004c | 000c 18 01 00 abcdef 00000007 | 000c 18 02 00 abcdef 00000008 |
      000c 17 01 01 123456 fffffffe | ${SESSION} | ${HOP} | 0008 08 01 00 000011`,
    seen: ["MESSAGE-ID ACK: 7", "MESSAGE-ID NACK: 8", "MESSAGE-ID: -2 (Ack Desired)", "Message-ID: 4294967294"],
  },
  {
    name: "ResvTear with INTEGRITY",
    packet: {
      ...TEAR,
      integrity: {
        flags: 0x80,
        keyId: 0x0102_0304_0506,
        sequence: 0x1122_3344_5566_7788n,
        digest: Buffer.from("000102030405060708090a0b0c0d0e0f", "hex"),
      },
    },
    hex: `10 06 0000 3f 00 004c | 0024 04 01 80 00 010203040506 1122334455667788 000102030405060708090a0b0c0d0e0f |
      ${SESSION} | ${HOP} | 0008 08 01 00 000011`,
    seen: ["INTEGRITY", "Key Identifier: 010203040506", "Sequence Number: 1234605616436508552"],
  },
  {
    name: "Ack",
    packet: {
      ...packetOf({
        kind: "Ack",
        acks: [
          { kind: "ack", epoch: 1, id: 2 },
          { kind: "nack", epoch: 3, id: 4 },
        ],
      }),
      refreshReduction: true,
    },
    hex: "11 0d 0000 3f 00 0020 | 000c 18 01 00 000001 00000002 | 000c 18 02 00 000003 00000004",
    seen: ["Message Type: ACK Message.  (13)", "Message-ID: 2", "Message-ID: 4"],
  },
  {
    name: "Srefresh of messages and multicast messages",
    packet: packetOf({
      kind: "Srefresh",
      lists: [
        { kind: "ids", epoch: 9, ids: [1, 2, 3] },
        {
          kind: "multicast",
          epoch: 9,
          entries: [{ id: 6, source: "203.0.113.5", destination: "233.252.0.1" }],
        },
        {
          kind: "multicast",
          epoch: 9,
          entries: [{ id: 7, source: "2001:db8::5", destination: "ff0e::1" }],
        },
      ],
    }),
    hex: `10 0f 0000 3f 00 005c | 0014 19 01 00 000009 00000001 00000002 00000003 |
      0014 19 04 00 000009 00000006 cb007105 e9fc0001 |
      002c 19 05 00 000009 00000007 20010db8000000000000000000000005 ff0e0000000000000000000000000001`,
    seen: [
      "Message Type: SREFRESH Message.  (15)",
      "MESSAGE-ID LIST",
      "Message-ID: 1",
      "Message-ID: 2",
      "Message-ID: 3",
    ],
  },
  {
    name: "Srefresh by sources",
    packet: packetOf({
      kind: "Srefresh",
      lists: [
        { kind: "sources", epoch: 9, entries: [{ id: 4, source: "203.0.113.5" }] },
        {
          kind: "sources",
          epoch: 9,
          entries: [
            { id: 4, source: "2001:db8::5" },
            { id: 5, source: "2001:db8::6" },
          ],
        },
      ],
    }),
    hex: `10 0f 0000 3f 00 0048 | 0010 19 02 00 000009 00000004 cb007105 |
      0030 19 03 00 000009 00000004 20010db8000000000000000000000005 00000005 20010db8000000000000000000000006`,
    seen: ["Message Type: SREFRESH Message.  (15)", "MESSAGE-ID LIST"],
  },
  {
    name: "Bundle",
    packet: packetOf({ kind: "Bundle", messages: [octetsOf(ACK_ALONE), octetsOf(ACK_ALONE)] }),
    hex: `10 0c 0000 3f 00 0030 ${ACK_ALONE} ${ACK_ALONE}`,
    seen: [
      "Message Type: BUNDLE Message.  (12)",
      "Message Type: ACK Message.  (13)",
      "Message Type: ACK Message.  (13)",
    ],
  },
  {
    name: "Integrity Challenge",
    packet: packetOf({
      kind: "IntegrityChallenge",
      challenge: { keyId: 0x0102_0304_0506, cookie: Buffer.from("aabbccddeeff0011", "hex") },
    }),
    hex: "10 19 0000 3f 00 001c | 0014 40 01 0000 010203040506 aabbccddeeff0011",
    seen: ["Message Type: Unknown (25)", "Message length: 28"],
  },
  {
    name: "Integrity Response",
    packet: {
      ...packetOf({
        kind: "IntegrityResponse",
        challenge: { keyId: 0x0102_0304_0506, cookie: Buffer.from("aabbccddeeff0011", "hex") },
      }),
      integrity: { flags: 0x80, keyId: 0x0102_0304_0506, sequence: 5n, digest: Buffer.alloc(16, 0x11) },
    },
    hex: `10 1a 0000 3f 00 0040 |
      0024 04 01 80 00 010203040506 0000000000000005 11111111111111111111111111111111 |
      0014 40 01 0000 010203040506 aabbccddeeff0011`,
    seen: ["Message Type: Unknown (26)", "Message length: 64"],
  },
  {
    name: "Hello",
    packet: packetOf({
      kind: "Hello",
      objects: [{ classNum: 22, cType: 1, contents: Buffer.from("0000000100000002", "hex") }],
    }),
    hex: "10 14 0000 3f 00 0014 | 000c 16 01 00000001 00000002",
    seen: ["Message Type: HELLO Message.  (20)"],
  },
];
