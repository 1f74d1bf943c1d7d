import { describe, expect, it } from "vitest";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { timestamp } from "../../../src/model/units.js";
import type { AddressOfRecord, Arrived, Binding } from "../../../src/sip/registrar/binding.js";
import { registerAnswer } from "../../../src/sip/registrar/register-answer.js";
import type { RegisterWish } from "../../../src/sip/registrar/register-request.js";
import { type BindingStore, Registrar } from "../../../src/sip/registrar/registrar.js";
import type { FlowId, LocalPoint } from "../../../src/sip/transport/transport.js";
import { FakeClock } from "../../support/fake-clock.js";

const LOCAL: LocalPoint = { transport: "udp", address: "192.0.2.1", port: 5060 };
const UDP: Arrived = { transport: "udp", address: "198.51.100.1", port: 5070, local: LOCAL };
const flow = (id: string): Arrived => ({ ...UDP, transport: "wss", flow: id as FlowId });
const ZOE = "zoe@a.example" as AddressOfRecord;

let cseq = 0;
function wish(
  contact: string,
  over: { aor?: AddressOfRecord; expires?: number; instance?: string; q?: number } = {},
): RegisterWish {
  const { aor = ZOE, expires = 600, q = 1000, instance } = over;
  cseq += 1;
  const who = instance === undefined ? {} : { instance, regId: 1 };
  return { aor, callId: "c", cseq, outbound: true, contacts: [{ uri: contact, q, expires, ...who }] };
}

class Kept implements BindingStore {
  readonly saved = new Map<AddressOfRecord, readonly Binding[]>();
  load(): readonly Binding[] {
    return [...this.saved.values()].flat();
  }
  users(): readonly AddressOfRecord[] {
    return [...this.saved.keys()];
  }
  save(aor: AddressOfRecord, bindings: readonly Binding[]): void {
    this.saved.set(aor, bindings);
  }
}

const setUp = (store?: BindingStore, clock = new FakeClock(), users = 100) => {
  const registrar = new Registrar({ clock, logger: SILENT_LOGGER, users, ...(store === undefined ? {} : { store }) });
  return { clock, registrar };
};

const contacts = (bindings: readonly Binding[]) => bindings.map(({ contact }) => contact);

describe("a registrar", () => {
  it("gives the most wanted binding first, of equals the latest", () => {
    const { registrar, clock } = setUp();
    registrar.register(wish("sip:a@198.51.100.1", { q: 500 }), UDP);
    registrar.register(wish("sip:b@198.51.100.1"), UDP);
    clock.advance(10);
    registrar.register(wish("sip:c@198.51.100.1"), UDP);
    expect(contacts(registrar.reachable(ZOE))).toEqual([
      "sip:c@198.51.100.1",
      "sip:b@198.51.100.1",
      "sip:a@198.51.100.1",
    ]);
  });

  it("knows who was ever there, after a restart too, and of very many those that came last", () => {
    const store = new Kept();
    const { registrar } = setUp(store, undefined, 1);
    expect(registrar.isKnown(ZOE)).toBe(false);
    registrar.register(wish("sip:a@198.51.100.1"), flow("f1"));
    registrar.register(wish("sip:a@198.51.100.1", { expires: 0 }), flow("f1"));
    expect([registrar.bindings(ZOE), registrar.isKnown(ZOE)]).toEqual([[], true]);
    const again = setUp(store, undefined, 1).registrar;
    expect(again.isKnown(ZOE)).toBe(true);
    for (let n = 0; n < 4; n += 1) {
      const aor = `u${n}@example.com` as AddressOfRecord;
      again.register(wish("sip:a@198.51.100.1", { aor }), flow("f1"));
      again.register(wish("sip:a@198.51.100.1", { aor, expires: 0 }), flow("f1"));
    }
    expect(again.isKnown(ZOE)).toBe(false);
  });

  it("does not give what has run out, swept or not, and sweeps it", () => {
    const { registrar, clock } = setUp();
    registrar.register(wish("sip:a@198.51.100.1", { expires: 31 }), UDP);
    clock.time += 31_000;
    expect([registrar.bindings(ZOE), registrar.size]).toEqual([[], 1]);
    clock.advance(10_000);
    expect([registrar.size, registrar.counters.expired]).toEqual([0, 1]);
  });

  it("reaches nobody by a connection that closed, and forgets them when they have had their time", () => {
    const { registrar } = setUp();
    registrar.register(wish("sip:a@x.invalid", { instance: "i1" }), flow("f1"));
    registrar.register(wish("sip:b@x.invalid", { instance: "i2" }), flow("f2"));
    expect(contacts(registrar.closeFlow("f1" as FlowId))).toEqual(["sip:a@x.invalid"]);
    expect(contacts(registrar.reachable(ZOE))).toEqual(["sip:b@x.invalid"]);
    expect(registrar.bindings(ZOE)).toHaveLength(2);
    registrar.dropFlow("f1" as FlowId);
    expect(contacts(registrar.bindings(ZOE))).toEqual(["sip:b@x.invalid"]);
    expect(registrar.onFlow("f1" as FlowId)).toEqual([]);
    expect(registrar.closeFlow("unknown" as FlowId)).toEqual([]);
  });

  it("keeps who came back by another connection", () => {
    const { registrar } = setUp();
    registrar.register(wish("sip:a@x.invalid", { instance: "i1" }), flow("f1"));
    registrar.closeFlow("f1" as FlowId);
    registrar.register(wish("sip:new@x.invalid", { instance: "i1" }), flow("f2"));
    registrar.dropFlow("f1" as FlowId);
    expect(contacts(registrar.reachable(ZOE))).toEqual(["sip:new@x.invalid"]);
    expect(contacts(registrar.onFlow("f2" as FlowId))).toEqual(["sip:new@x.invalid"]);
  });

  it("remembers over a restart what needs no connection", () => {
    const kept = new Kept();
    const { registrar, clock } = setUp(kept);
    registrar.register(wish("sip:a@198.51.100.1"), UDP);
    registrar.register(wish("sip:b@x.invalid", { instance: "i1" }), flow("f1"));
    const restarted = setUp(kept, clock).registrar;
    expect(contacts(restarted.reachable(ZOE))).toEqual(["sip:a@198.51.100.1"]);
    restarted.register(wish("sip:a@198.51.100.1", { expires: 0 }), UDP);
    expect([...kept.saved.values()]).toEqual([[]]);
  });

  it("has a size", () => {
    const { registrar } = setUp(undefined, new FakeClock(), 1);
    expect(registrar.register(wish("sip:a@198.51.100.1"), UDP).status).toBe(200);
    const other = wish("sip:b@198.51.100.1", { aor: "bob@a.example" as AddressOfRecord });
    expect(registrar.register(other, UDP)).toEqual({ status: 503, phrase: "Too Many Users" });
    expect(registrar.register(wish("sip:c@198.51.100.1"), UDP).status).toBe(200);
  });

  it("leaves nothing behind, however many come and go", () => {
    const { registrar, clock } = setUp(undefined, new FakeClock(), 5000);
    for (let user = 0; user < 2000; user += 1) {
      const aor = `u${user}@a.example` as AddressOfRecord;
      registrar.register(wish(`sip:u${user}@x.invalid`, { aor, instance: `i${user}` }), flow(`f${user}`));
    }
    expect(registrar.all()).toHaveLength(2000);
    for (let user = 0; user < 1000; user += 1) registrar.closeFlow(`f${user}` as FlowId);
    for (let user = 0; user < 1000; user += 1) registrar.dropFlow(`f${user}` as FlowId);
    expect([registrar.size, registrar.counters.flowsLost]).toEqual([1000, 1000]);
    clock.advance(700_000);
    expect(registrar.size).toBe(0);
    expect(registrar.onFlow("f1500" as FlowId)).toEqual([]);
    registrar.close();
    expect(clock.pending).toBe(0);
  });
});

describe("the answer to a REGISTER", () => {
  const now = timestamp(1_700_000_000_000);

  it("names all bindings with the time that they have left", () => {
    const { registrar, clock } = setUp();
    registrar.register(wish("sip:a@x.invalid", { instance: "urn:uuid:1", q: 250 }), flow("f1"));
    const answer = registerAnswer({ status: 200, outbound: true }, registrar.bindings(ZOE), clock.now());
    expect(answer.headers.slice(0, 2)).toEqual([
      { name: "Contact", value: '<sip:a@x.invalid>;expires=600;q=0.25;+sip.instance="<urn:uuid:1>";reg-id=1' },
      { name: "Require", value: "outbound" },
    ]);
    expect(answer.headers.at(-1)?.name).toBe("Date");
  });

  it("says why not", () => {
    expect(registerAnswer({ status: 423, minExpires: 30 }, [], now)).toEqual({
      status: 423,
      phrase: "Interval Too Brief",
      headers: [{ name: "Min-Expires", value: "30" }],
    });
    expect(registerAnswer({ status: 503, phrase: "Too Many Users" }, [], now).headers).toEqual([
      { name: "Retry-After", value: "60" },
    ]);
    expect(registerAnswer({ status: 500, phrase: "Out Of Order" }, [], now).status).toBe(500);
  });
});
