import { describe, expect, it } from "vitest";
import { COMMAND } from "../../../src/cops/codec/codes.js";
import { SIP_M_TYPE } from "../../../src/cops/sip/codes.js";
import { decodeDirectives } from "../../../src/cops/sip/directives.js";
import { parseSessionId } from "../../../src/model/session.js";
import { timestamp } from "../../../src/model/units.js";
import { type Notice, noticeOf, shedDecision } from "../../../src/pdp/sip/shed-decision.js";

const id = parseSessionId("00112233445566ff")!;
const directives = (notice: Notice) =>
  decodeDirectives(shedDecision({ id }, notice, "pol1.a.example").clientSpecific ?? Buffer.alloc(0));

describe("the decision about a session that was shed", () => {
  it("removes it, with the reason that RFC 4411 has for the parties, and an answer for one that still rings", () => {
    expect(shedDecision({ id }, "preempted", "pol1.a.example")).toMatchObject({
      command: COMMAND.remove,
      context: { mType: SIP_M_TYPE.bye },
    });
    expect(directives("preempted")).toMatchObject({
      reason: 'Preemption ;cause=2 ;text="Reserved Resources Preempted"',
      refusal: { status: 503 },
      addHeaders: [
        { name: "Warning", value: expect.stringMatching(/^370 pol1\.a\.example "[^"]+"$/) },
        { name: "Retry-After" },
      ],
      session: id,
    });
  });

  it("leaves it, with a warning that there is too little bandwidth", () => {
    expect(shedDecision({ id }, "bestEffort", "pol1.a.example").command).toBe(COMMAND.install);
    const { addHeaders, refusal, reason } = directives("bestEffort");
    expect(addHeaders).toEqual([{ name: "Warning", value: expect.stringMatching(/^370 pol1\.a\.example "[^"]+"$/) }]);
    expect([refusal, reason]).toEqual([undefined, undefined]);
  });
});

describe("the decision about a session that the server ended", () => {
  it.each([
    ["idle", 'Q.850 ;cause=102 ;text="No Media"', 408],
    ["expired", 'Q.850 ;cause=102 ;text="Session Expired"', 408],
    ["left", 'Q.850 ;cause=16 ;text="User Left"', 480],
  ] as const)("%s: removes it, and says why", (notice, reason, status) => {
    expect(shedDecision({ id }, notice, "pol1")).toMatchObject({
      command: COMMAND.remove,
      context: { mType: SIP_M_TYPE.bye },
    });
    const told = directives(notice);
    expect(told).toMatchObject({ reason, refusal: { status }, session: id });
    // RFC 3326 §2: protocol, then parameters.
    expect(told.reason).toMatch(/^Q\.850 ;cause=\d{1,3} ;text="[^"]+"$/);
    expect(told.addHeaders).toEqual([
      { name: "Warning", value: expect.stringMatching(/^399 pol1\.a\.example "[^"\\]+"$/) },
    ]);
  });

  it("is told from the record", () => {
    const at = timestamp(1);
    expect(noticeOf({})).toBeUndefined();
    expect(noticeOf({ shed: { treatment: "bestEffort", at } })).toBe("bestEffort");
    expect(noticeOf({ shed: { treatment: "bye", at } })).toBe("preempted");
    for (const cause of ["idle", "expired", "left"] as const) {
      expect(noticeOf({ shed: { treatment: "bye", at, cause } })).toBe(cause);
    }
  });
});
