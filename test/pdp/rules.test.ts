import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bitsPerSecond, kilobitsPerSecond } from "../../src/model/units.js";
import { matchesPattern, RuleBook } from "../../src/pdp/rules.js";

const attempt = {
  caller: "alice@a.example",
  callee: "bob@b.example",
  media: ["audio"],
  rate: kilobitsPerSecond(84),
  userSessions: 0,
};

const book = new RuleBook(
  [
    { name: "carol", from: "*@a.example", to: "carol@b.example", treatment: "bestEffort" },
    { name: "barred", from: "mallory@*", to: "*", treatment: "refuse" },
    {
      name: "calls",
      from: "*@*.example",
      to: "*@*",
      media: ["audio"],
      class: "voice",
      maxRate: kilobitsPerSecond(100),
      maxSessionsPerUser: 2,
      treatment: "assured",
    },
  ],
  "refuse",
);

describe("rules and session classes", () => {
  const rule = { from: "*", to: "*" } as const;
  const classes = new RuleBook(
    [
      { ...rule, name: "barred", from: "mallory@*", treatment: "refuse" },
      { ...rule, name: "games", treatment: "assured", sessionClasses: ["fps", "rts"] },
      { ...rule, name: "mixed", treatment: "assured", class: "voice", sessionClasses: ["talk"] },
      { ...rule, name: "films", treatment: "bestEffort", sessionClasses: ["film"] },
      { ...rule, name: "plain", treatment: "assured", class: "data" },
    ],
    "refuse",
  );
  it.each([
    ["all named in a list", ["fps", "rts"], "games"],
    ["none named, by a rule with a class", [undefined], "mixed"],
    ["some named, by a rule with a class", [undefined, "talk"], "mixed"],
    ["named in the list of a rule that guarantees nothing", ["film"], "films"],
    ["one that no list has", ["chess"], "defaultTreatment"],
    ["two that no list has together", ["fps", "talk"], "defaultTreatment"],
    ["none named beside one, by no rule", [undefined, "fps"], "defaultTreatment"],
  ])("cover media with %s", (_, sessionClasses, expected) => {
    expect(classes.judge({ ...attempt, sessionClasses }).rule).toBe(expected);
  });

  it("say what nobody may start", () => {
    expect(classes.judge({ ...attempt, sessionClasses: ["chess", undefined] })).toMatchObject({
      text: "no rule lets alice@a.example start audio (chess) to bob@b.example",
    });
  });

  it("refuse whom they bar, whatever their media name", () => {
    for (const name of ["fps", "chess", undefined]) {
      expect(classes.judge({ ...attempt, caller: "mallory@x", sessionClasses: [name] }).rule).toBe("barred");
    }
  });

  it("say what they serve in a session that lives", () => {
    expect([classes.serves("mixed", ["talk", undefined]), classes.serves("mixed", ["fps"])]).toEqual([true, false]);
    expect([classes.serves("plain", ["talk"]), classes.serves("gone", [undefined])]).toEqual([false, false]);
  });
});

describe("rules", () => {
  it.each([
    ["first match wins", {}, { treatment: "assured", rule: "calls", class: "voice" }],
    ["best effort", { callee: "Carol@B.example" }, { treatment: "bestEffort", rule: "carol" }],
    ["barred", { caller: "mallory@a.example" }, { treatment: "refuse", reason: "notAuthorised", rule: "barred" }],
    ["other media", { media: ["audio", "video"] }, { treatment: "refuse", rule: "defaultTreatment" }],
    ["too fast", { rate: bitsPerSecond(100_001) }, { treatment: "refuse", reason: "mediaUnacceptable" }],
    ["too many", { userSessions: 2 }, { treatment: "refuse", reason: "rateLimited" }],
    ["stranger", { caller: "x@elsewhere" }, { treatment: "refuse", reason: "notAuthorised" }],
  ])("%s", (_, change, expected) => {
    expect(book.judge({ ...attempt, ...change })).toMatchObject(expected);
  });

  it("falls back as configured", () => {
    expect(new RuleBook([], "bestEffort").judge(attempt)).toEqual({
      treatment: "bestEffort",
      rule: "defaultTreatment",
    });
  });

  it("matches patterns as a regular expression would", () => {
    const text = fc.array(fc.constantFrom("a", "b", "@", ".")).map((letters) => letters.join(""));
    const pattern = fc.array(fc.constantFrom("a", "b", "@", ".", "*")).map((letters) => letters.join(""));
    fc.assert(
      fc.property(pattern, text, (wanted, given) => {
        const source = wanted.split(/\*+/).map((part) => part.replaceAll(".", "\\."));
        return matchesPattern(wanted, given) === new RegExp(`^${source.join(".*")}$`).test(given);
      }),
      { numRuns: 2000 },
    );
  });
});
