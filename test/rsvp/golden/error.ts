/** PathErr and ResvErr. */
import { dscp } from "../../../src/model/units.js";
import { CL_TEN, controlledLoad, FF, type Golden, ONE_CALL, packetOf, SE, TEN_CALLS, TSPEC_ONE, WF } from "./golden.js";

const session = { kind: "ip", destination: "192.0.2.77", protocol: 17, port: 5004, ePolice: false } as const;
const SESSION = "000c 01 01 c000024d 11 00 138c";
const hop = { address: "198.51.100.1", lih: 0x0a0b0c0d } as const;
const HOP = "000c 03 01 c6336401 0a0b0c0d";

export const ERRORS: readonly Golden[] = [
  {
    name: "PathErr NEW-AGGREGATE-NEEDED with DCLASS and SESSION_OF_INTEREST",
    packet: packetOf({
      kind: "PathErr",
      session,
      error: { node: "10.9.2.2", flags: 0, code: 26, value: 0 },
      policy: [],
      sender: { template: { address: "203.0.113.5", port: 4000 }, tspec: ONE_CALL },
      dclass: [dscp(46)],
      sessionOfInterest: {
        kind: "genericAggregate",
        destination: "10.9.2.2",
        phbId: 0xb800,
        vDstPort: 1,
        extendedVDstPort: "10.9.1.1",
        ePolice: false,
      },
      unknown: [],
    }),
    hex: `10 03 0000 3f 00 006c | ${SESSION} | 000c 06 01 0a090202 00 1a 0000 | 0008 e1 01 000000b8 |
      0014 84 01 0a090202 00 00 b800 0000 0001 0a090101 | 000c 0b 01 cb007105 0000 0fa0 | ${TSPEC_ONE}`,
    seen: [
      "Message Type: PATH ERROR Message.  (3)",
      "ERROR: IPv4, Error code: New aggregate needed, Value: 0, Error Node: 10.9.2.2",
      "DCLASS: 46",
      "SENDER TEMPLATE: IPv4, Sender 203.0.113.5, Port 4000",
    ],
  },
  {
    name: "PathErr over IPv6 with nothing of the sender but its template",
    packet: packetOf({
      kind: "PathErr",
      session: { kind: "ip", destination: "2001:db8::77", protocol: 17, port: 5004, ePolice: false },
      error: { node: "2001:db8::2", flags: 0, code: 21, value: 4 },
      policy: [],
      sender: { template: { address: "2001:db8:2::5", port: 4000 } },
      unknown: [],
    }),
    hex: `10 03 0000 3f 00 0050 | 0018 01 02 20010db8000000000000000000000077 11 00 138c |
      0018 06 02 20010db8000000000000000000000002 00 15 0004 | 0018 0b 02 20010db8000200000000000000000005 0000 0fa0`,
    seen: ["Error value: Bad Tspec value (4)"],
  },
  {
    name: "ResvErr of an increase refused: the old reservation stays",
    packet: packetOf({
      kind: "ResvErr",
      session,
      hop,
      error: { node: "198.51.100.9", flags: 1, code: 1, value: 2 },
      policy: [],
      flows: { style: "FF", flowspec: controlledLoad(TEN_CALLS), filters: [{ address: "203.0.113.5", port: 4000 }] },
      unknown: [],
    }),
    hex: `10 04 0000 3f 00 0064 | ${SESSION} | ${HOP} | 000c 06 01 c6336409 01 01 0002 | ${FF} | ${CL_TEN} |
      000c 0a 01 cb007105 0000 0fa0`,
    seen: [
      "Message Type: RESV ERROR Message.  (4)",
      "ERROR: IPv4, Error code: Admission Control Failure",
      "1 = InPlace: Set",
      "Error value: Requested bandwidth unavailable (2)",
      "FLOWSPEC: Controlled Load: Token Bucket, 80000 bytes/sec",
    ],
  },
  {
    name: "ResvErr of a partial preemption (RFC 4495) with what is still granted",
    packet: packetOf({
      kind: "ResvErr",
      session: { kind: "aggregate", destination: "10.9.2.2", dscp: dscp(46), ePolice: false },
      hop: { address: "10.9.1.5", lih: 2 },
      error: { node: "10.9.1.5", flags: 1, code: 2, value: 102 },
      policy: [{ contents: Buffer.from("00040000000c000301010000", "hex") }],
      flows: { style: "SE", flowspec: controlledLoad(TEN_CALLS), filters: [{ address: "10.9.1.1" }] },
      unknown: [],
    }),
    hex: `10 04 0000 3f 00 0070 | 000c 01 09 0a090202 00 00 00 2e | 000c 03 01 0a090105 00000002 |
      000c 06 01 0a090105 01 02 0066 | 0010 0e 01 00040000000c000301010000 | ${SE} | ${CL_TEN} | 0008 0a 09 0a090101`,
    seen: ["ERROR: IPv4, Error code: Policy Control Failure", "Error value: ERR_PARTIAL_PREEMPT (102)"],
  },
  {
    name: "ResvErr WF that must go no further: an empty SCOPE and no descriptor",
    packet: packetOf({
      kind: "ResvErr",
      session,
      hop,
      error: { node: "198.51.100.9", flags: 0, code: 3, value: 0 },
      scope: [],
      policy: [],
      flows: { style: "WF" },
      unknown: [],
    }),
    hex: `10 04 0000 3f 00 0038 | ${SESSION} | ${HOP} | 000c 06 01 c6336409 00 03 0000 | 0004 07 01 | ${WF}`,
    seen: ["Error code: No PATH information for this RESV message", "SCOPE", "STYLE: Wildcard Filter (17)"],
  },
  {
    name: "ResvErr that gives a style back unread",
    packet: packetOf({
      kind: "ResvErr",
      session,
      hop,
      error: { node: "198.51.100.9", flags: 2, code: 6, value: 0 },
      policy: [],
      flows: { style: "unknown", optionVector: 0x1c },
      unknown: [{ classNum: 0xc1, cType: 1, contents: Buffer.from("00000001", "hex") }],
    }),
    hex: `10 04 0000 3f 00 003c | ${SESSION} | ${HOP} | 000c 06 01 c6336409 02 06 0000 | 0008 c1 01 00000001 |
      0008 08 01 00 00001c`,
    seen: ["Error code: Unknown reservation style", "1. = NotGuilty: Set"],
  },
];
