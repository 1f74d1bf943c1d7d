/** Random RSVP packets that the RFCs allow, for round trips and fuzzing. */
import fc from "fast-check";
import { addressFromBytes, type IpFamily } from "../../src/model/ip.js";
import { encodePacket } from "../../src/rsvp/codec/encode.js";
import type { RsvpMessage, RsvpPacket } from "../../src/rsvp/codec/message.js";
import type { Flowspec, TokenBucket } from "../../src/rsvp/codec/objects.js";
import { UNLIMITED_PEAK } from "../../src/rsvp/codec/token-bucket.js";

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u24 = fc.integer({ min: 0, max: 0xff_ffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const octetsOfLength = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((octets) => Buffer.from(octets));
const words = fc.integer({ min: 0, max: 6 }).chain((count) => octetsOfLength(count * 4));
const cookie = octetsOfLength(8);

/** Neither unspecified nor multicast. */
const addressOf = (family: IpFamily) =>
  family === 4
    ? octetsOfLength(4).map((octets) => addressFromBytes(Buffer.concat([Buffer.from([10]), octets.subarray(1)])))
    : octetsOfLength(16).map((octets) => addressFromBytes(Buffer.concat([Buffer.from([0x20]), octets.subarray(1)])));
const family = fc.constantFrom<IpFamily>(4, 6);

const floatWithin = (min: number, max: number) =>
  fc.float({ min: Math.fround(min), max: Math.fround(max), noNaN: true, noDefaultInfinity: true });
const rate = floatWithin(1, 40e12);

const tokenBucket = fc
  .record({
    rates: fc.tuple(rate, fc.oneof(rate, fc.constant(UNLIMITED_PEAK))),
    bucket: floatWithin(1, 250e9),
    sizes: fc.tuple(fc.integer({ min: 1, max: 0xffff_ffff }), fc.integer({ min: 1, max: 0xffff_ffff })),
  })
  .map(({ rates, bucket, sizes }) => {
    const [minPoliced, maxPacket] = [Math.min(...sizes), Math.max(...sizes)];
    return { rate: Math.min(...rates), bucket, peak: Math.max(...rates), minPoliced, maxPacket } as TokenBucket;
  });

export const flowspec = fc
  .record({ tspec: tokenBucket, guaranteed: fc.boolean(), extra: rate, slackMicros: u32 })
  .map(({ tspec, guaranteed, extra, slackMicros }): Flowspec => {
    if (!guaranteed) return { kind: "controlledLoad", tspec };
    return { kind: "guaranteed", tspec, rate: Math.max(tspec.rate, extra) as TokenBucket["rate"], slackMicros };
  });

const parameter = fc.record({ id: fc.integer({ min: 137, max: 255 }), flags: u8, data: words });
const someOf = (ids: number[]) => fc.subarray(ids);
const generalValues = {
  hops: u32,
  pathBandwidth: fc.float({ min: 0, noNaN: true }),
  minLatencyMicros: u32,
  pathMtu: u32,
};
const bandwidthNotNegativeZero = <Value extends { pathBandwidth?: number }>(value: Value): Value =>
  Object.is(value.pathBandwidth, -0) ? { ...value, pathBandwidth: 0 } : value;
const GENERAL_IDS = { hops: 4, pathBandwidth: 6, minLatencyMicros: 8, pathMtu: 10 } as const;

const general = fc
  .record({
    broken: fc.boolean(),
    invalid: someOf(Object.values(GENERAL_IDS)),
    others: fc.array(parameter, { maxLength: 2 }),
    ...generalValues,
  })
  .map(bandwidthNotNegativeZero);
const overrides = fc.record(generalValues, { requiredKeys: [] }).map(bandwidthNotNegativeZero);
const terms = fc.record({ cTot: u32, dTotMicros: u32, cSum: u32, dSumMicros: u32 });
/** Only parameters that are there can be marked as invalid. */
const service = fc
  .record({ broken: fc.boolean(), others: fc.array(parameter, { maxLength: 2 }), overrides, invalid: fc.boolean() })
  .map(({ invalid, ...rest }) => ({
    ...rest,
    invalid: invalid ? Object.entries(GENERAL_IDS).flatMap(([name, id]) => (name in rest.overrides ? [id] : [])) : [],
  }));
const guaranteed = fc.oneof(
  service,
  fc.tuple(service, terms).map(([rest, values]) => ({ ...rest, terms: values, invalid: [...rest.invalid, 133, 136] })),
);
const otherServices = fc
  .uniqueArray(fc.record({ service: fc.integer({ min: 6, max: 255 }), broken: fc.boolean(), data: words }), {
    maxLength: 2,
    selector: (fragment) => fragment.service,
  })
  .map((fragments) => fragments.sort((left, right) => left.service - right.service));
const adspec = fc.record(
  { general, guaranteed, controlledLoad: service, others: otherServices },
  { requiredKeys: ["general", "others"] },
);

/** Not of the vendors' classes from 252 on: tshark wants a number of the vendor in them. */
const opaqueObject = fc.record({ classNum: fc.integer({ min: 226, max: 251 }), cType: u8, contents: words });
const unknown = fc.array(opaqueObject, { maxLength: 2 });
const policy = fc.array(fc.record({ contents: words }), { maxLength: 2 });
const dclass = fc.array(fc.integer({ min: 0, max: 63 }), { minLength: 1, maxLength: 3 });
const refreshPeriod = u32;

const genericOf = (of: IpFamily) =>
  fc.record({
    kind: fc.constant("genericAggregate" as const),
    destination: addressOf(of),
    phbId: u16,
    vDstPort: u16,
    extendedVDstPort: addressOf(of),
    ePolice: fc.boolean(),
  });
const generic = family.chain(genericOf);

/** What the objects of one message have to agree on: family, and whether senders have ports. */
const contextOf = (of: IpFamily) =>
  fc.oneof(
    fc.record({
      session: fc.record({
        kind: fc.constant("ip" as const),
        destination: addressOf(of),
        protocol: fc.integer({ min: 1, max: 255 }),
        port: fc.integer({ min: 1, max: 0xffff }),
        ePolice: fc.boolean(),
      }),
      filter: fc.constant(fc.record({ address: addressOf(of), port: u16 })),
    }),
    fc.record({
      session: fc.oneof(
        fc.record({
          kind: fc.constant("aggregate" as const),
          destination: addressOf(of),
          dscp: fc.integer({ min: 0, max: 63 }),
          ePolice: fc.boolean(),
        }),
        genericOf(of),
      ),
      filter: fc.constant(fc.record({ address: addressOf(of) })),
    }),
  );

type Filter = fc.Arbitrary<{ readonly address: string; readonly port?: number }>;

const flowsOf = (filter: Filter) =>
  fc.oneof(
    fc.record({ style: fc.constant("WF" as const), flowspec }),
    fc.record({
      style: fc.constant("SE" as const),
      flowspec,
      filters: fc.array(filter, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      style: fc.constant("FF" as const),
      flows: fc.array(fc.record({ filter, flowspec }), { minLength: 1, maxLength: 3 }),
    }),
  );

const tornFlowsOf = (filter: Filter) =>
  fc.oneof(
    fc.record({ style: fc.constant("WF" as const) }),
    fc.record({
      style: fc.constantFrom("FF" as const, "SE" as const),
      filters: fc.array(filter, { minLength: 1, maxLength: 3 }),
    }),
  );

const optional = <Key extends string>(...requiredKeys: Key[]) => ({ requiredKeys });
const errorFlowspec = fc.oneof(
  flowspec,
  fc.record({ kind: fc.constant("opaque" as const), contents: fc.constant(Buffer.from("00000001ff000000", "hex")) }),
);

const erroredFlowsOf = (filter: Filter) =>
  fc.oneof(
    fc.record({ style: fc.constant("WF" as const), flowspec: errorFlowspec }, optional("style")),
    fc.record(
      { style: fc.constantFrom("FF" as const, "SE" as const), flowspec: errorFlowspec, filters: fc.tuple(filter) },
      optional("style", "filters"),
    ),
    fc.record({ style: fc.constant("unknown" as const), optionVector: u24.map((bits) => bits & ~0b11111) }),
  );

const sessionMessage = family.chain((of) =>
  contextOf(of).chain(({ session, filter }) => {
    const hop = fc.record({ address: addressOf(of), lih: u32 });
    const error = fc.record({ node: addressOf(of), flags: u8, code: u8, value: u16 });
    const scope = fc.array(addressOf(of), { maxLength: 3 });
    const common = { session: fc.constant(session), unknown };
    const sender = fc.record({ template: filter, tspec: tokenBucket, adspec }, optional("template", "tspec"));
    const errored = fc.record({ template: filter, tspec: tokenBucket, adspec }, optional("template"));
    const kind = <Kind extends string>(value: Kind) => fc.constant(value);
    return fc.oneof(
      fc.record({ kind: kind("Path"), ...common, hop, refreshPeriod, policy, sender }),
      fc.record(
        {
          kind: kind("Resv"),
          ...common,
          hop,
          refreshPeriod,
          confirm: addressOf(of),
          scope,
          policy,
          flows: flowsOf(filter),
          dclass,
          sessionOfInterest: generic,
        },
        optional("kind", "session", "hop", "refreshPeriod", "policy", "flows", "unknown"),
      ),
      fc.record(
        { kind: kind("PathErr"), ...common, error, policy, sender: errored, dclass, sessionOfInterest: generic },
        optional("kind", "session", "error", "policy", "sender", "unknown"),
      ),
      fc.record(
        { kind: kind("ResvErr"), ...common, hop, error, scope, policy, flows: erroredFlowsOf(filter) },
        optional("kind", "session", "hop", "error", "policy", "flows", "unknown"),
      ),
      fc.record({ kind: kind("PathTear"), ...common, hop, template: filter }),
      fc.record({ kind: kind("ResvTear"), ...common, hop, flows: tornFlowsOf(filter) }),
      fc.record({ kind: kind("ResvConf"), ...common, error, confirm: addressOf(of), flows: flowsOf(filter) }),
    );
  }),
) as fc.Arbitrary<RsvpMessage>;

const ack = fc.record({ kind: fc.constantFrom("ack" as const, "nack" as const), epoch: u24, id: u32 });
const acks = fc.array(ack, { maxLength: 3 });
const idList = family.chain((of) =>
  fc.oneof(
    fc.record({ kind: fc.constant("ids" as const), epoch: u24, ids: fc.array(u32, { minLength: 1, maxLength: 4 }) }),
    fc.record({
      kind: fc.constant("sources" as const),
      epoch: u24,
      entries: fc.array(fc.record({ id: u32, source: addressOf(of) }), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("multicast" as const),
      epoch: u24,
      entries: fc.array(fc.record({ id: u32, source: addressOf(of), destination: addressOf(of) }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  ),
);
const challenge = fc.record({ keyId: u48, cookie });
const integrity = fc.record({ flags: u8, keyId: u48, sequence: u64, digest: octetsOfLength(16) });

const header = { sendTtl: u8, refreshReduction: fc.boolean() };
const noAcks = fc.constant([]);

const alone = fc.oneof(
  fc.record(
    {
      ...header,
      integrity,
      messageId: fc.record({ ackDesired: fc.boolean(), epoch: u24, id: u32 }),
      acks,
      message: sessionMessage,
    },
    optional("sendTtl", "refreshReduction", "acks", "message"),
  ),
  fc.record(
    {
      ...header,
      integrity,
      acks: noAcks,
      message: fc.record({ kind: fc.constant("Ack" as const), acks: fc.array(ack, { minLength: 1, maxLength: 4 }) }),
    },
    optional("sendTtl", "refreshReduction", "acks", "message"),
  ),
  fc.record(
    {
      ...header,
      integrity,
      messageId: fc.record({ ackDesired: fc.boolean(), epoch: u24, id: u32 }),
      acks,
      message: fc.record({
        kind: fc.constant("Srefresh" as const),
        lists: fc.array(idList, { minLength: 1, maxLength: 3 }),
      }),
    },
    optional("sendTtl", "refreshReduction", "acks", "message"),
  ),
  fc.record({
    ...header,
    acks: noAcks,
    message: fc.record({ kind: fc.constant("IntegrityChallenge" as const), challenge }),
  }),
  fc.record({
    ...header,
    integrity,
    acks: noAcks,
    message: fc.record({ kind: fc.constant("IntegrityResponse" as const), challenge }),
  }),
  fc.record({
    ...header,
    acks: noAcks,
    message: fc.record({
      kind: fc.constant("Hello" as const),
      objects: fc.array(fc.record({ classNum: u8, cType: u8, contents: words }), { maxLength: 3 }),
    }),
  }),
) as fc.Arbitrary<RsvpPacket>;

const bundle = fc.record({
  ...header,
  acks: noAcks,
  message: fc.record({
    kind: fc.constant("Bundle" as const),
    messages: fc.array(alone.map(encodePacket), { minLength: 1, maxLength: 3 }),
  }),
}) as fc.Arbitrary<RsvpPacket>;

/** Weighted to what routers send most. */
export const anyPacket: fc.Arbitrary<RsvpPacket> = fc.oneof(
  { weight: 9, arbitrary: alone },
  { weight: 1, arbitrary: bundle },
);
