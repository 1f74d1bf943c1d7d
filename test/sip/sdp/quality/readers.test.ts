import { describe, expect, it } from "vitest";
import { DecodeError } from "../../../../src/model/errors.js";
import type { SdpMedia } from "../../../../src/sip/sdp/description.js";
import { CALLER, read, sdp } from "../descriptions.js";

const medium = (...attributes: string[]): SdpMedia =>
  read(sdp(CALLER, "m=application 4000 UDP x", ...attributes.map((a) => `a=${a}`))).media[0] as SdpMedia;

/** The column in the attribute's line, 1-based, and what is wrong. */
function refusal(...attributes: string[]): string {
  try {
    medium(...attributes);
  } catch (error) {
    if (error instanceof DecodeError)
      return error.message.replace(/^SDP line (\d+) /, (_, line) => `${Number(line) - 6}: `);
    throw error;
  }
  return "read";
}

const range = (wanted: number, worst = wanted) => ({ wanted, worst });

describe("a=sluice-class", () => {
  it.each([
    ["game-fps", { name: "game-fps" }],
    ["game-fps format=binary-v1", { name: "game-fps", format: "binary-v1" }],
    ["game-rts prio=3 format=json fast", { name: "game-rts", format: "json" }],
    ["game-rts x=a=b", { name: "game-rts" }],
    ["conversational ", { name: "conversational" }],
  ])("%s", (value, sessionClass) => {
    expect(medium(`sluice-class:${value}`).sessionClass).toEqual(sessionClass);
  });

  it("stands at session level too", () => {
    const { session, media } = read(sdp(CALLER, "a=sluice-class:streaming", "m=audio 4000 RTP/AVP 0"));
    expect([session.sessionClass, media[0]?.sessionClass]).toEqual([{ name: "streaming" }, undefined]);
  });

  it.each([
    ["sluice-class", "1: column 3: "],
    ["sluice-class:", "1: column 16: "],
    ["sluice-class:a/b", "1: column 16: "],
    [`sluice-class:${"a".repeat(65)}`, "1: column 16: "],
    ["sluice-class:game format=", "1: column 21: "],
    ["sluice-class:game format=a,b", "1: column 21: "],
    ["sluice-class:game x=1 x=2", "1: column 25: "],
    ["sluice-class:formats format=a,b", "1: column 24: "],
  ])("%s is refused", (attribute, place) => {
    expect(refusal(attribute)).toContain(place);
  });

  it("is there once", () => {
    expect(refusal("sluice-class:a", "sluice-class:a")).toBe(
      "2: column 16: a=sluice-class cannot be read: it is there already",
    );
  });
});

describe("a=sluice-need", () => {
  it("has ranges, in ms, parts of one, and kbit/s", () => {
    const needs = medium("sluice-need:sendrecv latency=40-80;jitter=5-12.5;loss=0.001-0.02;rate=500-200").needs;
    const both = {
      latency: range(40, 80),
      jitter: range(5, 12.5),
      loss: range(0.001, 0.02),
      rate: range(500_000, 200_000),
    };
    expect(needs).toEqual({ send: both, recv: both });
  });

  it.each([
    ["send latency=40", { send: { latency: range(40) } }],
    ["recv loss=0", { recv: { loss: range(0) } }],
    ["recv loss=1.0", { recv: { loss: range(1) } }],
    ["send jitter=0-3; rate=64", { send: { jitter: range(0, 3), rate: range(64_000) } }],
    ["send burst=9;latency=1;shape=smooth;flag", { send: { latency: range(1) } }],
    ["send flag", { send: {} }],
    ["send  latency=1", { send: { latency: range(1) } }],
  ])("%s", (value, needs) => {
    expect(medium(`sluice-need:${value}`).needs).toEqual(needs);
  });

  it("is one line for each direction, or one for both", () => {
    expect(medium("sluice-need:recv latency=9", "sluice-need:send latency=8").needs).toEqual({
      send: { latency: range(8) },
      recv: { latency: range(9) },
    });
    expect(refusal("sluice-need:sendrecv latency=9", "sluice-need:send latency=8")).toContain("2: column 15: ");
    expect(refusal("sluice-need:send latency=9", "sluice-need:send latency=9")).toContain("what it needs to send");
  });

  it.each<[string, number, string]>([
    ["", 15, "send, recv or sendrecv"],
    ["both latency=1", 15, "send, recv or sendrecv"],
    ["send", 15, "a space, and parameters"],
    ["sendlatency=1", 15, ""],
    ["send latency", 27, "milliseconds"],
    ["send latency=", 28, "milliseconds"],
    ["send latency=0", 28, "above 0"],
    ["send latency=fast", 28, "milliseconds"],
    ["send latency=-5", 28, "milliseconds"],
    ["send latency=1e3", 28, "milliseconds"],
    ["send latency=100000", 28, "milliseconds"],
    ["send latency=40-", 31, "milliseconds"],
    ["send latency=40-80-90", 31, "milliseconds"],
    ["send latency=80-40", 31, "better than what is wanted"],
    ["send jitter=9-8", 29, "better than what is wanted"],
    ["send loss=1.5", 25, "a fraction from 0 to 1"],
    ["send loss=5%", 25, "a fraction"],
    ["send loss=0.5-0.4", 29, "better than what is wanted"],
    ["send rate=0", 25, "whole kbit/s"],
    ["send rate=64.5", 25, "whole kbit/s"],
    ["send rate=200-500", 29, "better than what is wanted"],
    ["send rate=10000000", 25, "whole kbit/s"],
    ["send latency=1;;jitter=1", 30, "a parameter is"],
    ["send latency=1;", 30, "a parameter is"],
    ["send latency=1;latency=2", 30, "a second latency"],
    ["send latency=1;b[r=2", 30, "a parameter is"],
    ["send latency=1;x=a b", 32, "no spaces"],
    ["send latency=1;x=", 32, "visible characters"],
    ["send latency=1 jitter=2", 28, "milliseconds"],
  ])("refuses %j at column %i", (value, column, text) => {
    const told = refusal(`sluice-need:${value}`);
    expect(told).toContain(`1: column ${column}: a=sluice-need cannot be read: `);
    expect(told).toContain(text);
  });

  it("says the octet of the description", () => {
    const text = sdp(CALLER, "m=application 4000 UDP x", "a=sluice-need:send latency=x");
    expect(() => read(text)).toThrow(
      expect.objectContaining({ detail: { offset: text.indexOf("=x\r\n") + 1, object: "a=sluice-need" } }),
    );
  });
});

describe("a=sluice-security", () => {
  it.each(["none", "srtp", "dtls"] as const)("%s", (required) => {
    expect(medium(`sluice-security:${required} strict profile=7`).requiredSecurity).toBe(required);
  });

  it("is refused where it asks for what is not known", () => {
    expect(refusal("sluice-security:mls")).toBe(
      "1: column 19: a=sluice-security cannot be read: it must be none, srtp, dtls",
    );
    expect(refusal("sluice-security:")).toContain("1: column 19: ");
    expect(refusal("sluice-security:dtls", "sluice-security:none")).toContain("2: column 19: ");
  });
});

describe("a=3gpp-qos-hint", () => {
  it.each([
    ["loss=0.00001;latency=300", { loss: { whole: 0.00001 }, latency: { whole: 300 } }],
    [
      "loss=0.00002/local:0.000005;latency=600/local:400",
      { loss: { whole: 0.00002, local: 0.000005 }, latency: { whole: 600, local: 400 } },
    ],
    ["latency=300", { latency: { whole: 300 } }],
    ["latency=300/remote:x", { latency: { whole: 300 } }],
    ["reliability=high;loss=0.1", { loss: { whole: 0.1 } }],
  ])("%s", (value, hint) => {
    expect(medium(`3gpp-qos-hint:${value}`).hint).toEqual(hint);
  });

  it.each<[string, number]>([
    ["latency", 24],
    ["latency=soon", 25],
    ["loss=2", 22],
    ["latency=600/400", 29],
    ["latency=600/local:", 35],
    ["loss=0.1/local:7", 32],
    ["latency=1;latency=1", 27],
  ])("refuses %s at column %i", (value, column) => {
    expect(refusal(`3gpp-qos-hint:${value}`)).toContain(`1: column ${column}: `);
  });
});

describe("what is not known", () => {
  it("passes", () => {
    const { needs, sessionClass, hint } = medium(
      "sluice-future:x=1",
      "sluice-Need:send latency=1",
      "x-qos:1",
      "toString",
    );
    expect([needs, sessionClass, hint]).toEqual([undefined, undefined, undefined]);
  });
});
