import { describe, expect, it } from "vitest";
import { COMMAND } from "../../../src/cops/codec/codes.js";
import { SIP_M_TYPE } from "../../../src/cops/sip/codes.js";
import { decodeDirectives } from "../../../src/cops/sip/directives.js";
import { parseSessionId } from "../../../src/model/session.js";
import { shedDecision } from "../../../src/pdp/sip/shed-decision.js";

const id = parseSessionId("00112233445566ff")!;
const directives = (treatment: "bye" | "bestEffort") =>
  decodeDirectives(shedDecision({ id }, treatment, "pol1.a.example").clientSpecific ?? Buffer.alloc(0));

describe("the decision about a session that was shed", () => {
  it("removes it, with the reason that RFC 4411 has for the parties, and an answer for one that still rings", () => {
    expect(shedDecision({ id }, "bye", "pol1.a.example")).toMatchObject({
      command: COMMAND.remove,
      context: { mType: SIP_M_TYPE.bye },
    });
    expect(directives("bye")).toMatchObject({
      reason: 'Preemption ;cause=2 ;text="Reserved Resources Preempted"',
      refusal: { status: 503 },
      addHeaders: [
        { name: "Warning", value: expect.stringMatching(/^399 pol1\.a\.example "[^"]+"$/) },
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
