/** Connections through the proxy core: record-routing, flow tokens, lost connections, and the transport by size. */
import { describe, expect, it } from "vitest";
import { responseTo } from "../../../src/sip/message/build.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { parseNameAddr, parseSipUri } from "../../../src/sip/message/uri.js";
import type { Hop } from "../../../src/sip/proxy/hop.js";
import type { DialogContext } from "../../../src/sip/proxy/policy.js";
import type { Destination, Flow, LocalPoint } from "../../../src/sip/transport/transport.js";
import { BOB, Lab, nameOf, PROXY, type RequestParts, requestText, SDP } from "../harness.js";

const TCP: LocalPoint = { ...PROXY, transport: "tcp" };
const WSS: LocalPoint = { address: PROXY.address, port: 8443, transport: "wss" };
const LOCALS = [PROXY, TCP, WSS];

const flowOf = (id: string, local: LocalPoint, port: number): Flow => {
  const remote: Destination = { address: "198.51.100.77", port, transport: local.transport, flow: id };
  return { id, local, remote };
};
/** 12 octets, as the transports name connections. */
const FLOW = "00112233445566778899aabb";
const browserFlow = flowOf(FLOW, WSS, 40_000);

/** A request as sip.js writes it. */
function fromBrowser(parts: RequestParts & { routes?: readonly string[] }): string {
  const routes = (parts.routes ?? []).map((route) => `Route: ${route}\r\n`).join("");
  return requestText(parts)
    .replace(
      /Via: .*\r\n/,
      `${routes}Via: SIP/2.0/WSS abcdef.invalid;branch=z9hG4bK-${parts.method}-${parts.cseq ?? 1}\r\n`,
    )
    .replace(/Contact: .*\r\n/, "Contact: <sip:x7@abcdef.invalid;transport=ws;ob>\r\n");
}

async function browserCall() {
  const lab = new Lab({}, {}, LOCALS);
  lab.transport.openFlow(browserFlow);
  lab.transport.inject(fromBrowser({ method: "INVITE", body: SDP }), browserFlow.remote, WSS);
  const sent = await lab.flush();
  const invite = lab.toBob("INVITE");
  return { lab, sent, invite };
}

/** Bob's route set: Record-Route as it came (RFC 3261 §12.1.1); the caller's is the reverse. */
const routesToCaller = (invite: SipRequest) => invite.recordRoutes;

const bobAsks = (invite: SipRequest, method: string, routes: readonly string[], cseq = 1) =>
  requestText({
    method,
    cseq,
    from: BOB,
    fromTag: "b1",
    toTag: "a1",
    uri: "sip:x7@abcdef.invalid;transport=ws;ob",
    callId: invite.callId,
    extra: routes.map((route) => `Route: ${route}`),
  });

describe("a call from a browser to a UDP agent", () => {
  it("records both sides, the browser's with its flow token (RFC 5658 §5, RFC 5626 §5.3.2)", async () => {
    const { invite, sent } = await browserCall();
    const [top, below, ...rest] = invite.recordRoutes;
    expect([top, rest]).toEqual([`<sip:${PROXY.address}:${PROXY.port};lr>`, []]);
    expect(below).toMatch(/^<sip:~[A-Za-z0-9_-]{30}@192\.0\.2\.1:8443;transport=ws;lr>$/);
    expect(below).not.toContain(FLOW);
    expect(invite.topVia?.raw).toMatch(/^SIP\/2\.0\/UDP 192\.0\.2\.1:5060;branch=z9hG4bK.*;rport$/);
    expect(sent.map(({ message, remote }) => [nameOf(message), remote.flow ?? remote.address])).toEqual([
      ["100", FLOW],
      ["INVITE", BOB.address],
    ]);
  });

  it("brings responses back by the connection, whatever its Via says", async () => {
    const { lab, invite } = await browserCall();
    await lab.bobAnswers(invite, 180);
    await lab.bobAnswers(invite, 200, { body: SDP });
    expect((await lab.flush()).map(({ message, remote, local }) => [nameOf(message), remote.flow, local])).toEqual([
      ["180", FLOW, WSS],
      ["200", FLOW, WSS],
    ]);
  });

  it("brings the other party's requests to the connection", async () => {
    const { lab, invite } = await browserCall();
    await lab.bobAnswers(invite, 200, { body: SDP });
    await lab.flush();
    lab.transport.inject(bobAsks(invite, "INFO", routesToCaller(invite)), BOB, PROXY);
    const [info] = (await lab.flush()).filter(({ message }) => nameOf(message) === "INFO");
    expect(info?.remote).toEqual(browserFlow.remote);
    expect(info?.local).toEqual(WSS);
    expect(info?.message.topVia?.raw).toMatch(/^SIP\/2\.0\/WSS 192\.0\.2\.1:8443;branch=/);
    expect([info?.message.routes, (info?.message as SipRequest | undefined)?.requestUri]).toEqual([
      [],
      "sip:x7@abcdef.invalid;transport=ws;ob",
    ]);
  });

  it("lets the browser's own requests out, though they carry its token", async () => {
    const { lab, invite } = await browserCall();
    await lab.bobAnswers(invite, 200, { body: SDP });
    await lab.flush();
    const routes = invite.recordRoutes.toReversed();
    const bye = { method: "BYE", cseq: 2, toTag: "b1", uri: `sip:bob@${BOB.address}:${BOB.port}`, routes };
    lab.transport.inject(fromBrowser(bye), browserFlow.remote, WSS);
    const out = (await lab.flush()).filter(({ message }) => nameOf(message) === "BYE");
    expect(out.map(({ remote }) => remote.address)).toEqual([BOB.address]);
  });

  it("answers 430 when the connection is gone, and 403 to a token that was changed (RFC 5626 §5.3.1)", async () => {
    const { lab, invite } = await browserCall();
    await lab.bobAnswers(invite, 200, { body: SDP });
    const routes = routesToCaller(invite);
    lab.transport.closeFlow(FLOW);
    await lab.flush();
    lab.transport.inject(bobAsks(invite, "INFO", routes), BOB, PROXY);
    expect(await lab.names()).toEqual(["430>bob"]);
    const forged = routes.map((route) => route.replace(/~(.)/, (_all, char) => `~${char === "A" ? "B" : "A"}`));
    lab.transport.inject(bobAsks(invite, "INFO", forged, 2), BOB, PROXY);
    expect(await lab.names()).toEqual(["403>bob"]);
  });

  it("ends both parties by what leads to them when the policy takes it back", async () => {
    const { lab, invite } = await browserCall();
    await lab.bobAnswers(invite, 200, { body: SDP });
    await lab.flush();
    const known = { session: lab.events[0]?.session } as DialogContext;
    expect(lab.core.hangUp(known, { refusal: { status: 503, phrase: "Gone" }, headers: [] })).toBe(true);
    const byes = (await lab.flush()).filter(({ message }) => nameOf(message) === "BYE");
    expect(byes.map(({ remote }) => remote.flow ?? remote.address).sort()).toEqual([FLOW, BOB.address].sort());
  });
});

describe("a call to a browser", () => {
  const withAgent = () => {
    const nextHop: Hop = { host: "", port: undefined, flow: FLOW };
    const lab = new Lab({ invite: async () => ({ forward: true, nextHop }) }, {}, LOCALS);
    lab.transport.openFlow(browserFlow);
    return lab;
  };
  const browserGets = (lab: Lab, method: string): SipRequest =>
    lab.transport.sent.findLast(({ message, remote }) => remote.flow === FLOW && nameOf(message) === method)
      ?.message as SipRequest;

  it("goes by its connection, with the token of the callee's side on top", async () => {
    const lab = withAgent();
    await lab.alice({ method: "INVITE", body: SDP });
    const invite = browserGets(lab, "INVITE");
    expect(invite.topVia?.transport).toBe("WSS");
    const [top, below] = invite.recordRoutes.map((route) => parseSipUri(parseNameAddr(route)?.uri ?? ""));
    expect([top?.user?.[0], top?.port, below?.user, below?.port]).toEqual(["~", 8443, undefined, 5060]);
  });

  it("ends at once when the connection closes while it rings", async () => {
    const lab = withAgent();
    await lab.alice({ method: "INVITE", body: SDP });
    const ringing = responseTo(browserGets(lab, "INVITE"), 180, { toTag: "w1" });
    lab.transport.inject(ringing.toBuffer(), browserFlow.remote, WSS);
    await lab.flush();
    lab.transport.closeFlow(FLOW);
    expect(await lab.names()).toEqual(["503>alice"]);
  });

  it("sends nothing again: the connection delivers or fails (RFC 3261 §17.1.1.2)", async () => {
    const lab = withAgent();
    await lab.alice({ method: "INVITE", body: SDP });
    await lab.flush();
    await lab.clock.pass(4000);
    expect(await lab.names()).toEqual([]);
  });

  it("between two browsers of one proxy finds each from the other", async () => {
    const lab = withAgent();
    const other = lab.transport.openFlow(flowOf("ffeeddccbbaa998877665544", WSS, 41_000));
    lab.transport.inject(fromBrowser({ method: "INVITE", body: SDP }), other.remote, WSS);
    await lab.flush();
    const invite = browserGets(lab, "INVITE");
    expect(invite.recordRoutes).toHaveLength(2);
    const ringing = responseTo(invite, 180, { toTag: "z" });
    lab.transport.inject(ringing.toBuffer(), browserFlow.remote, WSS);
    await lab.flush();
    const ask = (source: Flow, routes: string[], cseq: number) => {
      const text = fromBrowser({ method: "INFO", cseq, toTag: "z", uri: "sip:x7@abcdef.invalid", routes });
      lab.transport.inject(text, source.remote, WSS);
    };
    ask(browserFlow, invite.recordRoutes, 5);
    ask(other, invite.recordRoutes.toReversed(), 6);
    const infos = (await lab.flush()).filter(({ message }) => nameOf(message) === "INFO");
    expect(infos.map(({ remote }) => remote.flow)).toEqual([other.id, FLOW]);
  });

  it("even if a browser calls itself", async () => {
    const lab = withAgent();
    lab.transport.inject(fromBrowser({ method: "INVITE", body: SDP }), browserFlow.remote, WSS);
    await lab.flush();
    const invite = browserGets(lab, "INVITE");
    const routes = invite.recordRoutes;
    expect(routes).toHaveLength(2);
    lab.transport.inject(responseTo(invite, 180, { toTag: "z" }).toBuffer(), browserFlow.remote, WSS);
    await lab.flush();
    const text = fromBrowser({ method: "INFO", cseq: 9, toTag: "z", uri: "sip:x7@abcdef.invalid", routes });
    lab.transport.inject(text, browserFlow.remote, WSS);
    const infos = (await lab.flush()).filter(({ message }) => nameOf(message) === "INFO");
    expect(infos.map(({ remote }) => remote.flow)).toEqual([FLOW]);
  });
});

describe("the transport by size (RFC 3261 §18.1.1)", () => {
  const LARGE = `${SDP}${"a=x:0123456789012345678901234567890123456789\r\n".repeat(30)}`;
  const invite = async (takesTcp: boolean, body: string, locals: LocalPoint[] = [PROXY, TCP]) => {
    const lab = new Lab({}, {}, locals);
    if (takesTcp) lab.transport.takesTcp.add(BOB.address);
    await lab.alice({ method: "INVITE", body });
    const [sent] = (await lab.flush()).filter(({ message }) => nameOf(message) === "INVITE");
    return { lab, sent };
  };

  it.each([
    ["a large request by TCP where the hop takes it", true, LARGE, "tcp"],
    ["a large request by UDP where it does not", false, LARGE, "udp"],
    ["a small request by UDP", true, SDP, "udp"],
  ])("sends %s", async (_name, takesTcp, body, transport) => {
    const { sent } = await invite(takesTcp, body);
    expect([sent?.remote.transport, sent?.local.transport, sent?.message.topVia?.transport]).toEqual([
      transport,
      transport,
      transport.toUpperCase(),
    ]);
    expect(sent?.remote).toMatchObject({ address: BOB.address, port: BOB.port });
    const self = `<sip:${PROXY.address}:${PROXY.port}`;
    expect(sent?.message.recordRoutes).toEqual(
      transport === "tcp" ? [`${self};transport=tcp;lr>`, `${self};lr>`] : [`${self};lr>`],
    );
  });

  it("sends by UDP where there is no TCP here", async () => {
    expect((await invite(true, LARGE, [PROXY])).sent?.remote.transport).toBe("udp");
  });

  it("cancels where the INVITE went", async () => {
    const { lab, sent } = await invite(true, LARGE);
    await lab.bobAnswers(sent?.message as SipRequest, 180);
    await lab.alice({ method: "CANCEL", branch: "z9hG4bK-INVITE-1-a1" });
    const [cancel] = (await lab.flush()).filter(({ message }) => nameOf(message) === "CANCEL");
    expect([cancel?.remote.transport, cancel?.message.topVia?.raw]).toEqual(["tcp", sent?.message.topVia?.raw]);
  });
});

describe("requests and responses over TCP", () => {
  const peer = flowOf("aabbccddeeff001122334455", TCP, 50_000);
  const text = (extra: Partial<RequestParts> = {}) =>
    requestText({ method: "INVITE", from: { address: peer.remote.address, port: 5070 }, body: SDP, ...extra }).replace(
      "SIP/2.0/UDP",
      "SIP/2.0/TCP",
    );

  it("answers by the connection, and by a new one to the sent-by port when that is gone (§18.2.2)", async () => {
    const lab = new Lab({}, {}, LOCALS);
    lab.transport.openFlow(peer);
    lab.transport.inject(text(), peer.remote, TCP);
    expect((await lab.flush())[0]?.remote).toEqual(peer.remote);
    lab.transport.closeFlow(peer.id);
    await lab.bobAnswers(lab.toBob("INVITE"), 200, { body: SDP });
    const [ok] = (await lab.flush()).filter(({ message }) => nameOf(message) === "200");
    expect(ok?.remote).toEqual({ address: peer.remote.address, port: 5070, transport: "tcp" });
  });

  it("makes a flow token only for a first hop that asks for it by `ob` (RFC 5626 §5.3.2)", async () => {
    const recorded = async (request: string) => {
      const lab = new Lab({}, {}, LOCALS);
      lab.transport.openFlow(peer);
      lab.transport.inject(request, peer.remote, TCP);
      await lab.flush();
      return lab.toBob("INVITE").recordRoutes.map((route) => parseSipUri(parseNameAddr(route)?.uri ?? "")?.user?.[0]);
    };
    const asking = text().replace(/Contact: <([^>]*)>/, "Contact: <$1;transport=tcp;ob>");
    expect(await recorded(text())).toEqual([undefined, undefined]);
    expect(await recorded(asking)).toEqual([undefined, "~"]);
    expect(await recorded(asking.replace("Via:", "Via: SIP/2.0/TCP 192.0.2.55;branch=z9hG4bKp\r\nVia:"))).toEqual([
      undefined,
      undefined,
    ]);
  });

  it("answers 400 and 513 to what a stream could not be cut by", async () => {
    const lab = new Lab({}, {}, LOCALS);
    lab.transport.openFlow(peer);
    const head = text({ body: "" });
    const inject = (request: string) => lab.transport.inject(request, peer.remote, TCP);
    inject(head.replace(/Content-Length.*\r\n/, ""));
    inject(head.replace(/Content-Length: 0/, "Content-Length: 9999999999999"));
    inject(head.replace(/Content-Length: 0/, "Content-Length: -1"));
    const sent = await lab.flush();
    expect(sent.map(({ message }) => nameOf(message))).toEqual(["400", "513", "400"]);
    expect(new Set(sent.map(({ remote }) => remote.flow))).toEqual(new Set([peer.id]));
  });

  it("goes along a Route by the transport that it names", async () => {
    const routes = new Map([
      ["hop.example", { host: "192.0.2.99", port: 5066 }],
      ["other.example", { host: "192.0.2.99", port: undefined }],
    ]);
    const lab = new Lab({}, { table: { domains: [], users: new Map(), routes } }, LOCALS);
    const route = "<sip:192.0.2.99:5066;transport=tcp;lr>";
    await lab.alice({ method: "OPTIONS", uri: "sip:x@far.example", extra: [`Route: ${route}`] });
    expect((await lab.flush()).map(({ remote }) => remote)).toEqual([
      { address: "192.0.2.99", port: 5066, transport: "tcp" },
    ]);
    await lab.alice({
      method: "OPTIONS",
      cseq: 2,
      uri: "sip:x@far.example",
      extra: ["Route: <sip:192.0.2.99;transport=sctp;lr>"],
    });
    expect((await lab.names()).map((name) => name.slice(0, 1))).toEqual(["4"]);
  });
});
