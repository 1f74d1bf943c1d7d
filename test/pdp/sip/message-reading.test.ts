import { describe, expect, it } from "vitest";
import { parsePrefix } from "../../../src/model/ip.js";
import { sessionIdOf } from "../../../src/model/session.js";
import { readAnswer, readInvite, readMessage, readReoffer } from "../../../src/pdp/sip/message-reading.js";
import type { SipRequest } from "../../../src/sip/message/message.js";

const prefixes = ["10.1.0.0/24", "fd01::/64"].flatMap((text) => parsePrefix(text) ?? []);
const rules = { domain: "a.example", prefixes, symmetric: true };

const sdp = (address: string, port: number, extra: readonly string[] = []) =>
  [
    "v=0",
    `o=- 1 1 IN ${address.includes(":") ? "IP6" : "IP4"} ${address}`,
    "s=-",
    `c=IN ${address.includes(":") ? "IP6" : "IP4"} ${address}`,
    "t=0 0",
    `m=audio ${port} RTP/AVP 0`,
    "a=rtpmap:0 PCMU/8000",
    "a=ptime:20",
    ...extra,
    "",
  ].join("\r\n");

function message(
  start: string,
  body: string,
  { from = "alice@a.example", to = "bob@b.example", contact = "10.1.0.10" } = {},
) {
  const headers = [
    start,
    "Via: SIP/2.0/UDP 10.1.0.10:5060;branch=z9hG4bKx",
    `From: <sip:${from}>;tag=caller`,
    `To: <sip:${to}>${start.startsWith("INVITE") ? "" : ";tag=callee"}`,
    "Call-ID: call-1",
    "CSeq: 1 INVITE",
    `Contact: <sip:ua@${contact}:5060>`,
    "Max-Forwards: 70",
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ];
  return readMessage(Buffer.from(headers.join("\r\n")));
}

const invite = (body: string, uri = "sip:Bob@B.example", options = {}) =>
  readInvite(message(`INVITE ${uri} SIP/2.0`, body, options) as SipRequest, "sip1.a.example", rules);

describe("INVITE", () => {
  it("reads who calls whom, which side is ours, and the most it may come to", () => {
    const reading = invite(sdp("10.1.0.10", 6000));
    expect(reading).toMatchObject({
      ok: true,
      value: {
        id: sessionIdOf("call-1", "caller"),
        side: "originating",
        caller: "alice@a.example",
        callee: "bob@b.example",
        media: ["audio"],
        token: undefined,
      },
    });
    if (!reading.ok) return;
    const rates = reading.value.flows.map(({ direction, traffic }) => `${direction} ${traffic.rate}`);
    expect(rates.filter((text) => text.includes(" 80000")).sort()).toEqual(["down 80000", "up 80000"]);
    expect(reading.value.flows).toHaveLength(4);
  });

  it("tells where the offering party's media is, for the choice of pools", () => {
    expect(invite(sdp("10.1.0.10", 6000))).toMatchObject({ value: { places: { local: "10.1.0.10" } } });
    const incoming = invite(sdp("fd03::a", 6000), "sip:alice@a.example", { from: "bob@b.example" });
    expect(incoming).toMatchObject({ value: { side: "terminating", places: { far: "fd03::a" } } });
    expect(invite("")).toMatchObject({ ok: true, value: { places: undefined } });
  });

  it("takes the Request-URI's domain for the terminating side", () => {
    const reading = invite(sdp("10.3.0.10", 6000), "sip:alice@a.example", { from: "bob@b.example" });
    expect(reading).toMatchObject({ ok: true, value: { side: "terminating", callee: "alice@a.example" } });
  });

  it.each([
    ["somebody else's address", sdp("10.9.0.10", 6000), "mediaUnacceptable"],
    ["a host name", sdp("10.1.0.10", 6000).replace("c=IN IP4 10.1.0.10", "c=IN IP4 ua.example"), "mediaUnacceptable"],
    ["no SDP at all", "hello", "mediaUnreadable"],
  ])("refuses %s", (_, body, reason) => {
    expect(invite(body)).toMatchObject({ ok: false, refusal: { reason } });
  });

  it("lets an INVITE without an offer through: it comes in the answer", () => {
    expect(invite("")).toMatchObject({ ok: true, value: { offer: undefined, flows: [], media: [] } });
  });
});

const offer = { by: "caller" as const, sdp: sdp("10.1.0.10", 6000) };
const state = { offer, reoffer: undefined, side: "originating" as const };

describe("what is asked for a medium", () => {
  it("goes with each of its flows, in the direction that it is said of", () => {
    const lines = ["a=sluice-class:talk", "a=sluice-need:send latency=40-80;rate=64-32"];
    const reading = invite(sdp("10.1.0.10", 6000, lines));
    if (!reading.ok) throw new Error(reading.refusal.text);
    const asks = reading.value.flows.map(({ direction, traffic, ask }) => ({ direction, rate: traffic.rate, ask }));
    expect(asks).toContainEqual({
      ...{ direction: "up", rate: 64_000 },
      ask: expect.objectContaining({
        ...{ index: 0, media: "audio", sessionClass: "talk", isControl: false, security: "none" },
        need: { latency: { wanted: 40, worst: 80 }, rate: { wanted: 64_000, worst: 32_000 } },
        least: expect.objectContaining({ rate: 32_000 }),
      }),
    });
    expect(asks).toContainEqual({
      ...{ direction: "down", rate: 80_000 },
      ask: expect.objectContaining({ sessionClass: "talk", need: undefined, least: undefined }),
    });
    expect(asks.filter(({ ask }) => ask?.isControl === true)).toHaveLength(2);
  });

  it("is refused as insecure where the descriptions give less than one of them requires", () => {
    const reading = invite(sdp("10.1.0.10", 6000, ["a=sluice-security:dtls"]));
    expect(reading).toMatchObject({ ok: false, refusal: { reason: "insecure" } });
  });
});

describe("answers", () => {
  it("fixes four flows, up and down", () => {
    const reading = readAnswer(message("SIP/2.0 200 OK", sdp("10.3.0.10", 7000)), state, rules);
    expect(reading).toMatchObject({ ok: true, value: { final: true, pending: [] } });
    if (!reading.ok) return;
    const keys = reading.value.flows.map(({ direction, component, key }) => [
      direction,
      component,
      `${key.source.address}:${key.source.port} > ${key.destination.address}:${key.destination.port}`,
    ]);
    expect(keys).toEqual(
      expect.arrayContaining([
        ["up", "rtp", "10.1.0.10:6000 > 10.3.0.10:7000"],
        ["down", "rtp", "10.3.0.10:7000 > 10.1.0.10:6000"],
        ["up", "rtcp", "10.1.0.10:6001 > 10.3.0.10:7001"],
        ["down", "rtcp", "10.3.0.10:7001 > 10.1.0.10:6001"],
      ]),
    );
  });

  it("reserves for the offer while the callee's port is open", () => {
    const ringing = message("SIP/2.0 180 Ringing", "", { contact: "10.3.0.10" });
    const reading = readAnswer(ringing, state, rules);
    expect(reading).toMatchObject({ ok: true, value: { final: false } });
    if (!reading.ok) return;
    expect(reading.value.flows.map(({ direction, key }) => [direction, key.source.port])).toEqual([
      ["down", undefined],
      ["down", undefined],
    ]);
    expect(reading.value.pending.map(({ direction }) => direction)).toEqual(["up", "up"]);
  });

  it("keeps the reservation and closes the gate on hold", () => {
    const held = readAnswer(message("SIP/2.0 200 OK", sdp("10.3.0.10", 7000, ["a=inactive"])), state, rules);
    if (!held.ok) throw new Error("must be readable");
    expect(held.value.flows.map(({ component }) => component)).toEqual(["rtcp", "rtcp"]);
    expect(held.value.pending).toHaveLength(2);
  });

  it("takes a late offer from the answer and its answer from the ACK", () => {
    const late = { offer: undefined, reoffer: undefined, side: "originating" as const };
    const offered = readAnswer(message("SIP/2.0 200 OK", sdp("10.3.0.10", 7000)), late, rules);
    if (!offered.ok) throw new Error("must be readable");
    expect(offered.value).toMatchObject({ flows: [], offers: { offer: { by: "callee" } } });
    const ack = message("ACK sip:bob@10.3.0.10 SIP/2.0", sdp("10.1.0.10", 6000));
    const agreed = readAnswer(ack, { ...late, offer: offered.value.offers?.offer }, rules);
    if (!agreed.ok) throw new Error("must be readable");
    expect(agreed.value.flows).toHaveLength(4);
    expect(agreed.value.flows.find(({ direction }) => direction === "up")?.key.destination).toEqual({
      address: "10.3.0.10",
      port: 7000,
    });
  });

  it("treats IPv6 alike", () => {
    const v6 = { ...state, offer: { by: "caller" as const, sdp: sdp("fd01::a", 6000) } };
    const reading = readAnswer(message("SIP/2.0 200 OK", sdp("fd03::a", 7000)), v6, rules);
    if (!reading.ok) throw new Error("must be readable");
    expect(reading.value.flows[0]?.key.destination.address).toMatch(/^fd0[13]::a$/);
    expect(reading.value.flows.some(({ traffic }) => traffic.rate === 88_000)).toBe(true);
  });
});

describe("offers in mid-session", () => {
  it("knows who offers", () => {
    const fromCallee = message("INVITE sip:alice@10.1.0.10 SIP/2.0", sdp("10.3.0.10", 9000));
    const reading = readReoffer(fromCallee, { callerTag: "somebody-else", side: "originating" }, rules);
    expect(reading).toMatchObject({ ok: true, value: { offer: { by: "callee" } } });
  });

  it("says nothing about a refresh without SDP", () => {
    const refresh = message("UPDATE sip:alice@10.1.0.10 SIP/2.0", "");
    expect(readReoffer(refresh, { callerTag: "caller", side: "originating" }, rules)).toEqual({
      ok: true,
      value: undefined,
    });
  });
});
