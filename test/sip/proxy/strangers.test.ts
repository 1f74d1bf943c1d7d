/** What somebody can have a proxy do who has no business with it: made-up dialogs, borrowed names, and ways to elsewhere. */
import { describe, expect, it, vi } from "vitest";
import { parsePrefix } from "../../../src/model/ip.js";
import { responseTo } from "../../../src/sip/message/build.js";
import { SipRequest, type SipResponse } from "../../../src/sip/message/message.js";
import type { RoutingTable } from "../../../src/sip/proxy/options.js";
import { settle } from "../../support/fake-clock.js";
import { ALICE, BOB, Lab, nameOf, PROXY, type RequestParts, requestText, SDP } from "../harness.js";
import { REALM, UsersBench } from "./users-bench.js";

const HOP = { address: "192.0.2.77", port: 5060, transport: "udp" } as const;
const bobUri = `sip:bob@${BOB.address}:${BOB.port}`;
const OUTSIDE = ["MESSAGE", "NOTIFY", "REFER", "INVITE", "UPDATE", "INFO", "PRACK", "SUBSCRIBE", "OPTIONS", "REGISTER"];

/** In the name of a user of the bench. */
const inName = (name: string, parts: RequestParts) =>
  requestText(parts).replace("alice@example.net", name.includes("@") ? name : `${name}@${REALM}`);

const answers = (lab: Lab): string[] =>
  lab.transport.sent
    .filter(({ message, remote }) => message.kind === "response" && remote.address === ALICE.address)
    .map(({ message }) => nameOf(message))
    .filter((name) => name !== "100");

describe("a To tag that somebody made up", () => {
  it.each(OUTSIDE)("makes no dialog: %s reaches nobody, whatever From says, and no policy is asked", async (method) => {
    const bench = new UsersBench({ always: true });
    const max = await bench.browser("max");
    max.heard();
    const body = method === "INVITE" ? SDP : "";
    const text = inName("zoe", { method, uri: `sip:max@${REALM}`, toTag: "made-up", callId: "x", body });
    bench.lab.transport.inject(text, ALICE);
    await settle();
    expect([answers(bench.lab), max.heard(), bench.contexts.size]).toEqual([["481"], [], 0]);
    expect(bench.lab.core.counters).toMatchObject({ unknownDialogs: 1, rejected: 1 });
  });

  it("lets a registered connection speak in no other's name either, also with a BYE", async () => {
    const bench = new UsersBench();
    const [eve, max] = [await bench.browser("eve"), await bench.browser("max")];
    max.heard();
    const uri = `sip:max@${REALM}`;
    eve.say("MESSAGE", { uri, from: "zoe", toTag: "x", callId: "q" });
    await settle();
    expect((eve.last() as SipResponse).status).toBe(481);
    eve.say("BYE", { uri, from: "zoe", toTag: "x", callId: "q" });
    await settle();
    expect([(eve.last() as SipResponse).phrase, max.heard()]).toEqual(["From Is Another's", []]);
  });

  it("of a call that rings is none of it, nor is one that the policy refused, nor one without an answer", async () => {
    const lab = new Lab();
    let cseq = 1;
    const ask = async (callId: string, toTag: string) => {
      cseq += 1;
      await lab.alice({ method: "INFO", callId, toTag, uri: bobUri, cseq });
      return answers(lab).at(-1);
    };
    await lab.alice({ method: "INVITE", callId: "c1", body: SDP, branch: "z9hG4bK-c1" });
    expect(await ask("c1", "b1")).toBe("481");
    await lab.bobAnswers(lab.toBob("INVITE"), 180);
    expect(await ask("c1", "other")).toBe("481");
    await ask("c1", "b1");
    expect(lab.toBob("INFO").callId).toBe("c1");
    const refusing = new Lab({ invite: async () => ({ forward: false, status: 403, phrase: "No" }) });
    await refusing.alice({ method: "INVITE", body: SDP });
    await refusing.alice({ method: "INFO", toTag: "b1", uri: bobUri, cseq: 2 });
    expect(answers(refusing)).toEqual(["403", "481"]);
  });

  it("asks for a BYE to be proven, and not for an ACK, which goes to a known place or nowhere", async () => {
    const bench = new UsersBench({ always: true });
    const say = async (method: string, uri: string) => {
      const text = inName("zoe", { method, uri, toTag: "x", branch: `z9hG4bK-${uri.length}` });
      bench.lab.transport.inject(text, ALICE);
      await settle();
    };
    await say("BYE", bobUri);
    expect(answers(bench.lab)).toEqual(["407"]);
    await say("ACK", "sip:x@10.0.0.9:22;transport=tcp");
    await say("ACK", bobUri);
    const acks = bench.lab.transport.sent.filter(({ message }) => nameOf(message) === "ACK");
    expect(acks.map(({ remote }) => remote.address)).toEqual([BOB.address]);
    expect(bench.lab.core.counters).toMatchObject({ unknownDialogs: 3, notRelayed: 1 });
  });
});

describe("a dialog of registered users", () => {
  const talk = async () => {
    const bench = new UsersBench();
    const [zoe, max, eve] = [await bench.browser("zoe"), await bench.browser("max"), await bench.browser("eve")];
    await zoe.call(`sip:max@${REALM}`);
    await max.accept();
    for (const one of [zoe, max, eve]) one.heard();
    return { bench, zoe, max, eve };
  };
  const asCaller = { toTag: "m1", fromTag: "w1", from: "zoe", cseq: 90 };
  const asCallee = { toTag: "w1", fromTag: "m1", from: "max", cseq: 90 };

  it("is open to its parties' connections alone, on both sides", async () => {
    const { bench, zoe, max, eve } = await talk();
    const strangers = [
      () => eve.say("INFO", { uri: max.contact, ...asCaller }),
      () => eve.say("BYE", { uri: zoe.contact, ...asCallee }),
      // Each in the other's place.
      () => max.say("INFO", { uri: max.contact, ...asCaller }),
      () => zoe.say("INFO", { uri: zoe.contact, ...asCallee }),
      () =>
        bench.lab.transport.inject(
          inName("zoe", { method: "BYE", uri: max.contact, fromTag: "w1", toTag: "m1", callId: "web-1", cseq: 91 }),
          ALICE,
        ),
    ];
    for (const say of strangers) {
      say();
      await settle();
    }
    expect(answers(bench.lab)).toEqual(["403"]);
    expect([zoe, max, eve].map((one) => one.heard())).toEqual([["403"], ["403"], ["403", "403"]]);
    expect(bench.lab.core.users?.counters.impostors).toBe(5);
    expect([bench.ended, bench.lab.core.liveDialogs]).toEqual([[], 1]);
    zoe.say("INFO", { uri: max.contact, ...asCaller, cseq: 92 });
    max.say("INFO", { uri: zoe.contact, ...asCallee, cseq: 92 });
    await settle();
    expect([zoe.heard(), max.heard()]).toEqual([["INFO"], ["INFO"]]);
  });

  it("stays with a telephone's side that has no connection", async () => {
    const bench = new UsersBench();
    const [zoe, eve] = [await bench.browser("zoe"), await bench.browser("eve")];
    await zoe.call(`sip:bob@${REALM}`);
    await bench.lab.bobAnswers(bench.lab.toBob("INVITE"), 200, { body: SDP });
    eve.heard();
    eve.say("BYE", { uri: zoe.contact, fromTag: "b1", toTag: "w1", from: "bob", cseq: 5 });
    await settle();
    expect(eve.heard()).toEqual(["403"]);
    zoe.heard();
    await bench.lab.bob({ method: "BYE", callId: "web-1", toTag: "w1", uri: zoe.contact });
    expect(zoe.heard()).toEqual(["BYE"]);
  });
});

describe("a way to elsewhere", () => {
  const ELSEWHERE = "10.0.0.9";
  const went = (lab: Lab) => lab.transport.sent.filter(({ message }) => message.kind === "request");
  const table: RoutingTable = {
    domains: [REALM],
    users: new Map([["bob", { host: BOB.address, port: BOB.port }]]),
    routes: new Map([["far.example", { host: HOP.address, port: undefined }]]),
  };
  const route = (to: string) => ({ uri: "sip:x@nowhere.example", extra: [`Route: <${to};lr>`] });

  it.each([
    ["MESSAGE", route(`sip:${ELSEWHERE}:6379;transport=tcp`)],
    ["OPTIONS", route(`sip:127.0.0.1:11211`)],
    ["INVITE", route(`sip:${ELSEWHERE}`)],
    ["MESSAGE", route(`sip:${HOP.address}:22;transport=tcp`)],
    ["MESSAGE", { uri: "sip:x@nowhere.example", extra: [`Route: <sip:${ELSEWHERE}>`] }],
    ["BYE", { toTag: "x", uri: `sip:x@${ELSEWHERE}:22;transport=tcp` }],
    ["BYE", { toTag: "x", ...route(`sip:${ELSEWHERE}`) }],
  ])("is not taken: %s %j", async (method, parts) => {
    const lab = new Lab({}, { table }, [PROXY, { ...PROXY, transport: "tcp" }]);
    await lab.alice({ method, body: "\r\nFLUSHALL\r\n", ...parts });
    expect([answers(lab), went(lab)]).toEqual([["403"], []]);
    expect(lab.core.counters.notRelayed).toBe(1);
  });

  it.each([
    ["a hop of the table", { ...route(`sip:${HOP.address}`) }, HOP.address],
    ["a place of the table", { ...route(`sip:${BOB.address}:${BOB.port}`) }, BOB.address],
    ["a domain of the table", { ...route("sip:proxy.far.example"), uri: "sip:x@far.example", extra: [] }, HOP.address],
  ])("leads to %s", async (_name, parts, address) => {
    const lab = new Lab({}, { table });
    await lab.alice({ method: "MESSAGE", ...parts });
    expect(went(lab).map(({ remote }) => remote.address)).toEqual([address]);
  });

  it("is not in a dialog's Routes either, though the dialog is known: only what its parties have named is", async () => {
    const lab = new Lab({}, { table });
    await lab.alice({ method: "INVITE", body: SDP });
    const contact = [{ name: "Contact", value: "<sip:bob@203.0.113.200:5999>" }];
    const invite = lab.toBob("INVITE");
    await lab.bobAnswers(invite, 183, { headers: [] });
    await lab.alice({ method: "PRACK", cseq: 2, toTag: "b1", uri: bobUri });
    await lab.bobAnswers(lab.toBob("PRACK"), 200, { headers: contact });
    await lab.alice({ method: "INFO", cseq: 3, toTag: "b1", uri: bobUri, extra: [`Route: <sip:${ELSEWHERE};lr>`] });
    await lab.alice({ method: "INFO", cseq: 4, toTag: "b1", uri: `sip:x@${ELSEWHERE}` });
    expect(answers(lab).slice(-2)).toEqual(["403", "403"]);
    expect(went(lab).map(({ message }) => nameOf(message))).toEqual(["INVITE", "PRACK"]);
    // The caller's Contact stands in no table.
    await lab.bobAnswers(invite, 200, { body: SDP });
    await lab.bob({ method: "INFO", uri: `sip:agent@${ALICE.address}:${ALICE.port}` });
    expect(went(lab).at(-1)?.remote).toEqual(ALICE);
  });

  it("leads to what a party has named, from its first provisional on, and to what it names anew", async () => {
    const lab = new Lab({}, { table });
    await lab.alice({ method: "INVITE", body: SDP, uri: "sip:x@far.example" });
    const answer = async (method: string, status: number, contact: string) => {
      const request = went(lab).findLast(({ message }) => nameOf(message) === method)?.message as SipRequest;
      const headers = [{ name: "Contact", value: `<${contact}>` }];
      lab.transport.inject(responseTo(request, status, { toTag: "f1", headers }).toBuffer(), HOP);
      await settle();
    };
    const [early, later] = ["sip:x@203.0.113.200:5999", "sip:x@203.0.113.201"];
    await answer("INVITE", 183, early);
    await lab.alice({ method: "PRACK", cseq: 2, toTag: "f1", uri: early });
    await answer("INVITE", 200, early);
    await lab.alice({ method: "UPDATE", cseq: 3, toTag: "f1", uri: later });
    expect(answers(lab).at(-1)).toBe("403");
    await lab.alice({ method: "UPDATE", cseq: 4, toTag: "f1", uri: early });
    await answer("UPDATE", 200, later);
    await lab.alice({ method: "INFO", cseq: 5, toTag: "f1", uri: later });
    const places = went(lab).map(({ message, remote }) => [nameOf(message), remote.address, remote.port]);
    expect(places.slice(1)).toEqual([
      ["PRACK", "203.0.113.200", 5999],
      ["UPDATE", "203.0.113.200", 5999],
      ["INFO", "203.0.113.201", 5060],
    ]);
  });

  it.each([
    ["sip:x@public.example", "20.0.0.1", "MESSAGE"],
    ["sip:x@private.example", ELSEWHERE, "403"],
    ["sip:x@lab.example", "10.9.0.1", "MESSAGE"],
    ["sip:x@20.0.0.1", "", "MESSAGE"],
    ["sip:x@[2600::1]", "", "503"],
    ["sip:x@127.0.0.1:6379", "", "403"],
    ["sip:x@[::1]", "", "403"],
    ["sip:x@[2002:a00:9::1]", "", "403"],
  ])("by the DNS is public, or among the prefixes: %s at %j: %s", async (uri, address, expected) => {
    const dnsPrefixes = [parsePrefix("10.9.0.0/16")].filter((prefix) => prefix !== undefined);
    const resolver = async () => ({ address, port: 5060 });
    for (const parts of [{ uri }, { uri: "sip:x@nowhere.example", extra: [`Route: <${uri};lr>`] }]) {
      const lab = new Lab({}, { table: { ...table, dns: true, dnsPrefixes }, resolver });
      await lab.alice({ method: "MESSAGE", ...parts });
      expect(lab.transport.sent.map(({ message }) => nameOf(message))).toEqual([expected]);
      expect(lab.core.counters.notRelayed).toBe(expected === "403" ? 1 : 0);
    }
  });
});

describe("Route entries of this proxy", () => {
  const padding = "x".repeat(900);
  const ask = async (count: number) => {
    const lab = new Lab();
    const lists = vi.spyOn(SipRequest.prototype, "headerList");
    const edits = vi.spyOn(SipRequest.prototype, "removeTopRoute");
    const extra = Array.from({ length: count }, () => `Route: <sip:${PROXY.address}:${PROXY.port};lr;a=${padding}>`);
    await lab.alice({ method: "MESSAGE", extra });
    const work = [lists.mock.calls.filter(([name]) => name === "route").length, edits.mock.calls.length];
    vi.restoreAllMocks();
    return { lab, work };
  };

  it("may be four; more are refused, and cost no more", async () => {
    const four = await ask(4);
    expect(four.lab.toBob("MESSAGE").routes).toEqual([]);
    const [few, many] = [await ask(5), await ask(60)];
    expect([answers(few.lab), answers(many.lab)]).toEqual([["400"], ["400"]]);
    expect(many.work).toEqual(few.work);
    expect([four.work[1], many.work[1]]).toEqual([4, 0]);
  });
});

describe("a From of another domain", () => {
  it("comes from where the table has that domain, from any port, or not at all", async () => {
    const bench = new UsersBench({ always: true });
    const max = await bench.browser("max");
    max.heard();
    const invite = (callId: string) =>
      inName("bob@far.example", { method: "INVITE", callId, branch: `z9hG4bK-${callId}`, uri: `sip:max@${REALM}` });
    bench.lab.transport.inject(invite("c1"), ALICE);
    await settle();
    expect([answers(bench.lab), max.heard()]).toEqual([["403"], []]);
    expect(bench.lab.core.counters.misplaced).toBe(1);
    bench.lab.transport.inject(invite("c2"), { ...HOP, port: 40_000 });
    await settle();
    expect(max.heard()).toEqual(["INVITE"]);
  });

  it("is not looked at where the table has none, a name only, or the rest of the world", async () => {
    const routes = new Map([
      ["far.example", { host: "sip.far.example", port: undefined }],
      ["*", { host: HOP.address, port: undefined }],
    ]);
    const users = new Map([["bob", { host: BOB.address, port: BOB.port }]]);
    const lab = new Lab({}, { table: { domains: [REALM], users, routes } });
    for (const [at, name] of ["x@far.example", "y@third.example"].entries()) {
      lab.transport.inject(inName(name, { method: "MESSAGE", callId: `c${at}`, branch: `z9hG4bK${at}` }), ALICE);
      await settle();
      expect(lab.toBob("MESSAGE").callId).toBe(`c${at}`);
    }
  });
});

describe("what only servers may say (RFC 3325 §5)", () => {
  const GRANT = "0;phb=EF;result=granted;by=made-up";
  const said = [
    `P-Asserted-Identity: <sip:bank@${REALM}>`,
    `Sluice-Granted: ${GRANT}`,
    "P-Preferred-Identity: <sip:a@b>",
  ];
  const seen = (message: { header(name: string): string | undefined }) =>
    ["p-asserted-identity", "sluice-granted", "p-preferred-identity"].map((name) => message.header(name) !== undefined);

  it("is taken from users' requests and answers, and stays if a hop of the table says it", async () => {
    const policy = {
      response: async () => ({ forward: true, addHeaders: [{ name: "Sluice-Granted", value: "ours" }] }) as const,
    };
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE", body: SDP, extra: said });
    expect(seen(lab.toBob("INVITE"))).toEqual([false, false, true]);
    const headers = [{ name: "Sluice-Granted", value: GRANT }];
    await lab.bobAnswers(lab.toBob("INVITE"), 200, { body: SDP, headers });
    const ok = lab.transport.sent.findLast(({ message }) => nameOf(message) === "200");
    expect(ok?.message.headerLines("sluice-granted")).toEqual(["ours"]);
    const far = new Lab(policy);
    far.transport.inject(inName("x@far.example", { method: "INVITE", body: SDP, extra: said, from: HOP }), HOP);
    await settle();
    expect(seen(far.toBob("INVITE"))).toEqual([true, true, true]);
    const out = new Lab(policy);
    await out.alice({ method: "INVITE", body: SDP, uri: "sip:x@far.example" });
    const invite = out.transport.sent.findLast(({ remote }) => remote.address === HOP.address)?.message as SipRequest;
    const answer = [
      "SIP/2.0 200 OK",
      ...invite.headerLines("via").map((via) => `Via: ${via}`),
      `From: ${invite.header("from")}`,
      `To: ${invite.header("to")};tag=f1`,
      `Call-ID: ${invite.callId}`,
      `CSeq: ${invite.header("cseq")}`,
      `Contact: <sip:x@${HOP.address}>`,
      "Sluice-Granted: theirs",
      "Content-Length: 0",
    ];
    out.transport.inject(`${answer.join("\r\n")}\r\n\r\n`, HOP);
    await settle();
    const passed = out.transport.sent.findLast(({ message }) => nameOf(message) === "200");
    expect(passed?.message.headerLines("sluice-granted")).toEqual(["theirs", "ours"]);
  });

  it("is not the caller's to pass on by its ACK: a proxy that has to stay in a direct dialog says it itself", async () => {
    const bench = new UsersBench({
      policy: {
        invite: async () => ({ forward: true, direct: true }),
        response: async () => ({ forward: true, addHeaders: [{ name: "Sluice-Granted", value: "ours" }] }),
      },
    });
    const zoe = await bench.browser("zoe");
    await zoe.call(`sip:bob@${REALM}`);
    await bench.lab.bobAnswers(bench.lab.toBob("INVITE"), 200, { body: SDP });
    const { cseq } = bench.lab.toBob("INVITE");
    zoe.say("ACK", { uri: bobUri, toTag: "b1", cseq: cseq?.number ?? 0, extra: [`Sluice-Granted: ${GRANT}`] });
    await settle();
    expect(bench.lab.toBob("ACK").headerLines("sluice-granted")).toEqual(["ours"]);
  });
});
