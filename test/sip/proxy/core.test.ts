import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { responseTo } from "../../../src/sip/message/build.js";
import { DEFAULT_MESSAGE_LIMITS as limits } from "../../../src/sip/message/limits.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { formatVia } from "../../../src/sip/message/via.js";
import { ALICE, BOB, Lab, PROXY, requestText, SDP } from "../harness.js";

const self = `<sip:${PROXY.address}:${PROXY.port};lr>`;
const bobUri = `sip:bob@${BOB.address}:${BOB.port}`;

describe("request validation (RFC 3261 §16.3)", () => {
  const status = async (text: string): Promise<string[]> => {
    const lab = new Lab();
    lab.transport.inject(text, ALICE);
    return lab.names();
  };
  const invite = requestText({ method: "INVITE" });

  it.each([
    ["a version of its own", invite.replace("bob@example.com SIP/2.0", "bob@example.com SIP/3.0"), "505>alice"],
    ["a bad header", invite.replace("Contact:", "Con tact:"), "400>alice"],
    ["a scheme it cannot route", invite.replace("INVITE sip:", "INVITE tel:"), "416>alice"],
    ["sips", invite.replace("INVITE sip:", "INVITE sips:"), "416>alice"],
    ["no hop left", invite.replace("Max-Forwards: 70", "Max-Forwards: 0"), "483>alice"],
    ["an unknown user", invite.replace("sip:bob@example.com SIP", "sip:eve@example.com SIP"), "404>alice"],
    ["no route", requestText({ method: "MESSAGE", uri: "sip:x@nowhere.example" }), "404>alice"],
    ["a required extension", requestText({ method: "BYE", extra: ["Proxy-Require: foo"] }), "420>alice"],
    ["REGISTER", requestText({ method: "REGISTER", uri: "sip:example.com" }), "501>alice"],
    ["OPTIONS to the proxy", requestText({ method: "OPTIONS", uri: `sip:${PROXY.address}` }), "200>alice"],
    ["OPTIONS at its last hop", requestText({ method: "OPTIONS" }).replace(": 70", ": 0"), "200>alice"],
  ])("answers %s", async (_name, text, expected) => {
    expect((await status(text)).filter((name) => name !== "100>alice")).toEqual([expected]);
  });

  it("answers 513 to a request above the limit, and drops twice that", async () => {
    const lab = new Lab({}, { limits: { message: { ...limits, messageOctets: 600 } } });
    lab.transport.inject(requestText({ method: "INVITE", body: "x".repeat(300) }), ALICE);
    expect(await lab.names()).toEqual(["513>alice"]);
    lab.transport.inject(requestText({ method: "INVITE", body: "x".repeat(3000) }), ALICE);
    expect(await lab.names()).toEqual([]);
    expect(lab.core.counters).toMatchObject({ received: 2, rejected: 1, unreadable: 1 });
  });

  it("never answers what has no Via, an ACK, a response, or a keep-alive", async () => {
    const lab = new Lab();
    lab.transport.inject(invite.replace(/Via.*\r\n/, ""), ALICE);
    lab.transport.inject(requestText({ method: "ACK" }).replace("From:", "Fro m:"), ALICE);
    lab.transport.inject("SIP/2.0 200 OK\r\nVia: nonsense\r\n\r\n", ALICE);
    lab.transport.inject("\r\n\r\n", ALICE);
    lab.transport.inject(Buffer.alloc(0), ALICE);
    expect(await lab.names()).toEqual([]);
  });

  it("drops stray responses (RFC 6026 §8.9), with our Via or another's", async () => {
    const lab = new Lab();
    await lab.alice({ method: "INVITE" });
    await lab.flush();
    const forged = lab.toBob("INVITE").removeTopVia().prependVia(formatVia(PROXY, "z9hG4bKguess"));
    await lab.bobAnswers(forged, 200);
    await lab.bobAnswers(forged.removeTopVia().prependVia(formatVia(BOB, "z9hG4bKx")), 200);
    expect(await lab.names()).toEqual([]);
    expect(lab.core.counters.stray).toBe(2);
  });

  it("finds a loop, lets a spiral pass", async () => {
    const lab = new Lab();
    const message = { method: "MESSAGE", uri: "sip:x@far.example" };
    await lab.alice(message);
    const first = (await lab.flush())[0]?.message as SipRequest;
    lab.transport.inject(first.toBuffer(), { address: "192.0.2.77", port: 5060, transport: "udp" });
    expect(await lab.names()).toEqual(["482>192.0.2.77"]);
    lab.transport.inject(
      first.replaceRequestUri("sip:y@far.example").prependVia("SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK-y").toBuffer(),
      {
        address: "192.0.2.77",
        port: 5060,
        transport: "udp",
      },
    );
    expect((await lab.flush())[0]?.message.startLine).toBe("MESSAGE sip:y@far.example SIP/2.0");
  });

  it("refuses the same call by another way", async () => {
    const lab = new Lab();
    await lab.alice({ method: "INVITE" });
    await lab.alice({ method: "INVITE", branch: "z9hG4bK-other-way" });
    expect(await lab.names()).toEqual(["100>alice", "INVITE>bob", "100>alice", "482>alice"]);
  });
});

describe("limits", () => {
  it("answers 503 when transactions run out, and lets BYE and CANCEL through", async () => {
    const lab = new Lab({}, { limits: { transactions: 4 } });
    await lab.alice({ method: "INVITE" });
    await lab.alice({ method: "INFO", cseq: 2, toTag: "b1", uri: bobUri });
    await lab.flush();
    await lab.alice({ method: "INFO", cseq: 3, toTag: "b1", uri: bobUri });
    const [refused] = await lab.flush();
    expect(refused?.message.startLine).toContain("503");
    expect(refused?.message.header("retry-after")).toBe("5");
    expect(lab.core.counters.overloaded).toBe(1);
  });

  it("answers 503 when sessions run out", async () => {
    const lab = new Lab({}, { limits: { dialogs: 1 } });
    await lab.alice({ method: "INVITE" });
    await lab.alice({ method: "INVITE", callId: "call-2", branch: "z9hG4bK-two" });
    expect((await lab.names()).at(-1)).toBe("503>alice");
  });

  it("forget() drops a session without asking", async () => {
    const lab = new Lab();
    await lab.callUp();
    const session = lab.events[0]?.session;
    if (session === undefined) throw new Error("no session");
    lab.core.forget(session);
    expect(lab.core.liveDialogs).toBe(0);
  });
});

describe("routing (RFC 3261 §16.4 to §16.6)", () => {
  /** Knows the hop of the Routes below. */
  const withHop = () => {
    const routes = new Map([["hop.example", { host: "192.0.2.50", port: 5090 }]]);
    const users = new Map([["bob", { host: BOB.address, port: BOB.port }]]);
    return new Lab({}, { table: { domains: ["example.com"], users, routes } });
  };

  it("removes itself from Route and follows the next loose one", async () => {
    const lab = withHop();
    const extra = [`Route: ${self}, <sip:192.0.2.50:5090;lr>`];
    await lab.alice({ method: "MESSAGE", uri: bobUri, extra });
    const [sent] = await lab.flush();
    expect(sent?.remote).toEqual({ address: "192.0.2.50", port: 5090, transport: "udp" });
    expect(sent?.message.routes).toEqual(["<sip:192.0.2.50:5090;lr>"]);
    expect(sent?.message.startLine).toBe(`MESSAGE ${bobUri} SIP/2.0`);
  });

  it("rewrites for a strict router", async () => {
    const lab = withHop();
    const extra = [`Route: ${self}`, "Route: <sip:192.0.2.50:5090>", "Route: <sip:192.0.2.51;lr>"];
    await lab.alice({ method: "MESSAGE", uri: bobUri, extra });
    const [sent] = await lab.flush();
    expect(sent?.remote).toEqual({ address: "192.0.2.50", port: 5090, transport: "udp" });
    expect(sent?.message.startLine).toBe("MESSAGE sip:192.0.2.50:5090 SIP/2.0");
    expect(sent?.message.routes).toEqual(["<sip:192.0.2.51;lr>", `<${bobUri}>`]);
  });

  it("undoes what a strict router before it did", async () => {
    const lab = new Lab();
    await lab.callUp();
    const uri = `sip:${PROXY.address}:${PROXY.port};lr`;
    await lab.alice({ method: "INFO", cseq: 2, toTag: "b1", uri, extra: [`Route: <${bobUri}>`] });
    const [sent] = await lab.flush();
    expect(sent?.remote).toEqual(BOB);
    expect(sent?.message.startLine).toBe(`INFO ${bobUri} SIP/2.0`);
    expect(sent?.message.routes).toEqual([]);
  });

  it("between IPv4 and IPv6 records both its addresses", async () => {
    const six = { address: "2001:db8::1", port: 5060, transport: "udp" } as const;
    const agent = { host: "2001:db8::9", port: 5080 };
    const lab = new Lab(
      {},
      { table: { domains: ["example.com"], users: new Map([["bob", agent]]), routes: new Map() } },
      [PROXY, six],
    );
    await lab.alice({ method: "INVITE" });
    const sent = (await lab.flush()).at(-1);
    expect(sent?.local).toEqual(six);
    expect(sent?.message.startLine).toBe("INVITE sip:bob@[2001:db8::9]:5080 SIP/2.0");
    expect(sent?.message.recordRoutes).toEqual(["<sip:[2001:db8::1]:5060;lr>", self]);
    expect(sent?.message.topVia?.host).toBe("2001:db8::1");
  });

  it("resolves names by its resolver, and says when there is none", async () => {
    const table = {
      domains: [],
      users: new Map(),
      routes: new Map([["far.example", { host: "sip2.far", port: undefined }]]),
    };
    const message = { method: "MESSAGE", uri: "sip:x@far.example" };
    const lab = new Lab({}, { table, resolver: async () => ({ address: "192.0.2.60", port: 5060 }) });
    await lab.alice(message);
    expect(await lab.names()).toEqual(["MESSAGE>192.0.2.60"]);
    const without = new Lab({}, { table, resolver: async () => Promise.reject(new Error("ENOTFOUND")) });
    await without.alice(message);
    expect(await without.names()).toEqual(["503>alice"]);
  });

  it("answers behind a NAT: received and rport", async () => {
    const lab = new Lab();
    const text = requestText({ method: "OPTIONS", uri: `sip:${PROXY.address}` }).replace(
      `${ALICE.address}:${ALICE.port};branch`,
      "10.0.0.9:5060;received=6.6.6.6;rport;branch",
    );
    lab.transport.inject(text, { ...ALICE, port: 1024 });
    const [sent] = await lab.flush();
    expect(sent?.remote).toEqual({ ...ALICE, port: 1024 });
    expect(sent?.message.topVia?.raw).toBe(
      `SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-OPTIONS-1-a1;received=${ALICE.address};rport=1024`,
    );
  });

  it("a long answered request keeps unknown headers octet for octet", async () => {
    const lab = new Lab();
    const extra = ["x-ODD  :   one\r\n\t two  ", "i2: \xff\xfe", "Supported: a ,b"];
    await lab.alice({ method: "MESSAGE", uri: "sip:x@far.example", extra, body: "\x00\xff\r\n\r\nSIP" });
    const text = (await lab.flush())[0]?.message.toBuffer().toString("latin1") ?? "";
    for (const line of extra) expect(text).toContain(`\r\n${line}\r\n`);
  });
});

it("survives any mutation of its messages, and whatever it sends is well formed", async () => {
  const seeds = [
    requestText({ method: "INVITE", body: SDP }),
    requestText({ method: "BYE", toTag: "b1" }),
    requestText({ method: "CANCEL", branch: "z9hG4bK-INVITE-1-a1" }),
  ];
  const request = new Lab();
  await request.alice({ method: "INVITE" });
  seeds.push(responseTo(request.toBob("INVITE"), 200, { toTag: "b" }).toBuffer().toString("latin1"));
  const lab = new Lab();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.nat(700),
      fc.nat(12),
      fc.constantFrom("", "\r\n", "\0", '"', ";", ",", "<", ">", ":", "%", " ", "[", "SIP/2.0", "9".repeat(20)),
      async (seed, at, cut, insert) => {
        lab.transport.inject(seed.slice(0, at) + insert + seed.slice(at + cut), ALICE);
        // FakeTransport reads back each datagram and throws if it is broken.
        await lab.flush();
      },
    ),
    { numRuns: 400 },
  );
  expect(lab.core.counters.received).toBe(400);
});
