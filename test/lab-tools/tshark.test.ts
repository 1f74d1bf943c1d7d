/** Golden captures through the real tshark: the names must come from its decoding, not from ours. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { malformed, wireMessages } from "../../src/lab/tshark.js";
import { context, cops, decisionFlags, handle, pcapFile, reportType, tcpFrame, udpFrame } from "./frames.js";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-tshark-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function capture(name: string, frames: readonly Buffer[]): Promise<string> {
  const path = join(directory, `${name}.pcap`);
  await writeFile(path, pcapFile(frames.map((bytes, index) => ({ at: 1_700_000_000_000 + index, bytes }))));
  return path;
}

const SIP_TYPE = 0x5349;
const ends = (from: string, to: string, fromPort: number, toPort: number) => ({ from, to, fromPort, toPort });
const SIP1_POL1 = ends("10.1.0.5", "10.1.0.6", 40_000, 3288);
const POL1_SIP1 = ends("10.1.0.6", "10.1.0.5", 3288, 40_000);
const POL1_R1 = ends("10.1.0.6", "10.1.0.1", 3288, 41_000);
const R1_POL1 = ends("10.1.0.1", "10.1.0.6", 41_000, 3288);
const POL1_CH = ends("10.1.0.6", "10.4.0.7", 42_000, 5045);
const CH_POL1 = ends("10.4.0.7", "10.1.0.6", 5045, 42_000);
const REPORT_SUCCESS = reportType(1);
const REPORT_ACCOUNTING = reportType(3);

/** Segments of one connection, each beginning where the one before ended. */
function segments(way: ReturnType<typeof ends>, payloads: readonly Buffer[]): Buffer[] {
  let sequence = 1;
  return payloads.map((payload) => {
    const frame = tcpFrame(way, sequence, payload);
    sequence += payload.length;
    return frame;
  });
}

const http = (start: string, component: string): Buffer => {
  const body = `<?xml version="1.0"?><Message messageId="1"><${component} componentId="2"></${component}></Message>`;
  const headers = `Host: ch\r\ncontent-type: text/plain\r\nContent-Length: ${body.length}`;
  return Buffer.from(`${start}\r\n${headers}\r\n\r\n${body}`);
};

const request = (rType: number, mType: number): Buffer => cops(1, SIP_TYPE, [handle(1), context(rType, mType)]);

describe("wireMessages", () => {
  it("names COPS messages of proxy and router in the ladder's words", async () => {
    const path = await capture("cops", [
      ...segments(SIP1_POL1, [
        request(1, 1),
        request(2, 2),
        request(2, 3),
        request(2, 4),
        request(2, 5),
        request(2, 6),
        request(2, 7),
        cops(3, SIP_TYPE, [handle(1), REPORT_SUCCESS], 1),
        cops(4, SIP_TYPE, [handle(1), [5, 1, Buffer.from([0, 2, 0, 0])]]),
      ]),
      ...segments(POL1_SIP1, [cops(2, SIP_TYPE, [handle(1), context(2, 2), decisionFlags(1)], 1), cops(9, 0, [])]),
      ...segments(POL1_R1, [
        cops(2, 2, [handle(1), context(8, 0), decisionFlags(1)]),
        cops(2, 2, [handle(1), context(8, 0), decisionFlags(2)]),
        cops(2, 2, [handle(1), context(8, 0), decisionFlags(2), context(8, 0), decisionFlags(1)]),
      ]),
      ...segments(R1_POL1, [
        cops(1, 2, [handle(1), context(8, 0)]),
        cops(3, 2, [handle(1), REPORT_SUCCESS], 1),
        cops(3, 2, [handle(1), REPORT_ACCOUNTING]),
      ]),
    ]);
    const named = (await wireMessages([{ host: "POL1", path }])).map(({ from, to, message }) => [from, to, message]);
    // Of those that SIP1 sent nothing is missing: it has no capture of its own.
    expect(named).toEqual([
      ["SIP1", "POL1", "REQ AAA"],
      ["SIP1", "POL1", "REQ LDP"],
      ["SIP1", "POL1", "REQ LDP"],
      ["SIP1", "POL1", "REQ noLDP"],
      ["SIP1", "POL1", "REQ noLDP"],
      ["SIP1", "POL1", "REQ noLDP"],
      ["SIP1", "POL1", "REQ noLDP"],
      ["SIP1", "POL1", "RPT"],
      ["SIP1", "POL1", "DRQ"],
      ["POL1", "SIP1", "DEC"],
      ["POL1", "SIP1", "KA"],
      ["POL1", "R1", "DEC Install"],
      ["POL1", "R1", "DEC Remove"],
      ["POL1", "R1", "DEC Install"],
      ["R1", "POL1", "REQ"],
      ["R1", "POL1", "RPT"],
      ["R1", "POL1", "RPT accounting"],
    ]);
  });

  it("finds two messages in one segment, and one message in two", async () => {
    const whole = request(1, 1);
    const path = await capture(
      "segments",
      segments(SIP1_POL1, [Buffer.concat([whole, request(2, 4)]), whole.subarray(0, 10), whole.subarray(10)]),
    );
    const named = (await wireMessages([{ host: "SIP1", path }])).map(({ message }) => message);
    expect(named).toEqual(["REQ AAA", "REQ noLDP", "REQ AAA"]);
  });

  it("names OSP messages by their component, in either spelling", async () => {
    const post = "POST /osp HTTP/1.1";
    const ok = "HTTP/1.1 200 OK";
    const path = await capture("osp", [
      ...segments(POL1_CH, [http(post, "AuthorisationRequest"), http(post, "UsageIndication")]),
      ...segments(CH_POL1, [http(ok, "AuthorizationResponse"), http(ok, "UsageConfirmation")]),
    ]);
    const named = (await wireMessages([{ host: "POL1", path }])).map(({ protocol, message }) => [protocol, message]);
    expect(named).toEqual([
      ["OSP", "AuthReq"],
      ["OSP", "UsageInd"],
      ["OSP", "AuthRsp"],
      ["OSP", "UsageCnf"],
    ]);
  });

  it.each([
    ["10.1.0.10", "10.1.0.5"],
    ["fd01::10", "fd01::5"],
  ])("names SIP messages and their call, from %s", async (uac, sip1) => {
    const message = (start: string, method: string): Buffer =>
      Buffer.from(
        `${start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c1@lab\r\n` +
          `CSeq: 1 ${method}\r\nContent-Length: 0\r\n\r\n`,
      );
    const path = await capture("sip", [
      udpFrame(ends(uac, sip1, 5060, 5060), message("INVITE sip:b@b SIP/2.0", "INVITE")),
      udpFrame(ends(sip1, uac, 5060, 5060), message("SIP/2.0 180 Ringing", "INVITE")),
    ]);
    expect(await wireMessages([{ host: "UAC", path }])).toMatchObject([
      { from: "UAC", to: "SIP1", protocol: "SIP", message: "INVITE", callId: "c1@lab", at: 1_700_000_000_000 },
      { from: "SIP1", to: "UAC", protocol: "SIP", message: "180", callId: "c1@lab", at: 1_700_000_000_001 },
    ]);
  });

  it("counts a message once that two hosts captured, and ignores strangers", async () => {
    const stranger = ends("192.0.2.1", "10.1.0.6", 40_000, 3288);
    const path = await capture("twice", [
      ...segments(SIP1_POL1, [request(1, 1)]),
      ...segments(stranger, [request(1, 1)]),
    ]);
    const both = await wireMessages([
      { host: "SIP1", path },
      { host: "POL1", path },
    ]);
    expect(both).toHaveLength(1);
  });
});

describe("malformed", () => {
  it("finds nothing wrong with messages that are right", async () => {
    const path = await capture("right", segments(SIP1_POL1, [request(1, 1), cops(9, 0, [])]));
    expect(await malformed(path)).toEqual([]);
  });

  it("names a message whose object is longer than the message", async () => {
    const wrong = request(1, 1);
    wrong.writeUInt16BE(200, 8);
    const complaints = await malformed(await capture("wrong", segments(SIP1_POL1, [wrong])));
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain("COPS");
  });

  it("names an object of a kind that COPS does not have", async () => {
    const strange = cops(1, SIP_TYPE, [handle(1), context(1, 1), [99, 1, Buffer.alloc(4)]]);
    expect(await malformed(await capture("strange", segments(SIP1_POL1, [strange])))).toHaveLength(1);
  });
});
