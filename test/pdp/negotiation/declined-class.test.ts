import { afterEach, describe, expect, it } from "vitest";
import { parsePrefix } from "../../../src/model/ip.js";
import { readAnswer, readMessage } from "../../../src/pdp/sip/message-reading.js";
import { audio, CALLEE, CALLER, Side, sdp, setUp } from "./two-servers.js";

const sides: Side[] = [];
afterEach(() => {
  for (const side of sides.splice(0)) side.close();
});

const poolsOf = (side: Side): readonly string[] =>
  side.ledger.view().flatMap(({ name, usedUp, usedDown }) => (usedUp + usedDown > 0 ? [name] : []));

describe("an answer that declines the class of the offer", () => {
  it.each([
    ["a class of games", "fps", "voice"],
    ["a class of calls", "talk", "voice"],
  ])("%s: media without a class has that of the rule that is for it", async (_name, offered, pool) => {
    const [caller, callee] = [new Side("originating"), new Side("terminating")];
    sides.push(caller, callee);
    const outcome = await setUp(caller, callee, {
      offer: sdp(CALLER, audio(0, `sluice-class:${offered}`)),
      answer: sdp(CALLEE, audio(0)),
    });
    expect(outcome).toEqual({ granted: [[], []] });
    expect([poolsOf(caller), poolsOf(callee)]).toEqual([[pool], [pool]]);
    expect([caller.record.class, callee.record.class]).toEqual(["voice", "voice"]);
  });
});

describe("an offer in the 200", () => {
  it("does not have the callee's own address at both ends", () => {
    const body = sdp(CALLEE, audio(0));
    const text = [
      ...["SIP/2.0 200 OK", "Via: SIP/2.0/UDP 10.1.0.10:5060;branch=z9hG4bKx", "Call-ID: call", "CSeq: 1 INVITE"],
      ...["From: <sip:alice@a.example>;tag=caller", "To: <sip:bob@b.example>;tag=callee"],
      ...[`Contact: <sip:ua@${CALLEE}:5060>`, "Content-Type: application/sdp", `Content-Length: ${body.length}`, ""],
      body,
    ].join("\r\n");
    const prefixes = [parsePrefix("10.3.0.0/24")].filter((prefix) => prefix !== undefined);
    const answer = readAnswer(
      readMessage(Buffer.from(text)),
      { offer: undefined, reoffer: undefined, side: "terminating" },
      { domain: "b.example", prefixes, symmetric: true },
    );
    const pending = answer.ok ? answer.value.pending : [];
    expect(pending.map(({ direction }) => direction).sort()).toEqual(["down", "up"]);
    for (const { key } of pending) expect(key?.source.address).not.toBe(CALLEE);
  });
});
