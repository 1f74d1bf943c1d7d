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
