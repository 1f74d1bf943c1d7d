import { UserAgent } from "sip.js";
import { describe, expect, it } from "vitest";
import { uriOf } from "../../../../src/portal/web/api/types.js";
import { addressOf } from "../../../../src/portal/web/view/play.js";

const own = "zoe@a.example";

describe("whom somebody means who types a name", () => {
  it.each([
    ["Ally", "sip:Ally@a.example;user=nick"],
    ["Ally B.", "sip:Ally%20B.@a.example;user=nick"],
    ["Jürg", "sip:J%C3%BCrg@a.example;user=nick"],
    ["a;user=x?y", "sip:a%3Buser%3Dx%3Fy@a.example;user=nick"],
    ["bob@b.example", "bob@b.example"],
    ["sip:bob@b.example", "sip:bob@b.example"],
  ])("%s: %s", (name, expected) => {
    expect(addressOf(name, own)).toBe(expected);
    const uri = UserAgent.makeURI(uriOf(expected));
    expect(uri?.user).toBe(/^(?:sip:)?([^@]*)/.exec(name)?.[1]);
    expect(uri?.getParam("user")).toBe(name.includes("@") ? undefined : "nick");
  });

  it.each(["foo bar@b.example", "Jürg@b.example", "@", "", "sip:x@"])("nobody: %j", (name) => {
    expect(addressOf(name, own)).toBeUndefined();
  });

  it("does not choke on half a character", () => {
    expect(addressOf("x\ud83d", own)).toBe("sip:x%EF%BF%BD@a.example;user=nick");
  });
});
