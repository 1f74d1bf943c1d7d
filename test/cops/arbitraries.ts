/** Random COPS messages that RFC 2748 allows, for round trips and fuzzing. */
import fc from "fast-check";
import type { CopsMessage } from "../../src/cops/codec/message.js";
import { addressFromBytes } from "../../src/model/ip.js";

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const data = fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets));
export const handle = fc.uint8Array({ minLength: 1, maxLength: 9 }).map((octets) => Buffer.from(octets));
const codes = fc.record({ code: u16, subCode: u16 });
const context = fc.record({ rType: u16, mType: u16 });
const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(addressFromBytes);
const server = fc.record({ address, port: u16 });
const place = fc.record({ address, ifindex: u32 });
const si = { signaled: fc.array(data, { maxLength: 3 }), named: fc.array(data, { maxLength: 3 }) };
const common = {
  clientType: u16,
  integrity: fc.record({ cType: fc.constantFrom(1 as const, 2 as const), data }),
};
const parts = {
  command: u16,
  flags: u16,
  stateless: data,
  replacement: data,
  clientSpecific: data,
  named: data,
};
const required = <K extends string>(...keys: K[]) => ({ requiredKeys: keys });

const decision = fc.record({ context, ...parts }, required("context", "command", "flags"));
const lpdp = fc.record({ context, ...parts }, required("context", "command", "flags"));
const pepId = fc
  .array(fc.integer({ min: 0x21, max: 0x7e }), { minLength: 1, maxLength: 20 })
  .map((chars) => String.fromCharCode(...chars));

const dec = fc
  .record(
    {
      op: fc.constant("DEC" as const),
      handle,
      solicited: fc.boolean(),
      decisions: fc.array(decision, { maxLength: 3 }),
      ...common,
    },
    required("op", "clientType", "handle", "solicited", "decisions"),
  )
  .chain((message) =>
    message.decisions.length > 0
      ? fc.constant(message)
      : fc.option(codes, { nil: undefined }).map((error) => (error === undefined ? message : { ...message, error })),
  );

export const anyMessage: fc.Arbitrary<CopsMessage> = fc.oneof(
  fc.record(
    {
      op: fc.constant("REQ" as const),
      handle,
      context,
      inInterface: place,
      outInterface: place,
      ...si,
      lpdp: fc.array(lpdp, { maxLength: 2 }),
      ...common,
    },
    required("op", "clientType", "handle", "context", "signaled", "named", "lpdp"),
  ),
  dec,
  fc.record(
    {
      op: fc.constant("RPT" as const),
      handle,
      solicited: fc.boolean(),
      reportType: fc.constantFrom("success" as const, "failure" as const, "accounting" as const),
      ...si,
      ...common,
    },
    required("op", "clientType", "handle", "solicited", "reportType", "signaled", "named"),
  ),
  fc.record(
    { op: fc.constant("DRQ" as const), handle, reason: codes, ...common },
    required("op", "clientType", "handle", "reason"),
  ),
  fc.record({ op: fc.constantFrom("SSQ" as const, "SSC" as const), handle, ...common }, required("op", "clientType")),
  fc.record(
    { op: fc.constant("OPN" as const), pepId, ...si, lastPdp: server, ...common },
    required("op", "clientType", "pepId", "signaled", "named"),
  ),
  fc.record(
    { op: fc.constant("CAT" as const), keepAlive: u16, accounting: u16, ...common },
    required("op", "clientType", "keepAlive"),
  ),
  fc.record(
    { op: fc.constant("CC" as const), error: codes, redirect: server, ...common },
    required("op", "clientType", "error"),
  ),
  fc.record(
    { op: fc.constant("KA" as const), clientType: fc.constant(0 as const), integrity: common.integrity },
    required("op", "clientType"),
  ),
) as fc.Arbitrary<CopsMessage>;

/** The same octets cut at random places, empty chunks included. */
export const cuts = (octets: Buffer): fc.Arbitrary<Buffer[]> =>
  fc.array(fc.nat({ max: octets.length }), { maxLength: 20 }).map((places) => {
    const edges = [0, ...places.sort((left, right) => left - right), octets.length];
    return edges.slice(1).map((end, index) => Buffer.from(octets.subarray(edges[index], end)));
  });
