/** Offers and answers, and what they agree on: the table of docs/SDP.md and more. */
import { describe, expect, it } from "vitest";
import { CALLEE, CALLER, description, flows, type Lines, quality, result } from "../descriptions.js";

const BOTH = "a=sluice-need:sendrecv latency=40-80;jitter=10-20;loss=0.01-0.02;rate=500-200";
const needs = (text: string) => `a=sluice-need:sendrecv ${text}`;
const CLASS = "a=sluice-class:game-fps";
const WHOLE = "latency=40-80;jitter=10-20;loss=0.01-0.02;rate=500-200";
/** A data medium of which nothing is said: 1 Mbit/s of payload. */
const UNSAID = 1023.52;

type Row = readonly [name: string, offer: Lines, answer: Lines | undefined, towardCaller: string, towardCallee: string];

const agreed: readonly Row[] = [
  ["nothing said", [], [], `- - ${UNSAID}`, `- - ${UNSAID}`],
  // No answer yet: what the offer wants is reserved.
  ["offer alone", [CLASS, BOTH], undefined, `game-fps ${WHOLE} 500/200`, `game-fps ${WHOLE} 500/200`],
  ["offer alone, to send", ["a=sluice-need:send rate=500-200"], undefined, `- - ${UNSAID}`, "- rate=500-200 500/200"],
  ["offer alone, to receive", ["a=sluice-need:recv latency=40"], undefined, `- latency=40 ${UNSAID}`, `- - ${UNSAID}`],
  // Keep.
  ["kept", [CLASS, BOTH], [CLASS, BOTH], `game-fps ${WHOLE} 500/200`, `game-fps ${WHOLE} 500/200`],
  ["kept, one value", [needs("rate=300")], [needs("rate=300")], "- rate=300 300", "- rate=300 300"],
  // Loosen.
  [
    "loosened latency",
    [needs("latency=40-80")],
    [needs("latency=80")],
    `- latency=80 ${UNSAID}`,
    `- latency=80 ${UNSAID}`,
  ],
  [
    "loosened to a part of the range",
    [needs("latency=40-80")],
    [needs("latency=60-70")],
    `- latency=60-70 ${UNSAID}`,
    `- latency=60-70 ${UNSAID}`,
  ],
  [
    "loosened rate",
    [needs("rate=500-200")],
    [needs("rate=300-200")],
    "- rate=300-200 300/200",
    "- rate=300-200 300/200",
  ],
  ["loosened to the worst", [needs("rate=500-200")], [needs("rate=200")], "- rate=200 200", "- rate=200 200"],
  ["loosened loss", [needs("loss=0-0.05")], [needs("loss=0.05")], `- loss=0.05 ${UNSAID}`, `- loss=0.05 ${UNSAID}`],
  // Tighten.
  [
    "tightened latency",
    [needs("latency=40-80")],
    [needs("latency=20-80")],
    `- latency=20-80 ${UNSAID}`,
    `- latency=20-80 ${UNSAID}`,
  ],
  [
    "tightened worst",
    [needs("latency=40-80")],
    [needs("latency=40")],
    `- latency=40 ${UNSAID}`,
    `- latency=40 ${UNSAID}`,
  ],
  ["tightened jitter", [needs("jitter=10")], [needs("jitter=3-5")], `- jitter=3-5 ${UNSAID}`, `- jitter=3-5 ${UNSAID}`],
  [
    "tightened rate",
    [needs("rate=500-200")],
    [needs("rate=600-400")],
    "- rate=600-400 600/400",
    "- rate=600-400 600/400",
  ],
  // Decline.
  ["all declined", [CLASS, BOTH], [], `- - ${UNSAID}`, `- - ${UNSAID}`],
  [
    "one parameter declined",
    [needs("latency=40;rate=500-200")],
    [needs("rate=500-200")],
    "- rate=500-200 500/200",
    "- rate=500-200 500/200",
  ],
  [
    "one direction declined",
    [BOTH],
    ["a=sluice-need:send latency=40-80"],
    `- latency=40-80 ${UNSAID}`,
    `- - ${UNSAID}`,
  ],
  [
    "class declined, need kept",
    [CLASS, needs("latency=40")],
    [needs("latency=40")],
    `- latency=40 ${UNSAID}`,
    `- latency=40 ${UNSAID}`,
  ],
  ["need declined, class kept", [CLASS, needs("latency=40")], [CLASS], `game-fps - ${UNSAID}`, `game-fps - ${UNSAID}`],
  // Add.
  ["added by the answer", [], [needs("latency=40-80")], `- latency=40-80 ${UNSAID}`, `- latency=40-80 ${UNSAID}`],
  [
    "parameter added",
    [needs("latency=40")],
    [needs("latency=40;jitter=5")],
    `- latency=40;jitter=5 ${UNSAID}`,
    `- latency=40;jitter=5 ${UNSAID}`,
  ],
  // What one sends the other receives.
  [
    "directions",
    ["a=sluice-need:send rate=500-200", "a=sluice-need:recv rate=100-50"],
    ["a=sluice-need:recv rate=400-200", "a=sluice-need:send rate=100-50"],
    "- rate=100-50 100/50",
    "- rate=400-200 400/200",
  ],
  [
    "one side's send against both of the other",
    ["a=sluice-need:send latency=40-80"],
    [needs("latency=60-80")],
    `- latency=60-80 ${UNSAID}`,
    `- latency=60-80 ${UNSAID}`,
  ],
  [
    "both of one side against the other's recv",
    [needs("latency=40-80")],
    ["a=sluice-need:recv latency=60-80"],
    `- - ${UNSAID}`,
    `- latency=60-80 ${UNSAID}`,
  ],
  // Session level is the default of media that say nothing.
  [
    "session level",
    ["S a=sluice-class:game-rts", `S ${needs("latency=90")}`],
    ["S a=sluice-class:game-rts", `S ${needs("latency=90")}`],
    `game-rts latency=90 ${UNSAID}`,
    `game-rts latency=90 ${UNSAID}`,
  ],
  [
    "media level over it",
    ["S a=sluice-class:game-rts", CLASS, `S ${needs("latency=90")}`, needs("latency=40")],
    [CLASS, needs("latency=40")],
    `game-fps latency=40 ${UNSAID}`,
    `game-fps latency=40 ${UNSAID}`,
  ],
  [
    "media level over it for one direction",
    [`S ${needs("latency=90")}`, "a=sluice-need:send latency=40"],
    [needs("latency=40")],
    `- latency=40 ${UNSAID}`,
    `- latency=40 ${UNSAID}`,
  ],
  [
    "answered at the other level",
    [CLASS, needs("latency=90")],
    ["S a=sluice-class:game-fps", `S ${needs("latency=90")}`],
    `game-fps latency=90 ${UNSAID}`,
    `game-fps latency=90 ${UNSAID}`,
  ],
  // Rates: what is needed is reserved, b= bounds it.
  [
    "rate below b=",
    ["b=AS:1000", needs("rate=500-200")],
    ["b=AS:1000", needs("rate=500-200")],
    "- rate=500-200 500/200",
    "- rate=500-200 500/200",
  ],
  [
    "rate above b= of its receiver",
    ["b=AS:300", needs("rate=500-200")],
    [needs("rate=500-200")],
    "- rate=300-200 300/200",
    "- rate=500-200 500/200",
  ],
  [
    "b= below the worst",
    ["b=AS:100", needs("rate=500-200")],
    [needs("rate=500-200")],
    "- rate=100 100",
    "- rate=500-200 500/200",
  ],
  [
    "TIAS with its headers as the bound",
    ["b=TIAS:96000", "a=maxprate:10", needs("rate=500-64")],
    [needs("rate=500-64")],
    "- rate=98.24-64 98.24/64",
    "- rate=500-64 500/64",
  ],
  [
    "b= without a rate",
    ["b=AS:300", needs("latency=40")],
    ["b=AS:300", needs("latency=40")],
    "- latency=40 300",
    "- latency=40 300",
  ],
  // Hints bind nobody: the answer's counts, and the stricter of it and the need.
  [
    "hint alone, before the answer",
    ["a=3gpp-qos-hint:loss=0.001;latency=60"],
    undefined,
    `- latency=60;loss=0.001 ${UNSAID}`,
    `- latency=60;loss=0.001 ${UNSAID}`,
  ],
  [
    "hint kept",
    ["a=3gpp-qos-hint:latency=60"],
    ["a=3gpp-qos-hint:latency=60"],
    `- latency=60 ${UNSAID}`,
    `- latency=60 ${UNSAID}`,
  ],
  [
    "hint loosened, which a need could not be",
    ["a=3gpp-qos-hint:latency=60"],
    ["a=3gpp-qos-hint:latency=300/local:200"],
    `- latency=300 ${UNSAID}`,
    `- latency=300 ${UNSAID}`,
  ],
  ["hint not answered", ["a=3gpp-qos-hint:latency=60"], [], `- - ${UNSAID}`, `- - ${UNSAID}`],
  [
    "hint stricter than the need",
    [needs("latency=40-80"), "a=3gpp-qos-hint:latency=60"],
    [needs("latency=40-80"), "a=3gpp-qos-hint:latency=60"],
    `- latency=40-60 ${UNSAID}`,
    `- latency=40-60 ${UNSAID}`,
  ],
  [
    "need stricter than the hint",
    [needs("latency=40-80"), "a=3gpp-qos-hint:latency=300;loss=0.1"],
    [needs("latency=40-80"), "a=3gpp-qos-hint:latency=300;loss=0.1"],
    `- latency=40-80;loss=0.1 ${UNSAID}`,
    `- latency=40-80;loss=0.1 ${UNSAID}`,
  ],
  [
    "need kept, hint not known",
    [needs("latency=40-80"), "a=3gpp-qos-hint:latency=60"],
    [needs("latency=40-80")],
    `- latency=40-80 ${UNSAID}`,
    `- latency=40-80 ${UNSAID}`,
  ],
  // Hold keeps what is agreed.
  ["hold", [BOTH, "a=sendonly"], [BOTH, "a=recvonly"], `- ${WHOLE} 500/200 closed`, `- ${WHOLE} 500/200`],
  ["both held", [BOTH, "a=inactive"], [BOTH, "a=inactive"], `- ${WHOLE} 500/200 closed`, `- ${WHOLE} 500/200 closed`],
  // Security that is there.
  ["nothing required", ["a=sluice-security:none"], ["a=sluice-security:none"], `- - ${UNSAID}`, `- - ${UNSAID}`],
];

const outside: readonly (readonly [name: string, offer: Lines, answer: Lines, text: string])[] = [
  [
    "latency",
    [needs("latency=40-80")],
    [needs("latency=40-81")],
    "the answer's latency of 40-81 ms for medium 0 is outside the offered 40-80 ms",
  ],
  [
    "latency without a range",
    [needs("latency=40")],
    [needs("latency=41")],
    "latency of 41 ms for medium 0 is outside the offered 40 ms",
  ],
  ["jitter", [needs("jitter=5")], [needs("jitter=1-6")], "jitter of 1-6 ms"],
  ["loss", [needs("loss=0.01")], [needs("loss=0.02")], "loss of 0.02 for medium 0 is outside the offered 0.01"],
  [
    "rate",
    [needs("rate=500-200")],
    [needs("rate=500-100")],
    "rate of 500-100 kbit/s for medium 0 is outside the offered 500-200 kbit/s",
  ],
  ["one direction only", ["a=sluice-need:send latency=40"], ["a=sluice-need:recv latency=50"], "latency of 50 ms"],
  ["at session level", [`S ${needs("latency=40")}`], [needs("latency=50")], "latency of 50 ms"],
  [
    "another class",
    [CLASS],
    ["a=sluice-class:game-rts"],
    "the answer gives medium 0 the class game-rts, the offer the class game-fps",
  ],
  ["a class that was not offered", [], [CLASS], "the answer gives medium 0 the class game-fps, the offer none"],
  ["another class at session level", [CLASS], ["S a=sluice-class:streaming"], "the class streaming"],
];

const row = (toward: string, lines: string) => `${toward} ${lines}`;

describe("an offer and its answer", () => {
  it.each(agreed)("%s", (_, offer, answer, towardCaller, towardCallee) => {
    const made = flows(description(CALLER, offer), answer && description(CALLEE, answer));
    expect(made.map(quality)).toEqual([row("caller", towardCaller), row("callee", towardCallee)]);
  });

  it.each(agreed)("%s, over IPv6 and offered by the callee", (_, offer, answer, towardCaller, towardCallee) => {
    // The header of IPv6 is larger by 20 octets.
    const grown = (text: string) => text.replace(String(UNSAID), "1040.32").replaceAll("98.24", "99.84");
    const made = flows(description("2001:db8::2", offer), answer && description("2001:db8::1", answer), {
      offerer: "callee",
    });
    expect(made.map(quality)).toEqual([row("callee", grown(towardCaller)), row("caller", grown(towardCallee))]);
  });

  it.each(outside)("outside the range: %s", (_, offer, answer, text) => {
    const made = result(description(CALLER, offer), description(CALLEE, answer));
    expect(made).toMatchObject({ kind: "unusable", reason: "outOfRange", text: expect.stringContaining(text) });
  });

  it("says what the answer did", () => {
    const [towardCaller, towardCallee] = flows(
      description(CALLER, [
        "a=sluice-need:recv latency=40-80;jitter=5;rate=500-200",
        needs("loss=0.1").replace("sendrecv", "send"),
      ]),
      description(CALLEE, ["a=sluice-need:send latency=60-80;rate=500-200;loss=0.2"]),
    );
    expect(towardCaller?.changes).toEqual({ latency: "loosened", jitter: "declined", rate: "kept", loss: "added" });
    expect(towardCallee?.changes).toEqual({ loss: "declined" });
    expect(flows(description(CALLER, [BOTH]))[0]?.changes).toBeUndefined();
  });
});
