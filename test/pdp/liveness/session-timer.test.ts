import { describe, expect, it } from "vitest";
import { refreshOf } from "../../../src/pdp/liveness/session-timer.js";
import { readMessage } from "../../../src/pdp/sip/message-reading.js";

const response = (status: number, headers: readonly string[], method = "INVITE") =>
  readMessage(
    Buffer.from(
      [
        `SIP/2.0 ${status} Whatever`,
        "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1",
        "From: <sip:alice@a.example>;tag=1",
        "To: <sip:bob@b.example>;tag=2",
        "Call-ID: c1",
        `CSeq: 2 ${method}`,
        ...headers,
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n"),
    ),
  );

describe("the session timer of a message", () => {
  it.each([
    ["Session-Expires: 1800;refresher=uac", 1_800_000],
    ["x: 120 ; refresher=uas", 120_000],
    // RFC 4028 §4: the absolute minimum.
    ["Session-Expires: 5", 90_000],
    ["Session-Expires: 0", 90_000],
    ["Session-Expires: 4294967295", undefined],
    ["Session-Expires: soon", undefined],
    ["Session-Expires: -90", undefined],
    ["Supported: timer", undefined],
  ])("%s", (header, interval) => {
    for (const method of ["INVITE", "UPDATE"]) expect(refreshOf(response(200, [header], method))).toEqual({ interval });
  });

  it("is not touched by anything but a 2xx to INVITE or UPDATE (RFC 4028 §10)", () => {
    const header = ["Session-Expires: 1800"];
    for (const status of [180, 183, 302, 422, 481]) expect(refreshOf(response(status, header))).toBeUndefined();
    for (const method of ["BYE", "PRACK", "OPTIONS"]) expect(refreshOf(response(200, header, method))).toBeUndefined();
    const invite = "INVITE sip:bob@b.example SIP/2.0\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nSession-Expires: 90\r\n\r\n";
    expect(refreshOf(readMessage(Buffer.from(invite)))).toBeUndefined();
  });
});
