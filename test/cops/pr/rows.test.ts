import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DecMessage } from "../../../src/cops/codec/message.js";
import type { BerValue } from "../../../src/cops/pr/ber.js";
import {
  decodeBindings,
  decodeRemovals,
  decodeReport,
  encodeBindings,
  encodeRemovals,
  encodeReport,
} from "../../../src/cops/pr/bindings.js";
import { CONFIGURATION_CONTEXT, decodeProvisioning, encodeProvisioning } from "../../../src/cops/pr/decision.js";
import { CPERR, GPERR, PrDecodeError } from "../../../src/cops/pr/errors.js";
import { oid, ZERO_OID } from "../../../src/cops/pr/oid.js";
import { DIFFSERV_TYPE } from "../../../src/cops/pr/pib/diffserv.js";
import { ALL_CLASSES, pib, prcOf } from "../../../src/cops/pr/pib/index.js";
import { decodeRow, encodeRow, pridOf } from "../../../src/cops/pr/prc.js";
import { decodePrObjects } from "../../../src/cops/pr/sub-object.js";
import { parseSessionId } from "../../../src/model/session.js";

const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");

const METER = {
  succeedNext: pridOf(pib.dsAction, 1),
  failNext: pridOf(pib.dsAlgDrop, 7),
  specific: pridOf(pib.dsTBParam, 3),
};

describe("PIB tables", () => {
  it("have an OID of their own each, and attributes without gaps", () => {
    expect(new Set(ALL_CLASSES.map(({ entry }) => entry)).size).toBe(ALL_CLASSES.length);
    for (const { name, attributes, extends: base } of ALL_CLASSES) {
      const numbers = Object.values(attributes).map(({ number }) => number);
      const first = base === undefined ? 2 : 1;
      expect(numbers, name).toEqual(numbers.map((_, index) => index + first));
    }
  });

  it.each([
    // RFC 3317, RFC 3318, RFC 3571: pib is 1.3.6.1.2.2.
    ["1.3.6.1.2.2.2.1.1.1", pib.frwkPrcSupport],
    ["1.3.6.1.2.2.2.3.2.1", pib.frwkIpFilter],
    ["1.3.6.1.2.2.4.1.4.1", pib.dsIfAlgDropCaps],
    ["1.3.6.1.2.2.4.2.4.1", pib.dsMeter],
    ["1.3.6.1.2.2.4.2.11.1", pib.dsQ],
    ["1.3.6.1.2.2.5.2.1.1", pib.frwkFeedbackTraffic],
    ["1.3.6.1.4.1.32473.1.1.1", pib.sluiceSession],
  ])("%s", (entry, prc) => {
    expect(prc.entry).toBe(entry);
    expect(prcOf(oid(entry))).toBe(prc);
  });
});

describe("rows", () => {
  it("begin with the InstanceId and follow the attribute numbers", () => {
    const { prid, values } = encodeRow(pib.dsMeter, 7, METER);
    expect(prid).toBe("1.3.6.1.2.2.4.2.4.1.7");
    expect(values).toEqual([
      { type: "unsigned32", value: 7 },
      { type: "oid", value: METER.succeedNext },
      { type: "oid", value: METER.failNext },
      { type: "oid", value: METER.specific },
    ]);
  });

  it("of a class that EXTENDS another have none", () => {
    expect(encodeRow(pib.frwkIfRoleCombo, 7, { ifIndex: 3 }).values).toEqual([{ type: "integer", value: 3 }]);
  });

  const roundTrip = (rows: readonly { ok: boolean; row?: unknown }[], wanted: readonly unknown[]) =>
    expect(rows).toEqual(wanted.map((row) => ({ ok: true, row, warnings: [] })));

  it("come back as they went, one of every syntax", () => {
    const session = parseSessionId("0123456789abcdef")!;
    const incarnation = {
      name: "édge",
      id: octets("0102"),
      longevity: "expireOnTimeout",
      ttl: 60,
      inCtxtSet: true,
      active: false,
      fullState: true,
    } as const;
    const traffic = { linkRefId: 1, packetCount: 2n ** 63n, byteCount: 0n };
    const spec = { spec: [0, 1, 2, 4, 9] };
    const tie = {
      session,
      clfrElement: pridOf(pib.dsClfrElement, 4),
      packetSize: 200,
      tunnel: pridOf(pib.sluiceTunnel, 255),
    };
    const rate = { priority: 1, absolute: 88, relative: null };
    roundTrip(
      [
        decodeRow(pib.frwkPibIncarnation, 1, encodeRow(pib.frwkPibIncarnation, 1, incarnation).values),
        decodeRow(pib.frwkFeedbackTraffic, 2, encodeRow(pib.frwkFeedbackTraffic, 2, traffic).values),
        decodeRow(pib.dsIfClassificationCaps, 3, encodeRow(pib.dsIfClassificationCaps, 3, spec).values),
        decodeRow(pib.sluiceSession, 4, encodeRow(pib.sluiceSession, 4, tie).values),
        decodeRow(pib.dsMinRate, 5, encodeRow(pib.dsMinRate, 5, rate).values),
      ],
      [incarnation, traffic, spec, tie, rate],
    );
  });

  it("are not encoded with a value that the PIB forbids: that would be our mistake", () => {
    expect(() => encodeRow(pib.dsDscpMarkAct, 1, { dscp: 64 })).toThrow(/dscp/);
    expect(() => encodeRow(pib.dsDscpMarkAct, 0, { dscp: 46 })).toThrow(/InstanceId/);
  });

  const u = (value: number): BerValue => ({ type: "unsigned32", value });
  const i = (value: number): BerValue => ({ type: "integer", value });

  it("read an Unsigned32 with the tag of the example in RFC 3084 §4.3", () => {
    expect(decodeRow(pib.dsClfr, 9, [i(9), i(1)])).toMatchObject({ ok: true, row: { id: 1 } });
  });

  it.each<[string, BerValue[], number, number]>([
    ["another InstanceId than the PRID's", [u(2), i(46)], CPERR.priInstanceInvalid, 0],
    ["a value out of range", [u(1), i(64)], CPERR.attrValueInvalid, 2],
    ["a value of another type", [u(1), { type: "octets", value: Buffer.alloc(1) }], CPERR.invalidAttrType, 2],
    ["NULL without a default", [u(1), { type: "null" }], CPERR.attrValueInvalid, 2],
    ["an attribute missing", [u(1)], CPERR.tooFewAttrs, 0],
  ])("report %s", (_, values, code, subCode) => {
    const decoded = decodeRow(pib.dsDscpMarkAct, 1, values);
    expect(decoded.ok).toBe(false);
    if (!decoded.ok) expect(decoded.errors.map(({ cperr }) => cperr)).toEqual([{ code, subCode }]);
  });

  it("report an unknown enumeration and a text too long by their own codes", () => {
    const drop = encodeRow(pib.dsAlgDrop, 1, {
      type: "alwaysDrop",
      next: ZERO_OID,
      qMeasure: ZERO_OID,
      qThreshold: 1,
      specific: ZERO_OID,
    }).values;
    expect(decodeRow(pib.dsAlgDrop, 1, drop.with(1, i(9)))).toMatchObject({
      errors: [{ cperr: { code: CPERR.attrEnumSupLimited, subCode: 2 } }],
    });
    const long: BerValue = { type: "octets", value: Buffer.alloc(65, "a") };
    expect(decodeRow(pib.sluicePool, 1, [u(1), long, { type: "oid", value: ZERO_OID }])).toMatchObject({
      errors: [{ cperr: { code: CPERR.attrMaxLengthExceeded, subCode: 2 } }],
    });
  });

  it("ignore attributes after the last known one, with a warning that names the first", () => {
    expect(decodeRow(pib.dsDscpMarkAct, 1, [u(1), i(46), u(5)])).toMatchObject({
      ok: true,
      row: { dscp: 46 },
      warnings: [{ cperr: { subCode: 3 } }],
    });
    expect(decodeRow(pib.frwkIfRoleCombo, 1, [i(3), u(5)])).toMatchObject({ warnings: [{ cperr: { subCode: 2 } }] });
  });

  it("of the session class's earlier shapes, without a tunnel or a packet size, are understood", () => {
    const session = parseSessionId("0123456789abcdef")!;
    const { values } = encodeRow(pib.sluiceSession, 4, {
      session,
      clfrElement: pridOf(pib.dsClfrElement, 4),
      packetSize: 200,
      tunnel: pridOf(pib.sluiceTunnel, 1),
    });
    expect(decodeRow(pib.sluiceSession, 4, values.slice(0, -1))).toMatchObject({
      ok: true,
      row: { packetSize: 200, tunnel: ZERO_OID },
      warnings: [],
    });
    expect(decodeRow(pib.sluiceSession, 4, values.slice(0, -2))).toMatchObject({
      ok: true,
      row: { packetSize: 0, tunnel: ZERO_OID },
      warnings: [],
    });
  });

  it("keep text that would spoil an operator's screen out", () => {
    const name: BerValue = { type: "octets", value: Buffer.from("a\x1b[2J") };
    expect(decodeRow(pib.sluicePool, 1, [u(1), name, { type: "oid", value: ZERO_OID }]).ok).toBe(false);
  });
});

describe("sub-objects", () => {
  it("are those of the examples in RFC 3084 §4.1 and §4.2", () => {
    const prid = "000d 0101 0607 2b060102020801 000000";
    const pprid = "000b 0201 0605 2b06010202 00";
    const removals = [{ prid: oid("1.3.6.1.2.2.8.1") }, { prefix: oid("1.3.6.1.2.2") }];
    expect(encodeRemovals(removals).toString("hex")).toBe(octets(prid + pprid).toString("hex"));
    expect(decodeRemovals(octets(prid + pprid))).toEqual(removals);
  });

  it("read the EPD of the example in RFC 3084 §4.3", () => {
    const epd = `0030 0301 020108 4004c0390105 4004ffffffff 400400000000 400400000000
      0201ff 020106 0500 0500 0500 0500 020101`;
    const [object] = decodePrObjects(octets(epd));
    expect(object?.kind === "epd" && object.values.map(({ type }) => type)).toEqual([
      "integer",
      ...Array.from({ length: 4 }, () => "ipAddress"),
      "integer",
      "integer",
      ...Array.from({ length: 4 }, () => "null"),
      "integer",
    ]);
  });

  it.each<[string, string, (named: Buffer) => unknown, number, number]>([
    ["an unknown S-Num", "0008 0901 00000000", decodePrObjects, GPERR.unknownCopsPrObject, 0x0901],
    ["the XML S-Type", "0008 0102 00000000", decodePrObjects, GPERR.unknownCopsPrObject, 0x0102],
    ["one that ends after its object", "0010 0101 00000000", decodePrObjects, GPERR.malformedDecision, 0],
    ["a GPERR of twelve octets", "000c 0401 00010000 00000000", decodePrObjects, GPERR.malformedDecision, 0],
    ["an Install of a prefix", "000b 0201 06052b06010202 00 0004 0301", decodeBindings, GPERR.malformedDecision, 0],
    ["a PRID without its EPD", "000d 0101 0607 2b060102020801 000000", decodeBindings, GPERR.malformedDecision, 0],
    ["an EPD in a Remove", "0004 0301", decodeRemovals, GPERR.malformedDecision, 0],
  ])("refuse %s", (_, hex, decode, code, subCode) => {
    try {
      decode(octets(hex));
    } catch (error) {
      expect(error).toBeInstanceOf(PrDecodeError);
      expect((error as PrDecodeError).gperr).toEqual({ code, subCode });
      return;
    }
    throw new Error("was decoded");
  });

  it("decode or refuse any octets", () => {
    const heads = fc.tuple(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 8 }),
      fc.uint8Array({ maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.array(heads, { maxLength: 4 }), (objects) => {
        const named = Buffer.concat(
          objects.map(([length, sNum, contents]) => Buffer.from([0, length, sNum, 1, ...contents])),
        );
        for (const decode of [decodeBindings, decodeRemovals, (data: Buffer) => decodeReport([data])]) {
          try {
            decode(named);
          } catch (error) {
            expect(error).toBeInstanceOf(PrDecodeError);
          }
        }
      }),
    );
  });
});

describe("reports", () => {
  it("come back as they went", () => {
    const binding = encodeRow(pib.dsMeter, 7, METER);
    const report = {
      gperr: { code: GPERR.unknownPibData, subCode: 0 },
      errors: [
        { prid: binding.prid, cperr: { code: CPERR.attrReferenceUnknown, subCode: 4 }, bindings: [binding] },
        { prid: pridOf(pib.dsQ, 1), cperr: { code: CPERR.deletedInRef, subCode: 0 }, bindings: [] },
      ],
    };
    expect(decodeReport(encodeReport(report))).toEqual(report);
  });

  it("with nothing to say have no object", () => {
    expect(encodeReport({ errors: [] })).toEqual([]);
  });

  it("do not take a CPERR without its ErrorPRID", () => {
    expect(() => decodeReport([octets("0008 0501 00090000")])).toThrow(PrDecodeError);
  });
});

describe("transactions in a DEC", () => {
  const dec = (decisions: DecMessage["decisions"]): DecMessage => ({
    op: "DEC",
    clientType: 2,
    solicited: false,
    handle: octets("00000001"),
    decisions,
  });

  it("put removes before installs and come back as they went", () => {
    const provisioning = {
      removals: [{ prid: pridOf(pib.dsMeter, 1) }, { prefix: pib.dsQ.entry }],
      bindings: [encodeRow(pib.dsMeter, 7, METER)],
    };
    const decisions = encodeProvisioning(provisioning);
    expect(decisions.map(({ command }) => command)).toEqual([2, 1]);
    expect(decodeProvisioning(dec(decisions))).toEqual({ kind: "transaction", ...provisioning });
  });

  it("with nothing to do are one NULL decision", () => {
    const decisions = encodeProvisioning({ removals: [], bindings: [] });
    expect(decisions).toEqual([{ context: CONFIGURATION_CONTEXT, command: 0, flags: 0 }]);
    expect(decodeProvisioning(dec(decisions))).toEqual({ kind: "transaction", removals: [], bindings: [] });
  });

  it("longer than an object go on in further decisions of the same DEC", () => {
    const row = { type: DIFFSERV_TYPE.simpleTokenBucket, rate: 88, burstSize: 1000, interval: 1 };
    const bindings = Array.from({ length: 2000 }, (_, index) => encodeRow(pib.dsTBParam, index + 1, row));
    const decisions = encodeProvisioning({ removals: [], bindings });
    expect(decisions.length).toBeGreaterThan(1);
    for (const { named } of decisions) expect(named?.length).toBeLessThan(0x8000);
    expect(decodeProvisioning(dec(decisions))).toEqual({ kind: "transaction", removals: [], bindings });
  });

  it("may open or delete a request state, alone and without data", () => {
    const flagged = { context: CONFIGURATION_CONTEXT, command: 1, flags: 2 };
    expect(decodeProvisioning(dec([flagged]))).toEqual({ kind: "requestState", open: true });
    expect(decodeProvisioning(dec([{ ...flagged, command: 2 }]))).toEqual({ kind: "requestState", open: false });
    const plain = { context: CONFIGURATION_CONTEXT, command: 0, flags: 0 };
    for (const bad of [[flagged, plain], [plain, flagged], [{ ...flagged, named: encodeBindings([]) }]]) {
      expect(() => decodeProvisioning(dec(bad))).toThrow(PrDecodeError);
    }
  });

  it.each([
    ["Install without data", { command: 1, flags: 0 }],
    ["NULL with data", { command: 0, flags: 0, named: Buffer.alloc(0) }],
    ["an unknown command", { command: 3, flags: 0, named: Buffer.alloc(0) }],
    ["stateless data", { command: 1, flags: 0, named: Buffer.alloc(0), stateless: Buffer.alloc(0) }],
  ])("refuse %s", (_, decision) => {
    expect(() => decodeProvisioning(dec([{ context: CONFIGURATION_CONTEXT, ...decision }]))).toThrow(PrDecodeError);
  });
});
