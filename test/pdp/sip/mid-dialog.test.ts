import { describe, expect, it } from "vitest";
import type { Offer } from "../../../src/pdp/session-record.js";
import { readMessage } from "../../../src/pdp/sip/message-reading.js";
import { midDialog } from "../../../src/pdp/sip/mid-dialog.js";

type Party = "caller" | "callee";

/** @param from - who sent the request */
function message(start: string, cseq: string, from: Party, body = "") {
  const headers = [
    start,
    "Via: SIP/2.0/UDP 10.1.0.10;branch=z9hG4bKx",
    `From: <sip:x@a.example>;tag=${from}`,
    `To: <sip:y@b.example>;tag=${from === "caller" ? "callee" : "caller"}`,
    "Call-ID: call",
    `CSeq: ${cseq}`,
    "Max-Forwards: 70",
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${body.length}`,
    "",
    body,
  ];
  return readMessage(Buffer.from(headers.join("\r\n")));
}
const SDP = "v=0\r\n";
const request = (method: string, number: number, from: Party, body = SDP) =>
  message(`${method} sip:x@10.1.0.10 SIP/2.0`, `${number} ${method}`, from, body);
const response = (status: number, cseq: string, from: Party, body = SDP) =>
  message(`SIP/2.0 ${status} X`, cseq, from, body);
const offer = (by: Party, cseq?: number): Offer => ({ by, sdp: SDP, ...(cseq === undefined ? {} : { cseq }) });

const agreed = offer("caller", 1);
const said = (of: ReturnType<typeof message>, reoffer?: Offer, inForce = agreed) =>
  midDialog(of, { offer: inForce, reoffer }, "caller");

describe("a description inside a dialog", () => {
  it("is an offer in any request but the ACK", () => {
    for (const method of ["INVITE", "UPDATE", "PRACK"]) expect(said(request(method, 2, "callee")).kind).toBe("offer");
  });

  it("is the answer in the response to the request that offered", () => {
    const open = offer("callee", 4);
    expect(said(response(200, "4 INVITE", "callee"), open)).toEqual({ kind: "answer", to: open });
    expect(said(response(200, "4 UPDATE", "callee"), open)).toEqual({ kind: "answer", to: open });
  });

  it("is an offer in the 2xx of an INVITE that had none, from whichever side, whatever was left open before", () => {
    for (const from of ["caller", "callee"] as const) {
      for (const open of [undefined, offer("caller", 7), offer("callee", 7)]) {
        expect(said(response(200, "8 INVITE", from), open).kind).toBe("offer");
      }
    }
    // Each party numbers its requests by itself (RFC 3261 §12.2.1.1).
    expect(said(response(200, "1 INVITE", "callee")).kind).toBe("offer");
    expect(said(response(200, "7 INVITE", "caller"), offer("callee", 7)).kind).toBe("offer");
  });

  it("is nothing in the 2xx of an UPDATE or PRACK that had none", () => {
    expect(said(response(200, "8 UPDATE", "caller"), offer("caller", 7)).kind).toBe("nothing");
    expect(said(response(200, "8 PRACK", "caller")).kind).toBe("nothing");
  });

  it("is the answer in the ACK of the 2xx that offered, and in no other", () => {
    const open = offer("callee", 5);
    expect(said(request("ACK", 5, "caller"), open)).toEqual({ kind: "answer", to: open });
    expect(said(request("ACK", 4, "caller"), open).kind).toBe("nothing");
    expect(said(request("ACK", 5, "callee"), open).kind).toBe("nothing");
    const late = offer("callee", 1);
    expect(said(request("ACK", 1, "caller"), undefined, late)).toEqual({ kind: "answer", to: late });
  });

  it("is the answer to what is in force when it is said again", () => {
    expect(said(response(200, "1 INVITE", "caller"))).toEqual({ kind: "answer", to: agreed });
  });

  it("is read as before in a session that an earlier version has stored", () => {
    expect(said(response(200, "9 INVITE", "caller"), offer("caller")).kind).toBe("answer");
    expect(said(request("ACK", 9, "caller"), offer("callee")).kind).toBe("answer");
  });
});

describe("a message without a description", () => {
  it("refreshes", () => {
    for (const open of [undefined, offer("caller", 7)]) {
      expect(said(response(200, "8 INVITE", "caller", ""), open).kind).toBe("nothing");
      expect(said(response(200, "7 UPDATE", "caller", ""), open).kind).toBe("nothing");
    }
  });

  it("undoes the offer whose request has failed, and no other", () => {
    expect(said(response(491, "7 INVITE", "caller", ""), offer("caller", 7)).kind).toBe("failure");
    expect(said(response(491, "7 INVITE", "callee", ""), offer("caller", 7)).kind).toBe("nothing");
    expect(said(response(488, "6 INVITE", "caller", ""), offer("caller", 7)).kind).toBe("nothing");
    expect(said(response(488, "7 INVITE", "caller", "")).kind).toBe("nothing");
  });
});
