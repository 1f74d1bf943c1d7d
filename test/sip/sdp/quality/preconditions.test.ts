import { describe, expect, it } from "vitest";
import { CALLER, read, sdp } from "../descriptions.js";

const media = (...lines: string[]) => read(sdp(CALLER, ...lines)).media;

const why = (line: string): string => {
  try {
    media("m=audio 4000 RTP/AVP 0", line);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "read";
};

describe("preconditions", () => {
  it("are those of the example in RFC 3312 §4", () => {
    const [first, second] = media(
      "m=audio 20000 RTP/AVP 0",
      "a=curr:qos e2e send",
      "a=des:qos optional e2e send",
      "a=des:qos mandatory e2e recv",
      "m=audio 20002 RTP/AVP 0",
      "a=curr:qos local sendrecv",
      "a=curr:qos remote none",
      "a=des:qos optional local sendrecv",
      "a=des:qos mandatory remote sendrecv",
    );
    expect(first?.preconditions).toEqual({
      current: [{ segment: "e2e", direction: "send" }],
      desired: [
        { strength: "optional", segment: "e2e", direction: "send" },
        { strength: "mandatory", segment: "e2e", direction: "recv" },
      ],
      confirm: [],
    });
    expect(second?.preconditions).toEqual({
      current: [
        { segment: "local", direction: "sendrecv" },
        { segment: "remote", direction: "none" },
      ],
      desired: [
        { strength: "optional", segment: "local", direction: "sendrecv" },
        { strength: "mandatory", segment: "remote", direction: "sendrecv" },
      ],
      confirm: [],
    });
  });

  it("have a confirmation status, and strengths that say what failed (RFC 3312 §8)", () => {
    const [medium] = media(
      "m=audio 0 RTP/AVP 0",
      "a=conf:qos e2e recv",
      "a=des:qos failure e2e send",
      "a=des:qos unknown e2e recv",
    );
    expect(medium?.preconditions?.confirm).toEqual([{ segment: "e2e", direction: "recv" }]);
    expect(medium?.preconditions?.desired.map(({ strength }) => strength)).toEqual(["failure", "unknown"]);
  });

  it("of other types pass, whatever they say", () => {
    const [medium] = media("m=audio 4000 RTP/AVP 0", "a=curr:sec e2e none", "a=des:conn whatever", "a=conf:x");
    expect(medium?.preconditions).toBeUndefined();
  });

  it.each<[string, number]>([
    ["a=curr", 3],
    ["a=curr:", 8],
    ["a=curr:qos", 11],
    ["a=curr:qos far send", 12],
    ["a=curr:qos e2e", 15],
    ["a=curr:qos e2e both", 16],
    ["a=curr:qos e2e send now", 21],
    ["a=curr:qos  e2e send", 12],
    ["a=des:qos e2e send", 11],
    ["a=des:qos mandatory e2e", 24],
    ["a=des:qos always e2e send", 11],
    ["a=conf:qos local up", 18],
  ])("%j is refused at column %i", (line, column) => {
    expect(why(line)).toContain(`SDP line 7 column ${column}: `);
  });
});

describe("mechanisms", () => {
  it("are those of the example in RFC 5432 §5", () => {
    const [medium] = media("m=audio 50000 RTP/AVP 0", "a=qos-mech-send: rsvp nsis", "a=qos-mech-recv:nsis");
    expect(medium?.mechanisms).toEqual({ send: ["rsvp", "nsis"], recv: ["nsis"] });
  });

  it("are an empty list where none is common, and may stand at session level", () => {
    const { session, media: list } = read(sdp(CALLER, "a=qos-mech-send:", "m=audio 4000 RTP/AVP 0"));
    expect([session.mechanisms, list[0]?.mechanisms]).toEqual([{ send: [] }, undefined]);
  });

  it("are tokens, once", () => {
    expect(why("a=qos-mech-send: rsvp ns/is")).toContain("column 23: ");
    expect(why("a=qos-mech-recv:rsvp\r\na=qos-mech-recv:nsis")).toContain("line 8 column 17: ");
  });
});
