import { describe, expect, it } from "vitest";
import { refusalAnswer } from "../../../src/sip/message/refusal.js";

describe("a refusal to a caller", () => {
  it("has the warn-code of its reason, and when to try again where that may help", () => {
    expect(refusalAnswer("noRoom", "pool voice is full", "pol1.a.example")).toEqual({
      status: 503,
      phrase: "Service Unavailable",
      headers: [
        { name: "Warning", value: '370 pol1.a.example "pool voice is full"' },
        { name: "Retry-After", value: "30" },
      ],
    });
    expect(refusalAnswer("rateUnavailable", "pool voice is full", "pol1.a.example")).toEqual({
      status: 580,
      phrase: "Precondition Failure",
      headers: [{ name: "Warning", value: '370 pol1.a.example "pool voice is full"' }],
    });
    expect(refusalAnswer("qualityUnavailable", "95 ms", "pol1").headers).toEqual([
      { name: "Warning", value: '399 pol1 "95 ms"' },
    ]);
  });

  it("keeps its sentence within the quotes and the line", () => {
    expect(refusalAnswer("noRoom", 'a "b" \\ c\r\nd', "p").headers[0]?.value).toBe(`370 p "a 'b' ' c''d"`);
  });
});
