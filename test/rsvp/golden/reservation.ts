/** Resv, ResvTear and ResvConf in each style. */
import { bytesPerSecond, dscp, millis } from "../../../src/model/units.js";
import {
  CL_ONE,
  CL_TEN,
  controlledLoad,
  EVERY_30_S,
  FF,
  type Golden,
  ONE_CALL,
  packetOf,
  SE,
  TEN_CALLS,
  TEN_CALLS_HEX,
  WF,
} from "./golden.js";

const session = { kind: "ip", destination: "192.0.2.77", protocol: 17, port: 5004, ePolice: false } as const;
const SESSION = "000c 01 01 c000024d 11 00 138c";
const hop = { address: "198.51.100.2", lih: 0x0a0b0c0d } as const;
const HOP = "000c 03 01 c6336402 0a0b0c0d";
const refreshPeriod = millis(30_000);
const aggregate = { kind: "aggregate", destination: "10.9.2.2", dscp: dscp(46), ePolice: false } as const;
const AGGREGATE = "000c 01 09 0a090202 00 00 00 2e";

export const RESERVATIONS: readonly Golden[] = [
  {
    name: "Resv WF with SCOPE, RESV_CONFIRM and DCLASS",
    packet: packetOf({
      kind: "Resv",
      session,
      hop,
      refreshPeriod,
      confirm: "192.0.2.77",
      scope: ["203.0.113.5", "203.0.113.6"],
      policy: [],
      flows: { style: "WF", flowspec: controlledLoad(TEN_CALLS) },
      dclass: [dscp(46), dscp(10)],
      unknown: [],
    }),
    hex: `10 02 0000 3f 00 0074 | ${SESSION} | ${HOP} | ${EVERY_30_S} | 0008 0f 01 c000024d |
      000c 07 01 cb007105 cb007106 | 000c e1 01 000000b8 00000028 | ${WF} | ${CL_TEN}`,
    seen: [
      "Message Type: RESV Message.  (2)",
      "CONFIRM: Receiver 192.0.2.77",
      "IPv4 Address: 203.0.113.5",
      "IPv4 Address: 203.0.113.6",
      "DCLASS: 46, 10",
      "STYLE: Wildcard Filter (17)",
      "FLOWSPEC: Controlled Load: Token Bucket, 80000 bytes/sec",
    ],
  },
  {
    name: "Resv FF of three flows, the third as the second",
    packet: packetOf({
      kind: "Resv",
      session,
      hop,
      refreshPeriod,
      policy: [],
      flows: {
        style: "FF",
        flows: [
          { filter: { address: "203.0.113.5", port: 4000 }, flowspec: controlledLoad(ONE_CALL) },
          { filter: { address: "203.0.113.6", port: 4002 }, flowspec: controlledLoad(TEN_CALLS) },
          { filter: { address: "203.0.113.7", port: 4004 }, flowspec: controlledLoad(TEN_CALLS) },
        ],
      },
      unknown: [],
    }),
    hex: `10 02 0000 3f 00 009c | ${SESSION} | ${HOP} | ${EVERY_30_S} | ${FF} |
      ${CL_ONE} | 000c 0a 01 cb007105 0000 0fa0 | ${CL_TEN} | 000c 0a 01 cb007106 0000 0fa2 |
      000c 0a 01 cb007107 0000 0fa4`,
    seen: [
      "STYLE: Fixed Filter (10)",
      "FLOWSPEC: Controlled Load: Token Bucket, 10000 bytes/sec",
      "FILTERSPEC: IPv4, Sender 203.0.113.5, Port 4000",
      "FLOWSPEC: Controlled Load: Token Bucket, 80000 bytes/sec",
      "FILTERSPEC: IPv4, Sender 203.0.113.6, Port 4002",
      "FILTERSPEC: IPv4, Sender 203.0.113.7, Port 4004",
    ],
  },
  {
    name: "Resv SE with guaranteed service",
    packet: packetOf({
      kind: "Resv",
      session,
      hop,
      refreshPeriod,
      policy: [],
      flows: {
        style: "SE",
        flowspec: { kind: "guaranteed", tspec: TEN_CALLS, rate: bytesPerSecond(100_000), slackMicros: 250 },
        filters: [
          { address: "203.0.113.5", port: 4000 },
          { address: "203.0.113.6", port: 4002 },
        ],
      },
      unknown: [],
    }),
    hex: `10 02 0000 3f 00 0078 | ${SESSION} | ${HOP} | ${EVERY_30_S} | ${SE} |
      0030 09 02 00 00 000a 02 00 0009 ${TEN_CALLS_HEX} 82 00 0002 47c35000 000000fa |
      000c 0a 01 cb007105 0000 0fa0 | 000c 0a 01 cb007106 0000 0fa2`,
    seen: [
      "STYLE: Shared-Explicit (18)",
      "FLOWSPEC: Guaranteed Rate: Token Bucket, 80000 bytes/sec. RSpec, 100000 bytes/sec",
      "Rate: 100000",
      "Slack term: 250",
      "FILTERSPEC: IPv4, Sender 203.0.113.5, Port 4000",
    ],
  },
  {
    name: "Resv of an aggregate",
    packet: packetOf({
      kind: "Resv",
      session: aggregate,
      hop: { address: "10.9.2.2", lih: 1 },
      refreshPeriod,
      confirm: "10.9.2.2",
      policy: [],
      flows: { style: "SE", flowspec: controlledLoad(TEN_CALLS), filters: [{ address: "10.9.1.1" }] },
      unknown: [],
    }),
    hex: `10 02 0000 3f 00 0064 | ${AGGREGATE} | 000c 03 01 0a090202 00000001 | ${EVERY_30_S} | 0008 0f 01 0a090202 |
      ${SE} | ${CL_TEN} | 0008 0a 09 0a090101`,
    seen: ["SESSION: IPv4-Aggregate, Destination 10.9.2.2, DSCP 46", "FILTERSPEC: IPv4-Aggregate, Aggregator 10.9.1.1"],
  },
  {
    name: "Resv of an end-to-end flow over IPv6 that goes into a generic aggregate",
    packet: packetOf({
      kind: "Resv",
      session: { kind: "ip", destination: "2001:db8::77", protocol: 17, port: 5004, ePolice: false },
      hop: { address: "2001:db8::2", lih: 9 },
      refreshPeriod,
      confirm: "2001:db8::77",
      scope: ["2001:db8:2::5"],
      policy: [],
      flows: { style: "WF", flowspec: controlledLoad(TEN_CALLS) },
      sessionOfInterest: {
        kind: "genericAggregate",
        destination: "2001:db8::2",
        phbId: 0xb800,
        vDstPort: 3,
        extendedVDstPort: "2001:db8::1",
        ePolice: false,
      },
      unknown: [],
    }),
    hex: `10 02 0000 3f 00 00c0 | 0018 01 02 20010db8000000000000000000000077 11 00 138c |
      0018 03 02 20010db8000000000000000000000002 00000009 | ${EVERY_30_S} |
      0014 0f 02 20010db8000000000000000000000077 | 0014 07 02 20010db8000200000000000000000005 |
      002c 84 02 20010db8000000000000000000000002 00 00 b800 0000 0003 20010db8000000000000000000000001 |
      ${WF} | ${CL_TEN}`,
    seen: ["Destination address: 2001:db8::77", "Neighbor address: 2001:db8::2", "Receiver address: 2001:db8::77"],
  },
  {
    name: "ResvTear WF",
    packet: packetOf({ kind: "ResvTear", session, hop, flows: { style: "WF" }, unknown: [] }),
    hex: `10 06 0000 3f 00 0028 | ${SESSION} | ${HOP} | ${WF}`,
    seen: ["Message Type: RESV TEAR Message.  (6)", "STYLE: Wildcard Filter (17)"],
  },
  {
    name: "ResvTear SE of an aggregate",
    packet: packetOf({
      kind: "ResvTear",
      session: aggregate,
      hop: { address: "10.9.2.2", lih: 1 },
      flows: { style: "SE", filters: [{ address: "10.9.1.1" }] },
      unknown: [],
    }),
    hex: `10 06 0000 3f 00 0030 | ${AGGREGATE} | 000c 03 01 0a090202 00000001 | ${SE} | 0008 0a 09 0a090101`,
    seen: ["STYLE: Shared-Explicit (18)", "FILTERSPEC: IPv4-Aggregate, Aggregator 10.9.1.1"],
  },
  {
    name: "ResvTear FF over IPv6",
    packet: packetOf({
      kind: "ResvTear",
      session: { kind: "ip", destination: "2001:db8::77", protocol: 17, port: 5004, ePolice: false },
      hop: { address: "2001:db8::2", lih: 9 },
      flows: { style: "FF", filters: [{ address: "2001:db8:2::5", port: 4000 }] },
      unknown: [],
    }),
    hex: `10 06 0000 3f 00 0058 | 0018 01 02 20010db8000000000000000000000077 11 00 138c |
      0018 03 02 20010db8000000000000000000000002 00000009 | ${FF} |
      0018 0a 02 20010db8000200000000000000000005 0000 0fa0`,
    seen: [
      "Neighbor address: 2001:db8::2",
      "STYLE: Fixed Filter (10)",
      "Source address: 2001:db8:2::5",
      "Source port: 4000",
    ],
  },
  {
    name: "Resv of an aggregate over IPv6",
    packet: packetOf({
      kind: "Resv",
      session: { kind: "aggregate", destination: "2001:db8::2", dscp: dscp(34), ePolice: false },
      hop: { address: "2001:db8::2", lih: 9 },
      refreshPeriod,
      policy: [],
      flows: { style: "SE", flowspec: controlledLoad(TEN_CALLS), filters: [{ address: "2001:db8::1" }] },
      unknown: [],
    }),
    hex: `10 02 0000 3f 00 0080 | 0018 01 0a 20010db8000000000000000000000002 00 00 00 22 |
      0018 03 02 20010db8000000000000000000000002 00000009 | ${EVERY_30_S} | ${SE} | ${CL_TEN} |
      0014 0a 0a 20010db8000000000000000000000001`,
    seen: ["Neighbor address: 2001:db8::2", "FLOWSPEC: Controlled Load: Token Bucket, 80000 bytes/sec"],
  },
  {
    name: "ResvConf",
    packet: packetOf({
      kind: "ResvConf",
      session: aggregate,
      error: { node: "10.9.1.1", flags: 0, code: 0, value: 0 },
      confirm: "10.9.2.2",
      flows: { style: "FF", flows: [{ filter: { address: "10.9.1.1" }, flowspec: controlledLoad(TEN_CALLS) }] },
      unknown: [],
    }),
    hex: `10 07 0000 3f 00 005c | ${AGGREGATE} | 000c 06 01 0a090101 00 00 0000 | 0008 0f 01 0a090202 |
      ${FF} | ${CL_TEN} | 0008 0a 09 0a090101`,
    seen: [
      "Message Type: CONFIRM Message.  (7)",
      "ERROR: IPv4, Error code: Confirmation, Value: 0, Error Node: 10.9.1.1",
    ],
  },
];
