/** Path and PathTear with each kind of session, both families, and ADSPECs. */

import { bytesPerSecond, dscp, millis, octets } from "../../../src/model/units.js";
import { LATENCY_INDETERMINATE } from "../../../src/rsvp/codec/adspec.js";
import { wayBackPolicy } from "../../../src/rsvp/codec/way-back.js";
import { EVERY_30_S, type Golden, ONE_CALL, packetOf, TEN_CALLS, TSPEC_ONE, TSPEC_TEN } from "./golden.js";

const every30s = millis(30_000);

export const PATHS: readonly Golden[] = [
  {
    name: "Path of a UDP flow",
    packet: packetOf({
      kind: "Path",
      session: { kind: "ip", destination: "192.0.2.77", protocol: 17, port: 5004, ePolice: true },
      hop: { address: "198.51.100.1", lih: 0x0a0b0c0d },
      refreshPeriod: every30s,
      policy: [],
      sender: { template: { address: "203.0.113.5", port: 4000 }, tspec: ONE_CALL },
      unknown: [],
    }),
    hex: `10 01 0000 3f 00 0058 | 000c 01 01 c000024d 11 01 138c | 000c 03 01 c6336401 0a0b0c0d | ${EVERY_30_S} |
      000c 0b 01 cb007105 0000 0fa0 | ${TSPEC_ONE}`,
    seen: [
      "Message Type: PATH Message.  (1)",
      "Message length: 88",
      "SESSION: IPv4, Destination 192.0.2.77, Protocol 17, Port 5004.",
      "HOP: IPv4, 198.51.100.1",
      "TIME VALUES: 30000 ms",
      "SENDER TEMPLATE: IPv4, Sender 203.0.113.5, Port 4000",
      "SENDER TSPEC: IntServ, Token Bucket, 10000 bytes/sec",
      "Token bucket rate: 10000",
      "Token bucket size: 400",
      "Peak data rate: inf",
      "Minimum policed unit [m]: 200",
      "Maximum packet size [M]: 200",
    ],
  },
  {
    name: "Path of a UDP flow over IPv6, with POLICY_DATA and an object to be passed on",
    packet: packetOf({
      kind: "Path",
      session: { kind: "ip", destination: "2001:db8::77", protocol: 17, port: 5004, ePolice: false },
      hop: { address: "2001:db8:1::1", lih: 7 },
      refreshPeriod: every30s,
      policy: [{ contents: Buffer.from("0004000000080001", "hex") }],
      sender: { template: { address: "2001:db8:2::5", port: 4000 }, tspec: ONE_CALL },
      unknown: [{ classNum: 0xfd, cType: 9, contents: Buffer.from("cafebabe", "hex") }],
    }),
    hex: `10 01 0000 3f 00 0090 | 0018 01 02 20010db8000000000000000000000077 11 00 138c |
      0018 03 02 20010db8000100000000000000000001 00000007 | ${EVERY_30_S} | 000c 0e 01 0004000000080001 |
      0008 fd 09 cafebabe | 0018 0b 02 20010db8000200000000000000000005 0000 0fa0 | ${TSPEC_ONE}`,
    seen: [
      "Destination address: 2001:db8::77",
      "Protocol: 17",
      "Destination port: 5004",
      "Neighbor address: 2001:db8:1::1",
      "Logical interface: 7",
      "Data: 0004000000080001",
      "VENDOR PRIVATE object (11bbbbbb: forward if unknown) (253)",
      "Source address: 2001:db8:2::5",
      "Source port: 4000",
    ],
  },
  {
    name: "Path of an aggregate (RFC 3175)",
    packet: packetOf({
      kind: "Path",
      session: { kind: "aggregate", destination: "10.9.2.2", dscp: dscp(46), ePolice: false },
      hop: { address: "10.9.1.1", lih: 1 },
      refreshPeriod: every30s,
      policy: [],
      sender: { template: { address: "10.9.1.1" }, tspec: TEN_CALLS },
      unknown: [],
    }),
    hex: `10 01 0000 3f 00 0054 | 000c 01 09 0a090202 00 00 00 2e | 000c 03 01 0a090101 00000001 | ${EVERY_30_S} |
      0008 0b 09 0a090101 | ${TSPEC_TEN}`,
    seen: [
      "SESSION: IPv4-Aggregate, Destination 10.9.2.2, DSCP 46",
      "SENDER TEMPLATE: IPv4-Aggregate, Aggregator 10.9.1.1",
      "Token bucket rate: 80000",
      "Token bucket size: 4000",
      "Peak data rate: 80000",
      "Minimum policed unit [m]: 100",
      "Maximum packet size [M]: 1500",
    ],
  },
  {
    name: "Path of an aggregate over IPv6",
    packet: packetOf({
      kind: "Path",
      session: { kind: "aggregate", destination: "2001:db8::2", dscp: dscp(34), ePolice: true },
      hop: { address: "2001:db8::1", lih: 1 },
      refreshPeriod: every30s,
      policy: [],
      sender: { template: { address: "2001:db8::1" }, tspec: TEN_CALLS },
      unknown: [],
    }),
    hex: `10 01 0000 3f 00 0078 | 0018 01 0a 20010db8000000000000000000000002 00 01 00 22 |
      0018 03 02 20010db8000000000000000000000001 00000001 | ${EVERY_30_S} |
      0014 0b 0a 20010db8000000000000000000000001 | ${TSPEC_TEN}`,
    seen: ["Length: 24", "Object class: SESSION object (1)", "Length: 20", "Object class: SENDER TEMPLATE object (11)"],
  },
  {
    name: "Path of a generic aggregate (RFC 4860)",
    packet: packetOf({
      kind: "Path",
      session: {
        kind: "genericAggregate",
        destination: "10.9.2.2",
        phbId: 0xb800,
        vDstPort: 0x1234,
        extendedVDstPort: "10.9.1.1",
        ePolice: true,
      },
      hop: { address: "10.9.1.1", lih: 1 },
      refreshPeriod: every30s,
      policy: [],
      sender: { template: { address: "10.9.1.1" }, tspec: TEN_CALLS },
      unknown: [],
    }),
    hex: `10 01 0000 3f 00 005c | 0014 01 11 0a090202 00 01 b800 0000 1234 0a090101 |
      000c 03 01 0a090101 00000001 | ${EVERY_30_S} | 0008 0b 09 0a090101 | ${TSPEC_TEN}`,
    seen: ["Length: 20", "Object class: SESSION object (1)"],
  },
  {
    name: "Path of a generic aggregate over IPv6",
    packet: packetOf({
      kind: "Path",
      session: {
        kind: "genericAggregate",
        destination: "2001:db8::2",
        phbId: 0xb800,
        vDstPort: 0x1234,
        extendedVDstPort: "2001:db8::1",
        ePolice: false,
      },
      hop: { address: "2001:db8::1", lih: 1 },
      refreshPeriod: every30s,
      policy: [],
      sender: { template: { address: "2001:db8::1" }, tspec: TEN_CALLS },
      unknown: [],
    }),
    hex: `10 01 0000 3f 00 008c |
      002c 01 12 20010db8000000000000000000000002 00 00 b800 0000 1234 20010db8000000000000000000000001 |
      0018 03 02 20010db8000000000000000000000001 00000001 | ${EVERY_30_S} |
      0014 0b 0a 20010db8000000000000000000000001 | ${TSPEC_TEN}`,
    seen: ["Length: 44", "Object class: SESSION object (1)"],
  },
  {
    name: "Path with an ADSPEC of all services (the figure of RFC 2210 §3.3.6)",
    packet: packetOf({
      kind: "Path",
      session: { kind: "ip", destination: "192.0.2.77", protocol: 17, port: 5004, ePolice: false },
      hop: { address: "198.51.100.1", lih: 0 },
      refreshPeriod: every30s,
      policy: [],
      sender: {
        template: { address: "203.0.113.5", port: 4000 },
        tspec: ONE_CALL,
        adspec: {
          general: {
            broken: false,
            invalid: [],
            others: [],
            hops: 3,
            pathBandwidth: bytesPerSecond(12_500_000),
            minLatencyMicros: 1500,
            pathMtu: octets(1500),
          },
          guaranteed: {
            broken: true,
            invalid: [134],
            others: [],
            overrides: {},
            terms: { cTot: 1, dTotMicros: 2, cSum: 3, dSumMicros: 4 },
          },
          controlledLoad: { broken: false, invalid: [], others: [], overrides: {} },
          others: [],
        },
      },
      unknown: [],
    }),
    hex: `10 01 0000 3f 00 00ac | 000c 01 01 c000024d 11 00 138c | 000c 03 01 c6336401 00000000 | ${EVERY_30_S} |
      000c 0b 01 cb007105 0000 0fa0 | ${TSPEC_ONE} | 0054 0d 02 00 00 0013
      01 00 0008 04 00 0001 00000003 06 00 0001 4b3ebc20 08 00 0001 000005dc 0a 00 0001 000005dc
      02 80 0008 85 00 0001 00000001 86 80 0001 00000002 87 00 0001 00000003 88 00 0001 00000004
      05 00 0000`,
    seen: [
      "ADSPEC",
      "IS Hop Count: 3",
      "Path b/w estimate: 12500000",
      "Minimum path latency: 1500",
      "Composed MTU: 1500",
      "End-to-end composed value for C: 1",
      "End-to-end composed value for D: 2",
      "Since-last-reshaping point composed C: 3",
      "Since-last-reshaping point composed D: 4",
      "Service header: Controlled Load (5)",
    ],
  },
  {
    name: "Path with an ADSPEC that overrides (RFC 2210 §3.3.5), and one header-only and one unknown service",
    packet: packetOf({
      kind: "Path",
      session: { kind: "ip", destination: "192.0.2.77", protocol: 17, port: 5004, ePolice: false },
      hop: { address: "198.51.100.1", lih: 0 },
      refreshPeriod: every30s,
      policy: [],
      sender: {
        template: { address: "203.0.113.5", port: 4000 },
        tspec: ONE_CALL,
        adspec: {
          general: {
            broken: true,
            invalid: [8],
            others: [{ id: 11, flags: 0, data: Buffer.from("00000001", "hex") }],
            hops: 0,
            pathBandwidth: bytesPerSecond(0),
            minLatencyMicros: LATENCY_INDETERMINATE,
            pathMtu: octets(576),
          },
          guaranteed: { broken: true, invalid: [], others: [], overrides: {} },
          controlledLoad: {
            broken: false,
            invalid: [],
            others: [],
            overrides: { pathBandwidth: bytesPerSecond(80_000) },
          },
          others: [{ service: 126, broken: true, data: Buffer.from("d2000001deadbeef", "hex") }],
        },
      },
      unknown: [],
    }),
    hex: `10 01 0000 3f 00 00a8 | 000c 01 01 c000024d 11 00 138c | 000c 03 01 c6336401 00000000 | ${EVERY_30_S} |
      000c 0b 01 cb007105 0000 0fa0 | ${TSPEC_ONE} | 0050 0d 02 00 00 0012
      01 80 000a 04 00 0001 00000000 06 00 0001 00000000 08 80 0001 ffffffff 0a 00 0001 00000240 0b 00 0001 00000001
      02 80 0000 05 00 0002 06 00 0001 479c4000 7e 80 0002 d2 00 0001 deadbeef`,
    seen: ["ADSPEC", "Minimum path latency: 4294967295", "Composed MTU: 576"],
  },
  {
    name: "Path of an aggregate that says what is wanted of the way back (RFC 2750 §3)",
    packet: packetOf({
      kind: "Path",
      session: { kind: "aggregate", destination: "10.9.2.2", dscp: dscp(46), ePolice: false },
      hop: { address: "10.9.1.1", lih: 1 },
      refreshPeriod: every30s,
      policy: [wayBackPolicy(bytesPerSecond(75_000))],
      sender: { template: { address: "10.9.1.1" }, tspec: TEN_CALLS },
      unknown: [],
    }),
    hex: `10 01 0000 3f 00 0068 | 000c 01 09 0a090202 00 00 00 2e | 000c 03 01 0a090101 00000001 | ${EVERY_30_S} |
      0014 0e 01 0008 0000 000c d349 00007ed9 47927c00 | 0008 0b 09 0a090101 | ${TSPEC_TEN}`,
    seen: [
      "SESSION: IPv4-Aggregate, Destination 10.9.2.2, DSCP 46",
      "Object class: POLICY object (14)",
      "Data: 00080000000cd34900007ed947927c00",
      "Token bucket rate: 80000",
    ],
  },
  {
    name: "PathTear of an aggregate",
    packet: packetOf({
      kind: "PathTear",
      session: { kind: "aggregate", destination: "10.9.2.2", dscp: dscp(46), ePolice: false },
      hop: { address: "10.9.1.1", lih: 1 },
      template: { address: "10.9.1.1" },
      unknown: [],
    }),
    hex: "10 05 0000 3f 00 0028 | 000c 01 09 0a090202 00 00 00 2e | 000c 03 01 0a090101 00000001 | 0008 0b 09 0a090101",
    seen: [
      "Message Type: PATH TEAR Message.  (5)",
      "SESSION: IPv4-Aggregate, Destination 10.9.2.2, DSCP 46",
      "SENDER TEMPLATE: IPv4-Aggregate, Aggregator 10.9.1.1",
    ],
  },
];
