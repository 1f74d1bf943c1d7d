import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage } from "../../../src/cops/codec/decode.js";
import { encodeMessage } from "../../../src/cops/codec/encode.js";
import type { BerValue } from "../../../src/cops/pr/ber.js";
import { encodeBer } from "../../../src/cops/pr/ber-writer.js";
import type { Binding, Removal } from "../../../src/cops/pr/bindings.js";
import { decodeProvisioning, encodeProvisioning, type Provisioning } from "../../../src/cops/pr/decision.js";
import { CPERR, GPERR, PrDecodeError } from "../../../src/cops/pr/errors.js";
import { childOid, isPrefixOf, type Oid, oid, type Prid, ZERO_OID } from "../../../src/cops/pr/oid.js";
import { DIFFSERV_TYPE } from "../../../src/cops/pr/pib/diffserv.js";
import { ALL_CLASSES, pib } from "../../../src/cops/pr/pib/index.js";
import { decodeRow, encodeRow, pridOf } from "../../../src/cops/pr/prc.js";
import { type Prepared, PriStore, reportOf } from "../../../src/cops/pr/pri-store.js";
import { parseSessionId } from "../../../src/model/session.js";
import { TROUBLE, tsharkFields } from "../tshark.js";

const newStore = (maxInstances = 1000): PriStore => new PriStore({ classes: ALL_CLASSES, maxInstances });
const install = (...bindings: Binding[]): Provisioning => ({ removals: [], bindings });
const remove = (...removals: Removal[]): Provisioning => ({ removals, bindings: [] });
const action = (instance: number, next: Prid = ZERO_OID, specific: Prid = ZERO_OID): Binding =>
  encodeRow(pib.dsAction, instance, { next, specific });
const queue = (instance: number): Binding =>
  encodeRow(pib.dsQ, instance, { next: ZERO_OID, minRate: ZERO_OID, maxRate: ZERO_OID });
const combo = (instance: number): Binding => encodeRow(pib.frwkRoleCombo, instance, { roles: "a", capSetName: "b" });
const ifCombo = (instance: number): Binding => encodeRow(pib.frwkIfRoleCombo, instance, { ifIndex: 1 });

const codes = (prepared: Prepared): number[] => (prepared.ok ? [] : prepared.errors.map(({ cperr }) => cperr.code));

/** Facts of the encoding that a router gets for one flow of a session. */
const flow = (n: number): Binding[] => [
  encodeRow(pib.frwkBaseFilter, n, { negation: false }),
  encodeRow(pib.frwkIpFilter, n, {
    addrType: "ipv4",
    dstAddr: Buffer.from([10, 2, 0, 2]),
    dstPrefixLength: 32,
    srcAddr: Buffer.from([10, 1, 0, 2]),
    srcPrefixLength: 32,
    dscp: -1,
    flowId: -1,
    protocol: 17,
    dstL4PortMin: 40_000,
    dstL4PortMax: 40_000,
    srcL4PortMin: 30_000,
    srcL4PortMax: 30_000,
  }),
  encodeRow(pib.dsAlgDrop, n, {
    type: "alwaysDrop",
    next: ZERO_OID,
    qMeasure: ZERO_OID,
    qThreshold: n,
    specific: ZERO_OID,
  }),
  encodeRow(pib.dsMeter, n, {
    succeedNext: pridOf(pib.dsAction, 1),
    failNext: pridOf(pib.dsAlgDrop, n),
    specific: pridOf(pib.dsTBParam, 1),
  }),
  encodeRow(pib.dsClfrElement, n, {
    clfrId: 1,
    precedence: 100,
    next: pridOf(pib.dsMeter, n),
    specific: pridOf(pib.frwkIpFilter, n),
  }),
];
const SHARED = [
  action(1),
  encodeRow(pib.dsTBParam, 1, { type: DIFFSERV_TYPE.simpleTokenBucket, rate: 88, burstSize: 2000, interval: 1 }),
];
const flowRemovals = (n: number): Removal[] => flow(n).map(({ prid }) => ({ prid }));

describe("PriStore", () => {
  it("takes a flow, whatever the order of its instances, and gives it back", () => {
    const store = newStore();
    expect(store.apply(install(...SHARED, ...flow(7).reverse())).ok).toBe(true);
    expect(store.row(pib.dsMeter, 7)?.failNext).toBe(pridOf(pib.dsAlgDrop, 7));
    const filter = store.row(pib.dsClfrElement, 7)?.specific ?? ZERO_OID;
    expect(store.follow(pib.frwkIpFilter, filter)).toMatchObject({ instance: 7, row: { protocol: 17 } });
    expect(store.follow(pib.dsMeter, filter)).toBeUndefined();
    expect(store.apply(remove(...flowRemovals(7))).ok).toBe(true);
    expect(store.size).toBe(SHARED.length);
  });

  it("is not changed by prepare, and by commit only as prepared", () => {
    const store = newStore();
    const prepared = store.prepare(install(queue(1)));
    expect(store.size).toBe(0);
    if (!prepared.ok) throw new Error("refused");
    expect([...prepared.transaction.after.rows(pib.dsQ)].map(([instance]) => instance)).toEqual([1]);
    store.commit(prepared.transaction);
    expect(store.size).toBe(1);
    expect(() => store.commit(prepared.transaction)).toThrow(/after another/);
  });

  it("says what is overwritten", () => {
    const store = newStore();
    store.apply(install(queue(1), action(1)));
    const prepared = store.prepare(install(action(1, pridOf(pib.dsQ, 1))));
    expect(prepared.ok && prepared.transaction.changes).toMatchObject([
      { kind: "install", pri: { row: { next: pridOf(pib.dsQ, 1) } }, previous: { row: { next: ZERO_OID } } },
    ]);
  });

  it.each<[string, Provisioning, number[]]>([
    ["an unknown class", install({ prid: oid("1.3.6.1.2.2.99.1"), values: [] }), [CPERR.unknownPrc]],
    [
      "a class for requests only",
      install(encodeRow(pib.frwkDeviceId, 1, { descr: "x", maxMsg: 64, maxContexts: 1 })),
      [CPERR.priNotifyOnly],
    ],
    ["a reference to nothing", install(action(9, pridOf(pib.dsQ, 9))), [CPERR.attrReferenceUnknown]],
    ["an extension without its base", install(ifCombo(9)), [CPERR.priInstanceInvalid]],
    ["a removal of what is still referenced", remove({ prid: pridOf(pib.dsQ, 1) }), [CPERR.deletedInRef]],
    ["the same by prefix", remove({ prefix: pib.dsQ.entry }), [CPERR.deletedInRef]],
    ["one bad row among good ones", install(queue(2), action(3, pridOf(pib.dsQ, 9))), [CPERR.attrReferenceUnknown]],
  ])("refuses %s as a whole", (_, provisioning, wanted) => {
    const store = newStore();
    store.apply(install(queue(1), action(1, pridOf(pib.dsQ, 1))));
    expect(codes(store.apply(provisioning))).toEqual(wanted);
    expect(store.size).toBe(2);
  });

  it("refuses more instances than it holds, but not their exchange", () => {
    const store = newStore(2);
    store.apply(install(queue(1), queue(2)));
    expect(codes(store.apply(install(queue(3))))).toEqual([CPERR.priSpaceExhausted]);
    expect(store.apply(install(queue(2))).ok).toBe(true);
    expect(store.apply({ removals: [{ prid: pridOf(pib.dsQ, 1) }], bindings: [queue(3)] }).ok).toBe(true);
  });

  it("says who still points there: by name under its own number, else how many", () => {
    const store = newStore();
    store.apply(install(...SHARED, ...flow(7), ...flow(8)));
    const texts = (provisioning: Provisioning) => {
      const prepared = store.prepare(provisioning);
      return prepared.ok ? [] : prepared.errors.map(({ text }) => text);
    };
    const bucket = pridOf(pib.dsTBParam, 1);
    expect(texts(remove({ prid: pridOf(pib.dsMeter, 7) }))).toEqual([
      `${pridOf(pib.dsMeter, 7)}: still referenced by ${pridOf(pib.dsClfrElement, 7)}`,
    ]);
    expect(texts(remove({ prid: bucket }))).toEqual([`${bucket}: still referenced by 2 instances`]);
    expect(texts(remove({ prid: bucket }, ...flowRemovals(7)))).toEqual([`${bucket}: still referenced by 1 instances`]);
    expect(texts(remove({ prid: bucket }, ...flowRemovals(7), ...flowRemovals(8)))).toEqual([]);
  });

  it("gives rows back as they came after more of them than it keeps decoded", () => {
    const store = newStore(10_000);
    store.apply(install(...SHARED, ...Array.from({ length: 600 }, (_, index) => flow(index + 1)).flat()));
    for (let n = 1; n <= 600; n++) {
      expect(store.row(pib.dsClfrElement, n)?.next).toBe(pridOf(pib.dsMeter, n));
      expect(store.row(pib.dsAlgDrop, n)?.qThreshold).toBe(n);
    }
    store.apply(install(encodeRow(pib.frwkBaseFilter, 600, { negation: true })));
    expect(store.row(pib.frwkBaseFilter, 600)).toEqual({ negation: true });
    expect([...store.rows(pib.dsMeter)]).toHaveLength(600);
  });

  it("warns of a removal of what is not there, and does the rest", () => {
    const store = newStore();
    store.apply(install(queue(1)));
    const done = store.apply(remove({ prid: pridOf(pib.dsQ, 2) }, { prid: pridOf(pib.dsQ, 1) }));
    expect(done.ok && done.transaction.warnings.map(({ prid }) => prid)).toEqual([pridOf(pib.dsQ, 2)]);
    expect(store.size).toBe(0);
  });

  it("installs in the end what one DEC removes and installs", () => {
    const store = newStore();
    store.apply(install(queue(1), action(1, pridOf(pib.dsQ, 1))));
    expect(store.apply({ removals: [{ prefix: pib.dsQ.entry }], bindings: [queue(1)] }).ok).toBe(true);
    expect(store.size).toBe(2);
  });

  it("takes an extension with its base, and keeps a base without extension", () => {
    const store = newStore();
    store.apply(install(combo(1), ifCombo(1), combo(2), ifCombo(2)));
    store.apply(remove({ prid: pridOf(pib.frwkIfRoleCombo, 1) }, { prid: pridOf(pib.frwkRoleCombo, 2) }));
    expect([...store.rows(pib.frwkRoleCombo)].map(([instance]) => instance)).toEqual([1]);
    expect([...store.rows(pib.frwkIfRoleCombo)]).toEqual([]);
  });

  it("walks a prefix that is repeated a thousand times once", () => {
    const store = newStore(20_000);
    store.apply(install(...Array.from({ length: 10_000 }, (_, index) => queue(index + 1))));
    const removals = Array.from({ length: 20_000 }, () => ({ prefix: pib.dsQ.entry }));
    expect(store.apply(remove(...removals)).ok).toBe(true);
    expect(store.size).toBe(0);
  });

  it("reports an unknown class with the GPERR that goes with it", () => {
    const prepared = newStore().prepare(install({ prid: oid("1.3.6.1.2.2.99.1"), values: [] }));
    expect(!prepared.ok && reportOf(prepared.errors).gperr?.code).toBe(GPERR.unknownPibData);
  });
});

/** The same rules, said in the simplest way: copy everything, change it, look at all of it. */
class Model {
  rows = new Map<Prid, { readonly pointed: readonly Prid[]; readonly values: readonly BerValue[] }>();

  apply({ removals, bindings }: Provisioning): boolean {
    const after = new Map(this.rows);
    for (const removal of removals) {
      for (const prid of this.rows.keys()) {
        const hit = "prid" in removal ? prid === removal.prid : isPrefixOf(removal.prefix, prid);
        if (!hit) continue;
        after.delete(prid);
        after.delete(prid.replace(pib.frwkRoleCombo.entry, pib.frwkIfRoleCombo.entry) as Oid);
      }
    }
    for (const { prid, values } of bindings) {
      const pointed = values.flatMap((value) =>
        value.type === "oid" && value.value !== ZERO_OID ? [value.value] : [],
      );
      const isExtension = isPrefixOf(pib.frwkIfRoleCombo.entry, prid);
      const base = prid.replace(pib.frwkIfRoleCombo.entry, pib.frwkRoleCombo.entry) as Oid;
      after.set(prid, { pointed: isExtension ? [base] : pointed, values });
    }
    const whole = [...after.values()].every(({ pointed }) => pointed.every((prid) => after.has(prid)));
    if (whole) this.rows = after;
    return whole;
  }
}

describe("PriStore over any transactions", () => {
  const instance = fc.integer({ min: 1, max: 3 });
  const target = fc.oneof(
    fc.constant(ZERO_OID),
    instance.map((n) => childOid(pib.dsQ.entry, n)),
    instance.map((n) => childOid(pib.dsAction.entry, n)),
  );
  const binding = fc.oneof(
    fc.tuple(instance, target, target).map(([n, next, specific]) => action(n, next, specific)),
    instance.map(queue),
    instance.map(combo),
    instance.map(ifCombo),
  );
  const entry = fc.constantFrom(pib.dsQ, pib.dsAction, pib.frwkRoleCombo, pib.frwkIfRoleCombo).map((prc) => prc.entry);
  const removal: fc.Arbitrary<Removal> = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(entry, instance).map(([prc, n]) => ({ prid: childOid(prc, n) })) },
    { weight: 1, arbitrary: entry.map((prefix) => ({ prefix })) },
    { weight: 1, arbitrary: fc.constantFrom("1.3.6.1.2.2", "1.3.6.1.2.2.4").map((text) => ({ prefix: oid(text) })) },
  );
  const transaction = fc.record({
    removals: fc.array(removal, { maxLength: 3 }),
    bindings: fc.array(binding, { maxLength: 5 }),
  });

  it("accepts, refuses and holds what the simple model does", () => {
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 12 }), (transactions) => {
        const store = newStore();
        const model = new Model();
        for (const provisioning of transactions) {
          expect(store.apply(provisioning).ok).toBe(model.apply(provisioning));
          expect(store.size).toBe(model.rows.size);
          for (const [prid, { values }] of model.rows) {
            const pri = store.get(prid);
            expect(pri?.prid).toBe(prid);
            expect({ ok: true, row: pri?.row, warnings: [] }).toEqual(pri && decodeRow(pri.prc, pri.instance, values));
          }
          const listed = ALL_CLASSES.flatMap((prc) => [...store.rows(prc)].map(([n]) => childOid(prc.entry, n)));
          expect(listed.sort()).toEqual([...model.rows.keys()].sort());
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a flow on the wire", () => {
  const dec = (provisioning: Provisioning): Buffer =>
    encodeMessage({
      op: "DEC",
      clientType: 2,
      solicited: false,
      handle: Buffer.from("00000001", "hex"),
      decisions: encodeProvisioning(provisioning),
    });

  it("is removed by 116 octets", () => {
    // 8 header, 8 Handle, 8 Context, 8 Flags, 4 object header, and five PRIDs of 16 octets.
    expect(dec(remove(...flowRemovals(7))).length).toBe(116);
  });

  it("is installed by 332 octets", () => {
    // 36 as above; then PRID and EPD of dsTBParam 44, frwkBaseFilter 28, frwkIpFilter 68, dsAlgDrop 40,
    // dsMeter 60 and dsClfrElement 56: all in the one Named Decision Data that RFC 3084 §5.1 asks for.
    expect(dec(install(SHARED[1]!, ...flow(7))).length).toBe(36 + 44 + 28 + 68 + 40 + 60 + 56);
  });

  it("is read by tshark as it was meant, without a complaint", async () => {
    const fields = ["cops.prid.instance_id", "cops.epd.unsigned32", "cops.decision.cmd", "cops.msg_len"];
    const bindings = [SHARED[1]!, ...flow(7)];
    const messages = [dec(install(...bindings)), dec(remove(...flowRemovals(7)))];
    const [installed = {}, removed = {}] = await tsharkFields(messages, fields);
    const short = ({ prid }: Binding): string => prid.replace(/^1\.3\.6\.1\.2\.2\./, "");
    const seen = (names: string | undefined) => (names ?? "").split(",").map((name) => name.replace(/^.*?2\.2\./, ""));
    expect(seen(installed["cops.prid.instance_id"])).toEqual(bindings.map(short));
    expect(seen(removed["cops.prid.instance_id"])).toEqual(flow(7).map(short));
    const numbers = bindings.flatMap(({ values }) =>
      values.flatMap((value) => (value.type === "unsigned32" ? [String(value.value)] : [])),
    );
    expect(installed["cops.epd.unsigned32"]?.split(",")).toEqual(numbers);
    expect([installed, removed].map((message) => message["cops.msg_len"])).toEqual(["332", "116"]);
    for (const field of TROUBLE) expect([field in installed, field in removed], field).toEqual([false, false]);
  });

  it("names its session, its largest packet and its tunnel in our own class", async () => {
    const session = parseSessionId("0123456789abcdef")!;
    const tunnel = pridOf(pib.sluiceTunnel, 9);
    const row = { session, clfrElement: pridOf(pib.dsClfrElement, 7), packetSize: 200, tunnel };
    const binding = encodeRow(pib.sluiceSession, 7, row);
    // InstanceId 7; 16 digits; 1.3.6.1.2.2.4.2.3.1.7; Unsigned32 200 with the zero that keeps it positive;
    // 1.3.6.1.4.1.32473.1.6.1.9.
    expect(encodeBer(...binding.values).toString("hex")).toBe(
      "420107 0410 30313233343536373839616263646566 060a 2b060102020402030107 420200c8 060c 2b0601040181fd5901060109".replaceAll(
        " ",
        "",
      ),
    );
    const fields = ["cops.prid.instance_id", "cops.epd.unsigned32", "cops.epd.octets"];
    const [seen = {}] = await tsharkFields([dec(install(binding))], fields);
    expect(seen["cops.prid.instance_id"]).toMatch(/32473\.1\.1\.1\.7$/);
    expect(seen["cops.epd.unsigned32"]).toBe("7,200");
    for (const field of TROUBLE) expect(field in seen, field).toBe(false);
  });

  const removal = (): Buffer => dec(remove(...flowRemovals(7)));

  // Without these the test above could not fail.
  it.each<[string, (message: Buffer) => void]>([
    ["a sub-object below its header", (message) => message.writeUInt16BE(3, 36)],
    ["a sub-object past its object", (message) => message.writeUInt16BE(200, 36)],
    ["an object past its message", (message) => message.writeUInt16BE(400, 32)],
    ["an unknown C-Num", (message) => message.writeUInt8(99, 34)],
  ])("makes tshark complain of %s", async (_, spoil) => {
    const message = removal();
    spoil(message);
    const [seen = {}] = await tsharkFields([message], []);
    expect(TROUBLE.some((field) => field in seen)).toBe(true);
  });

  it("is refused by us where tshark says nothing: an OID that ends after its sub-object", async () => {
    const message = removal();
    message.writeUInt16BE(7, 36);
    const [seen = {}] = await tsharkFields([message], []);
    expect(TROUBLE.some((field) => field in seen)).toBe(false);
    const decoded = decodeMessage(message);
    if (decoded.op !== "DEC") throw new Error("not a DEC");
    expect(() => decodeProvisioning(decoded)).toThrow(PrDecodeError);
  });
});
