/** Messages with the octets that they have to have, written out from the figures of RFC 2748 §2 and §3. */
import type { CopsMessage } from "../../src/cops/codec/message.js";

export interface Golden {
  readonly name: string;
  readonly message: CopsMessage;
  /** Groups of hexadecimal octets: the header, then an object each. */
  readonly hex: string;
  /** What tshark has to see. */
  readonly seen: Readonly<Record<string, string>>;
}

const HANDLE = Buffer.from("00000007", "hex");
const handleHex = "0008 01 01 00000007";
const PR = { rType: 8, mType: 0 };

export const GOLDEN: readonly Golden[] = [
  {
    name: "OPN",
    message: { op: "OPN", clientType: 2, pepId: "r1", signaled: [], named: [] },
    hex: "10 06 0002 00000010 | 0008 0b 01 72310000",
    seen: { "cops.op_code": "6", "cops.client_type": "2", "cops.msg_len": "16", "cops.pepid.id": "r1" },
  },
  {
    name: "OPN with ClientSI and LastPDPAddr",
    message: {
      op: "OPN",
      clientType: 2,
      pepId: "edge-1",
      signaled: [],
      named: [Buffer.from("0008040100050000", "hex")],
      lastPdp: { address: "192.0.2.9", port: 3288 },
    },
    hex: "10 06 0002 0000002c | 000c 0b 01 656467652d310000 | 000c 09 02 0008040100050000 | 000c 0e 01 c0000209 0000 0cd8",
    seen: {
      "cops.op_code": "6",
      "cops.pepid.id": "edge-1",
      "cops.gperror": "5",
      "cops.lastpdpaddr.ipv4": "192.0.2.9",
      "cops.pdp.tcp_port": "3288",
    },
  },
  {
    name: "CAT",
    message: { op: "CAT", clientType: 2, keepAlive: 30, accounting: 60 },
    hex: "10 07 0002 00000018 | 0008 0a 01 0000 001e | 0008 0f 01 0000 003c",
    seen: { "cops.op_code": "7", "cops.katimer.value": "30", "cops.accttimer.value": "60", "cops.flags": "0x00" },
  },
  {
    name: "CAT that asks for no periodic accounting",
    message: { op: "CAT", clientType: 2, keepAlive: 0, accounting: 0 },
    hex: "10 07 0002 00000018 | 0008 0a 01 0000 0000 | 0008 0f 01 0000 0000",
    seen: { "cops.op_code": "7", "cops.katimer.value": "0", "cops.accttimer.value": "0" },
  },
  {
    name: "CAT with the longest accounting timer",
    message: { op: "CAT", clientType: 0x5349, keepAlive: 0xffff, accounting: 0xffff },
    hex: "10 07 5349 00000018 | 0008 0a 01 0000 ffff | 0008 0f 01 0000 ffff",
    seen: { "cops.client_type": "21321", "cops.accttimer.value": "65535" },
  },
  {
    name: "RPT that closes an interval of accounting",
    message: {
      op: "RPT",
      clientType: 2,
      handle: HANDLE,
      solicited: false,
      reportType: "accounting",
      signaled: [],
      named: [],
    },
    hex: `10 03 0002 00000018 | ${handleHex} | 0008 0c 01 0003 0000`,
    seen: { "cops.op_code": "3", "cops.flags": "0x00", "cops.report_type": "3" },
  },
  {
    name: "REQ of COPS-PR",
    message: { op: "REQ", clientType: 2, handle: HANDLE, context: PR, signaled: [], named: [], lpdp: [] },
    hex: `10 01 0002 00000018 | ${handleHex} | 0008 02 01 0008 0000`,
    seen: {
      "cops.op_code": "1",
      "cops.handle": "0x00000007",
      "cops.context.r_type": "0x0008",
      "cops.context.m_type": "0x0000",
    },
  },
  {
    name: "REQ with everything",
    message: {
      op: "REQ",
      clientType: 0x5349,
      handle: HANDLE,
      context: { rType: 3, mType: 1 },
      inInterface: { address: "192.0.2.1", ifindex: 3 },
      outInterface: { address: "2001:db8::1", ifindex: 4 },
      signaled: [Buffer.from("abcde")],
      named: [],
      lpdp: [{ context: { rType: 1, mType: 1 }, command: 1, flags: 0, stateless: Buffer.from("xyz") }],
    },
    hex: `10 01 5349 00000060 | ${handleHex} | 0008 02 01 0003 0001 | 000c 03 01 c0000201 00000003 |
      0018 04 02 20010db8000000000000000000000001 00000004 | 0009 09 01 6162636465 000000 |
      0008 02 01 0001 0001 | 0008 07 01 0001 0000 | 0007 07 02 78797a 00`,
    seen: {
      "cops.client_type": "21321",
      "cops.context.r_type": "0x0003,0x0001",
      "cops.in-int.ipv4": "192.0.2.1",
      "cops.out-int.ipv6": "2001:db8::1",
      "cops.in-out-int.ifindex": "3,4",
      "cops.obj.len": "8,8,12,24,9,8,8,7",
      "cops.c_type": "1,1,1,2,1,1,1,2",
    },
  },
  {
    name: "DEC that answers with each kind of data",
    message: {
      op: "DEC",
      clientType: 1,
      handle: HANDLE,
      solicited: true,
      decisions: [
        {
          context: { rType: 1, mType: 2 },
          command: 1,
          flags: 1,
          stateless: Buffer.from("0102", "hex"),
          replacement: Buffer.from("03", "hex"),
          clientSpecific: Buffer.from("04050607", "hex"),
        },
        { context: { rType: 4, mType: 2 }, command: 2, flags: 0 },
      ],
    },
    hex: `11 02 0001 00000048 | ${handleHex} | 0008 02 01 0001 0002 | 0008 06 01 0001 0001 | 0006 06 02 0102 0000 |
      0005 06 03 03 000000 | 0008 06 04 04050607 | 0008 02 01 0004 0002 | 0008 06 01 0002 0000`,
    seen: {
      "cops.flags": "0x01",
      "cops.decision.cmd": "1,2",
      "cops.decision.flags": "0x0001,0x0000",
      "cops.c_type": "1,1,1,2,3,4,1,1",
    },
  },
  {
    name: "DEC with an Error",
    message: {
      op: "DEC",
      clientType: 2,
      handle: HANDLE,
      solicited: true,
      decisions: [],
      error: { code: 13, subCode: 0x0901 },
    },
    hex: `11 02 0002 00000018 | ${handleHex} | 0008 08 01 000d 0901`,
    seen: { "cops.op_code": "2", "cops.error": "13", "cops.error_sub": "0x0901" },
  },
  {
    name: "RPT",
    message: {
      op: "RPT",
      clientType: 2,
      handle: HANDLE,
      solicited: true,
      reportType: "failure",
      signaled: [],
      named: [Buffer.from("00080401000b0000", "hex")],
    },
    hex: `11 03 0002 00000024 | ${handleHex} | 0008 0c 01 0002 0000 | 000c 09 02 00080401000b0000`,
    seen: { "cops.flags": "0x01", "cops.report_type": "2", "cops.gperror": "11" },
  },
  {
    name: "RPT Accounting",
    message: {
      op: "RPT",
      clientType: 0x5349,
      handle: HANDLE,
      solicited: false,
      reportType: "accounting",
      signaled: [Buffer.from("u")],
      named: [],
    },
    hex: `10 03 5349 00000020 | ${handleHex} | 0008 0c 01 0003 0000 | 0005 09 01 75 000000`,
    seen: { "cops.flags": "0x00", "cops.report_type": "3" },
  },
  {
    name: "DRQ",
    message: { op: "DRQ", clientType: 2, handle: HANDLE, reason: { code: 13, subCode: 0x0607 } },
    hex: `10 04 0002 00000018 | ${handleHex} | 0008 05 01 000d 0607`,
    seen: { "cops.op_code": "4", "cops.reason": "13", "cops.reason_sub": "0x0607" },
  },
  {
    name: "SSQ",
    message: { op: "SSQ", clientType: 2 },
    hex: "10 05 0002 00000008",
    seen: { "cops.op_code": "5", "cops.msg_len": "8" },
  },
  {
    name: "SSQ of a handle",
    message: { op: "SSQ", clientType: 2, handle: HANDLE },
    hex: `10 05 0002 00000010 | ${handleHex}`,
    seen: { "cops.op_code": "5", "cops.handle": "0x00000007" },
  },
  {
    name: "SSC",
    message: { op: "SSC", clientType: 2, handle: HANDLE },
    hex: `10 0a 0002 00000010 | ${handleHex}`,
    seen: { "cops.op_code": "10", "cops.handle": "0x00000007" },
  },
  {
    name: "CC that redirects",
    message: {
      op: "CC",
      clientType: 2,
      error: { code: 12, subCode: 0 },
      redirect: { address: "192.0.2.44", port: 3289 },
    },
    hex: "10 08 0002 0000001c | 0008 08 01 000c 0000 | 000c 0d 01 c000022c 0000 0cd9",
    seen: {
      "cops.op_code": "8",
      "cops.error": "12",
      "cops.pdprediraddr.ipv4": "192.0.2.44",
      "cops.pdp.tcp_port": "3289",
    },
  },
  {
    name: "CC that redirects over IPv6",
    message: {
      op: "CC",
      clientType: 2,
      error: { code: 12, subCode: 0 },
      redirect: { address: "2001:db8::2c", port: 3288 },
    },
    hex: "10 08 0002 00000028 | 0008 08 01 000c 0000 | 0018 0d 02 20010db800000000000000000000002c 0000 0cd8",
    seen: { "cops.pdprediraddr.ipv6": "2001:db8::2c", "cops.pdp.tcp_port": "3288" },
  },
  {
    name: "KA",
    message: { op: "KA", clientType: 0 },
    hex: "10 09 0000 00000008",
    seen: { "cops.op_code": "9", "cops.client_type": "0" },
  },
  {
    name: "KA with Integrity",
    message: {
      op: "KA",
      clientType: 0,
      integrity: { cType: 1, data: Buffer.from("0000000a00000063000102030405060708090a0b", "hex") },
    },
    hex: "10 09 0000 00000020 | 0018 10 01 0000000a 00000063 000102030405060708090a0b",
    seen: { "cops.integrity.key_id": "10", "cops.integrity.seq_num": "99", "cops.msg_len": "32" },
  },
];

export const octetsOf = (hex: string): Buffer => Buffer.from(hex.replace(/[^0-9a-f]/g, ""), "hex");
