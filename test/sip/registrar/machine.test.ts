import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { timestamp } from "../../../src/model/units.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { type AddressOfRecord, type Arrived, agentNameOf, type Binding } from "../../../src/sip/registrar/binding.js";
import {
  isSameUri,
  DEFAULT_REGISTRAR_LIMITS as LIMITS,
  type RegistrarStep,
  stepRegistrar,
} from "../../../src/sip/registrar/machine.js";
import { readRegister } from "../../../src/sip/registrar/register-request.js";
import type { FlowId, LocalPoint } from "../../../src/sip/transport/transport.js";
import { read } from "../harness.js";

const T0 = 1_700_000_000_000;
const at = (offset: number) => timestamp(T0 + offset);
const LOCAL: LocalPoint = { transport: "udp", address: "192.0.2.1", port: 5060 };
const UDP: Arrived = { transport: "udp", address: "198.51.100.1", port: 5070, local: LOCAL };
const flow = (id: string): Arrived => ({ ...UDP, transport: "wss", flow: id as FlowId });

function register(
  contacts: string[],
  over: { cseq?: number; callId?: string; expires?: string; extra?: string[] } = {},
) {
  const lines = [
    "REGISTER sip:a.example SIP/2.0",
    "Via: SIP/2.0/UDP 198.51.100.1:5070;branch=z9hG4bKr",
    "From: <sip:zoe@a.example>;tag=1",
    "To: <sip:z%6Fe@A.example;x=y>",
    `Call-ID: ${over.callId ?? "reg-1"}`,
    `CSeq: ${over.cseq ?? 1} REGISTER`,
    ...contacts.map((contact) => `Contact: ${contact}`),
    ...(over.expires === undefined ? [] : [`Expires: ${over.expires}`]),
    ...(over.extra ?? []),
    "Content-Length: 0",
  ];
  return read(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`)) as SipRequest;
}

function wish(...args: Parameters<typeof register>) {
  const reading = readRegister(register(...args));
  if (!reading.ok) throw new Error(reading.phrase);
  return reading.wish;
}

function step(
  before: readonly Binding[],
  asked: ReturnType<typeof wish>,
  how: { arrived?: Arrived; now?: number; until?: number } = {},
) {
  const { arrived = UDP, now = 0 } = how;
  const until = how.until === undefined ? undefined : at(how.until);
  const event = { kind: "register", wish: asked, arrived, now: at(now), until } as const;
  return stepRegistrar(before, event, LIMITS);
}

const contacts = ({ bindings }: RegistrarStep) => bindings.map(({ contact }) => contact);

describe("a REGISTER as it is read", () => {
  it("names its user in canonical form (§10.3 step 5)", () => {
    expect(wish(["<sip:zoe@198.51.100.1>"])).toMatchObject({ aor: "zoe@a.example", cseq: 1, outbound: false });
  });

  it("takes expires from the contact, then from the header, then leaves it open", () => {
    const read = wish(["<sip:a@198.51.100.1>;expires=60;q=0.5", "<sip:b@198.51.100.1>"], { expires: "120" });
    expect(read.contacts).toMatchObject([
      { expires: 60, q: 500 },
      { expires: 120, q: 1000 },
    ]);
    expect(wish(["<sip:a@198.51.100.1>"]).contacts).toMatchObject([{ expires: undefined }]);
  });

  it("takes instance and reg-id, and ignores a reg-id alone (RFC 5626 §6)", () => {
    const whole = wish(['<sip:a@x.invalid>;+sip.instance="<urn:uuid:1>";reg-id=2'], { extra: ["Supported: outbound"] });
    expect(whole).toMatchObject({ outbound: true, contacts: [{ instance: "urn:uuid:1", regId: 2 }] });
    expect(wish(["<sip:a@x.invalid>;reg-id=2"]).contacts).toEqual([
      { uri: "sip:a@x.invalid", q: 1000, expires: undefined },
    ]);
  });

  it.each([
    ["* without Expires", ["*"], {}],
    ["* with a time", ["*"], { expires: "60" }],
    ["* and another", ["*", "<sip:a@x.example>"], { expires: "0" }],
    ["a scheme that it cannot send to", ["<tel:1234>"], {}],
    ["sips", ["<sips:a@x.example>"], {}],
    ["a URI with headers", ["<sip:a@x.example?Subject=x>"], {}],
    ["a q above 1", ["<sip:a@x.example>;q=1.5"], {}],
    ["two flows at once", ['<sip:a@x.example>;+sip.instance="<u>";reg-id=1', "<sip:b@x.example>"], {}],
    ["too many contacts", Array.from({ length: 17 }, (_, index) => `<sip:a${index}@x.example>`), {}],
  ])("is refused: %s", (_name, given, over) => {
    expect(readRegister(register(given, over))).toMatchObject({ ok: false, status: 400 });
  });

  it("has to name a user, without tricks", () => {
    for (const to of ["<sip:a.example>", "<sip:a%00@a.example>", "<sip:a%40b@a.example>", "<sip:%E0@a.example>"]) {
      const text = register(["<sip:a@x.example>"])
        .toBuffer()
        .toString()
        .replace(/To: .*/, `To: ${to}`);
      expect(readRegister(read(Buffer.from(text)) as SipRequest).ok).toBe(false);
    }
  });
});

describe("the bindings of a user (§10.3)", () => {
  it("are made, refreshed, asked for and taken away", () => {
    const made = step([], wish(["<sip:zoe@198.51.100.1>"], { expires: "600" }));
    expect(made.answer).toEqual({ status: 200, outbound: false });
    expect(made.bindings).toMatchObject([{ expires: at(600_000), since: at(0), cseq: 1 }]);
    const again = step(made.bindings, wish(["<sip:zoe@198.51.100.1>"], { cseq: 2 }), { now: 1000 });
    expect(again.bindings).toMatchObject([{ expires: at(601_000), since: at(0), updated: at(1000), cseq: 2 }]);
    const asked = step(again.bindings, wish([], { cseq: 3 }));
    expect(asked).toEqual({ bindings: again.bindings, answer: { status: 200, outbound: false } });
    const gone = step(again.bindings, wish(["<sip:zoe@198.51.100.1>;expires=0"], { cseq: 4 }));
    expect(gone).toEqual({ bindings: [], answer: { status: 200, outbound: false } });
  });

  it("are bounded in time: 423 below the least, less than asked above the most", () => {
    const brief = step([], wish(["<sip:zoe@198.51.100.1>;expires=5"]));
    expect(brief).toEqual({ bindings: [], answer: { status: 423, minExpires: LIMITS.minExpires } });
    const long = step([], wish(["<sip:zoe@198.51.100.1>;expires=999999"]));
    expect(long.bindings[0]?.expires).toBe(at(LIMITS.maxExpires * 1000));
  });

  it("end with the credentials that proved them, and live on with others", () => {
    const asked = (cseq: number) => wish(["<sip:zoe@198.51.100.1>;expires=600"], { cseq });
    const first = step([], asked(1), { until: 45_000 });
    expect(first.answer).toEqual({ status: 200, outbound: false });
    expect(first.bindings[0]?.expires).toBe(at(45_000));
    // Shorter than the least that may be asked for.
    const late = step(first.bindings, asked(2), { now: 40_000, until: 45_000 });
    expect(late).toMatchObject({ answer: { status: 200 }, bindings: [{ expires: at(45_000) }] });
    const renewed = step(late.bindings, asked(3), { now: 41_000, until: 900_000 });
    expect(renewed.bindings[0]?.expires).toBe(at(641_000));
    expect(step(late.bindings, wish([]), { now: 45_000 }).bindings).toEqual([]);
  });

  it("do not change by a request that was overtaken, nor by half of one", () => {
    const one = step([], wish(["<sip:a@198.51.100.1>"], { cseq: 5 })).bindings;
    const late = step(one, wish(["<sip:b@198.51.100.1>", "<sip:a@198.51.100.1>"], { cseq: 5 }));
    expect(late).toEqual({ bindings: one, answer: { status: 500, phrase: "Out Of Order" } });
    expect(step(one, wish(["*"], { cseq: 4, expires: "0" })).bindings).toEqual(one);
    expect(step(one, wish(["*"], { cseq: 6, expires: "0" })).bindings).toEqual([]);
    expect(step(one, wish(["*"], { cseq: 1, callId: "other", expires: "0" })).bindings).toEqual([]);
    const brief = step(one, wish(["<sip:b@198.51.100.1>", "<sip:c@198.51.100.1>;expires=1"], { cseq: 6 }));
    expect(brief.bindings).toEqual(one);
  });

  it("are of an instance and flow, whatever the contact (RFC 5626 §6)", () => {
    const contact = (host: string) => [`<sip:x@${host}.invalid>;+sip.instance="<urn:uuid:1>";reg-id=1`];
    const supported = { extra: ["Supported: outbound"] };
    const first = step([], wish(contact("one"), supported), { arrived: flow("f1") });
    expect(first.answer).toEqual({ status: 200, outbound: true });
    const next = step(first.bindings, wish(contact("two"), { ...supported, callId: "new" }), { arrived: flow("f2") });
    expect(next.bindings).toMatchObject([{ contact: "sip:x@two.invalid", arrived: { flow: "f2" } }]);
    // The old connection closes after the new one is there: nothing of it is left to go.
    expect(
      stepRegistrar(next.bindings, { kind: "flowLost", flow: "f1" as FlowId, now: at(1) }, LIMITS).bindings,
    ).toHaveLength(1);
    expect(
      stepRegistrar(next.bindings, { kind: "flowLost", flow: "f2" as FlowId, now: at(1) }, LIMITS).bindings,
    ).toEqual([]);
  });

  it("are at most so many", () => {
    const many = Array.from({ length: LIMITS.bindings }, (_, index) => `<sip:a${index}@198.51.100.1>`);
    const full = step([], wish(many)).bindings;
    const more = step(full, wish(["<sip:more@198.51.100.1>"], { cseq: 2 }));
    expect(more).toEqual({ bindings: full, answer: { status: 403, phrase: "Too Many Registrations" } });
    expect(step(full, wish(["<sip:a1@198.51.100.1>"], { cseq: 2 })).answer?.status).toBe(200);
  });

  it("run out", () => {
    const one = step([], wish(["<sip:a@198.51.100.1>;expires=60"])).bindings;
    expect(stepRegistrar(one, { kind: "sweep", now: at(59_999) }, LIMITS).bindings).toEqual(one);
    expect(stepRegistrar(one, { kind: "sweep", now: at(60_000) }, LIMITS).bindings).toEqual([]);
  });

  it("hold to their rules, whatever comes in whatever order", () => {
    const event = fc.record({
      contacts: fc.array(
        fc.record({ name: fc.constantFrom("a", "b", "c"), expires: fc.constantFrom(undefined, 0, 10, 60, 5000) }),
        { maxLength: 3 },
      ),
      instance: fc.option(fc.constantFrom("i1", "i2"), { nil: undefined }),
      callId: fc.constantFrom("one", "two"),
      cseq: fc.integer({ min: 1, max: 6 }),
      flow: fc.option(fc.constantFrom("f1", "f2"), { nil: undefined }),
      pause: fc.integer({ min: 0, max: 90_000 }),
      what: fc.constantFrom("register", "register", "register", "all", "lost", "sweep"),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let bindings: readonly Binding[] = [];
        let now = 0;
        for (const one of events) {
          now += one.pause;
          const { expected, next } = play(bindings, one, now);
          for (const binding of next.bindings) {
            expect(binding.expires).toBeGreaterThan(at(now));
            expect(binding.expires).toBeLessThanOrEqual(at(now) + LIMITS.maxExpires * 1000);
            expect(binding.aor).toBe("zoe@a.example" as AddressOfRecord);
          }
          expect(next.bindings.length).toBeLessThanOrEqual(LIMITS.bindings);
          const names = next.bindings.map((binding) => `${agentNameOf(binding)} ${binding.regId ?? binding.contact}`);
          expect(new Set(names).size).toBe(names.length);
          expect(expected(next)).toBe(true);
          bindings = next.bindings;
        }
      }),
    );
  });
});

interface Played {
  contacts: { name: string; expires: number | undefined }[];
  instance: string | undefined;
  callId: string;
  cseq: number;
  flow: string | undefined;
  what: string;
}

/** Does one of them, and says what must be true after it. */
function play(before: readonly Binding[], one: Played, now: number) {
  if (one.what === "sweep") {
    const next = stepRegistrar(before, { kind: "sweep", now: at(now) }, LIMITS);
    return { next, expected: ({ answer }: RegistrarStep) => answer === undefined };
  }
  if (one.what === "lost") {
    const lost = (one.flow ?? "f1") as FlowId;
    const next = stepRegistrar(before, { kind: "flowLost", flow: lost, now: at(now) }, LIMITS);
    return { next, expected: ({ bindings }: RegistrarStep) => bindings.every(({ arrived }) => arrived.flow !== lost) };
  }
  const who = one.instance === undefined ? "" : `;+sip.instance="<${one.instance}>";reg-id=1`;
  const given = one.contacts.slice(0, one.instance === undefined ? 3 : 1);
  const said = given.map(({ name, expires }) => {
    return `<sip:${name}@x.invalid>${who}${expires === undefined ? "" : `;expires=${expires}`}`;
  });
  const { callId, cseq } = one;
  const asked = one.what === "all" ? wish(["*"], { callId, cseq, expires: "0" }) : wish(said, { callId, cseq });
  const arrived = one.flow === undefined ? UDP : flow(one.flow);
  const next = step(before, asked, { arrived, now });
  const live = before.filter(({ expires }) => expires > at(now));
  const expected = ({ answer, bindings }: RegistrarStep): boolean => {
    if (answer?.status !== 200) return JSON.stringify(bindings) === JSON.stringify(live);
    if (one.what === "all") return bindings.length === 0;
    const last = new Map(given.map(({ name, expires }) => [name, expires]));
    if (one.instance !== undefined)
      return (
        given.length === 0 || bindings.some(({ instance }) => instance === one.instance) === (given[0]?.expires !== 0)
      );
    return [...last].every(([name, expires]) => {
      return (
        bindings.some((it) => it.contact === `sip:${name}@x.invalid` && it.regId === undefined) === (expires !== 0)
      );
    });
  };
  return { next, expected };
}

describe("URI comparison (§19.1.4)", () => {
  it.each([
    ["sip:a@x.example", "sip:a@X.example", true],
    ["sip:a@x.example;foo=1", "sip:a@x.example", true],
    ["sip:a@x.example;foo=1", "sip:a@x.example;foo=2", false],
    ["sip:a@x.example;transport=tcp", "sip:a@x.example", false],
    ["sip:a@x.example;transport=TCP", "sip:a@x.example;transport=tcp", true],
    ["sip:a@x.example:5060", "sip:a@x.example", false],
    ["sip:A@x.example", "sip:a@x.example", false],
    ["sip:a@x.example", "nonsense", false],
  ])("%s and %s: %s", (one, other, same) => {
    expect(isSameUri(one, other)).toBe(same);
    expect(isSameUri(other, one)).toBe(same);
  });
});

it("contacts are kept as written", () => {
  expect(contacts(step([], wish(["<sip:zoe@198.51.100.1;x=Y>"])))).toEqual(["sip:zoe@198.51.100.1;x=Y"]);
});
