import { describe, expect, it } from "vitest";
import { responseTo } from "../../../src/sip/message/build.js";
import type { SipRequest, SipResponse } from "../../../src/sip/message/message.js";
import { byeTo, type DialogLegs, legsOf, withRefresh, withRequest } from "../../../src/sip/proxy/dialog-legs.js";
import { ALICE, BOB, PROXY, read, requestText } from "../harness.js";

const SELF = `<sip:${PROXY.address}:${PROXY.port};lr>`;
const request = (method: string, cseq: number, extra: string[] = []) =>
  read(
    Buffer.from(requestText({ method, cseq, extra, ...(method === "INVITE" ? {} : { toTag: "b1" }) })),
  ) as SipRequest;
const accepted = (invite: SipRequest, contact: string, routes: readonly string[]): SipResponse => {
  const headers = [
    { name: "Contact", value: `<${contact}>` },
    ...routes.map((value) => ({ name: "Record-Route", value })),
  ];
  return responseTo(invite, 200, { toTag: "b1", headers });
};
const isSelf = ({ host }: { readonly host: string }) => host === PROXY.address;

const invite = request("INVITE", 7, ["Record-Route: <sip:near.example;lr>, <sip:far.example;lr>"]);
const answer = accepted(invite, "sip:bob@203.0.113.9:5080", ["<sip:edge.example;lr>", SELF, "<sip:near.example;lr>"]);
function legs(): DialogLegs {
  const made = legsOf({ invite, callerSide: PROXY, accepted: answer, calleeSide: PROXY }, isSelf);
  if (made === undefined) throw new Error("there are Contacts");
  return made;
}
const bye = (of: DialogLegs, party: "caller" | "callee") => byeTo(of, party, { callId: "call-1", headers: [] });

describe("the legs of a dialog", () => {
  it("lead to each party along the part of the route that is beyond the proxy", () => {
    const { caller, callee } = legs();
    expect(caller).toMatchObject({
      target: `sip:agent@${ALICE.address}:${ALICE.port}`,
      routes: ["<sip:near.example;lr>", "<sip:far.example;lr>"],
      cseq: 0,
    });
    expect(callee).toMatchObject({
      target: `sip:bob@${BOB.address}:${BOB.port}`,
      routes: ["<sip:edge.example;lr>"],
      cseq: 7,
    });
  });

  it("are unknown without a Contact of both", () => {
    const silent = invite.removeHeader("Contact");
    expect(legsOf({ invite: silent, callerSide: PROXY, accepted: answer, calleeSide: PROXY }, isSelf)).toBeUndefined();
    const mute = answer.removeHeader("Contact");
    expect(legsOf({ invite, callerSide: PROXY, accepted: mute, calleeSide: PROXY }, isSelf)).toBeUndefined();
  });

  it("make a BYE in the other's name", () => {
    const toCaller = byeTo(legs(), "caller", {
      callId: "call-1",
      headers: [{ name: "Reason", value: "SIP ;cause=580" }],
    });
    expect(toCaller.startLine).toBe(`BYE sip:agent@${ALICE.address}:${ALICE.port} SIP/2.0`);
    expect([toCaller.fromTag, toCaller.toTag, toCaller.callId]).toEqual(["b1", "a1", "call-1"]);
    expect(toCaller.routes).toEqual(["<sip:near.example;lr>", "<sip:far.example;lr>"]);
    expect(toCaller.header("reason")).toBe("SIP ;cause=580");
    const toCallee = bye(legs(), "callee");
    expect([toCallee.fromTag, toCallee.toTag]).toEqual(["a1", "b1"]);
  });

  it("number a BYE above all that passed, and within what a CSeq may be", () => {
    const passed = withRequest(withRequest(legs(), "caller", request("INFO", 12)), "callee", request("INFO", 900));
    expect(bye(passed, "callee").cseq?.number).toBeGreaterThan(12);
    expect(bye(passed, "caller").cseq?.number).toBeGreaterThan(900);
    // An older one that comes late, such as an ACK, takes nothing back.
    expect(withRequest(passed, "caller", request("ACK", 7))).toEqual(passed);
    const last = withRequest(legs(), "caller", request("INFO", 2 ** 31 - 1));
    expect(bye(last, "callee").cseq).toEqual({ number: 2 ** 31 - 1, method: "BYE" });
  });

  it("follow both parties to where they say that they are", () => {
    const update = request("UPDATE", 8).setHeader("Contact", "<sip:alice@198.51.100.7>");
    const moved = withRefresh(legs(), "caller", {
      request: update,
      accepted: accepted(update, "sip:bob@203.0.113.1", []),
    });
    expect([moved.caller.target, moved.callee.target]).toEqual(["sip:alice@198.51.100.7", "sip:bob@203.0.113.1"]);
    expect(moved.callee.routes).toEqual(["<sip:edge.example;lr>"]);
  });
});
