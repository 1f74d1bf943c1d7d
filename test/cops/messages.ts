/** Any COPS message, for properties. */
import fc from "fast-check";
import type { CopsDecision, CopsMessage, LpdpDecision } from "../../src/cops/codec/message.js";
import { addressFromBytes } from "../../src/model/ip.js";

export const u16 = fc.nat(0xffff);
export const u32 = fc.nat(0xffffffff);
export const octets = (maxLength = 40) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));
export const handle = fc.uint8Array({ minLength: 1, maxLength: 9 }).map((bytes) => Buffer.from(bytes));
const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(addressFromBytes);
const context = fc.record({ rType: u16, mType: u16 });
const codes = fc.record({ code: u16, subCode: u16 });
const pdp = fc.record({ address, port: u16 });
const interfaceOf = fc.record({ address, ifindex: u32 });
const integrity = fc.record({ cType: fc.constantFrom(1 as const, 2 as const), data: octets(24) });
const data = fc.array(octets(), { maxLength: 3 });
const pepId = fc
  .array(fc.integer({ min: 0x20, max: 0x7e }), { minLength: 1, maxLength: 30 })
  .map((chars) => String.fromCharCode(...chars));

const parts = { command: u16, flags: u16, stateless: octets(), replacement: octets(), clientSpecific: octets() };
const lpdpDecision: fc.Arbitrary<LpdpDecision> = fc.record(
  { ...parts, context, named: octets() },
  { requiredKeys: ["command", "flags"] },
);
const decision: fc.Arbitrary<CopsDecision> = fc.record(
  { ...parts, context, named: octets() },
  { requiredKeys: ["context", "command", "flags"] },
);

const common = { clientType: u16, integrity };

const req = fc.record(
  {
    ...common,
    op: fc.constant("REQ" as const),
    handle,
    context,
    inInterface: interfaceOf,
    outInterface: interfaceOf,
    signaled: data,
    named: data,
    lpdp: fc.array(lpdpDecision, { maxLength: 3 }),
  },
  { requiredKeys: ["op", "clientType", "handle", "context", "signaled", "named", "lpdp"] },
);
const decBase = { ...common, op: fc.constant("DEC" as const), handle, solicited: fc.boolean() };
const dec = fc.oneof(
  fc.record(
    { ...decBase, decisions: fc.array(decision, { maxLength: 3 }) },
    { requiredKeys: ["op", "clientType", "handle", "solicited", "decisions"] },
  ),
  fc.record(
    { ...decBase, decisions: fc.constant([]), error: codes },
    { requiredKeys: ["op", "clientType", "handle", "solicited", "decisions", "error"] },
  ),
);
const rpt = fc.record(
  {
    ...common,
    op: fc.constant("RPT" as const),
    handle,
    solicited: fc.boolean(),
    reportType: fc.constantFrom("success" as const, "failure" as const, "accounting" as const),
    signaled: data,
    named: data,
  },
  { requiredKeys: ["op", "clientType", "handle", "solicited", "reportType", "signaled", "named"] },
);
const drq = fc.record(
  { ...common, op: fc.constant("DRQ" as const), handle, reason: codes },
  { requiredKeys: ["op", "clientType", "handle", "reason"] },
);
const sync = fc.record(
  { ...common, op: fc.constantFrom("SSQ" as const, "SSC" as const), handle },
  { requiredKeys: ["op", "clientType"] },
);
const opn = fc.record(
  { ...common, op: fc.constant("OPN" as const), pepId, signaled: data, named: data, lastPdp: pdp },
  { requiredKeys: ["op", "clientType", "pepId", "signaled", "named"] },
);
const cat = fc.record(
  { ...common, op: fc.constant("CAT" as const), keepAlive: u16, accounting: u16 },
  { requiredKeys: ["op", "clientType", "keepAlive"] },
);
const cc = fc.record(
  { ...common, op: fc.constant("CC" as const), error: codes, redirect: pdp },
  { requiredKeys: ["op", "clientType", "error"] },
);
const ka = fc.record(
  { op: fc.constant("KA" as const), clientType: fc.constant(0 as const), integrity },
  { requiredKeys: ["op", "clientType"] },
);

export const MESSAGE_KINDS = { REQ: req, DEC: dec, RPT: rpt, DRQ: drq, sync, OPN: opn, CAT: cat, CC: cc, KA: ka };

export const anyMessage: fc.Arbitrary<CopsMessage> = fc.oneof(req, dec, rpt, drq, sync, opn, cat, cc, ka);
