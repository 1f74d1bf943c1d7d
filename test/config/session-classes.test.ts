import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { parsePercent } from "../../src/config/percent.js";
import { ConfigError } from "../../src/model/errors.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-classes-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const FILE = `role: pdp
name: pol1.a.example
cops: { listen: "10.1.0.6:3288" }
domain: a.example
access: { router: r1.a.example, prefixes: [10.1.0.0/24] }
pools:
  - { name: voice, id: 1, rate: 500 kbit/s }
  - { name: game, id: 2, rate: 500 kbit/s }
classes:
  - { name: voice, pool: voice, phb: EF }
  - { name: game, pool: game, phb: VA }
sessionClasses:
  - { name: game-fps, class: game, latency: 40 ms, jitter: 15 ms, loss: 0.5 %, security: dtls, ack: direct, maxRate: 200 kbit/s }
  - { name: conversational, class: voice }
rules:
  - { name: games, from: "*@*", to: "*@*", sessionClasses: [game-fps], treatment: assured }
  - { name: calls, from: "*@*", to: "*@*", class: voice, sessionClasses: [conversational], treatment: assured }
`;

function load(text: string) {
  const file = join(directory, "pdp.yaml");
  writeFileSync(file, text);
  return loadConfig(file, "pdp");
}

function complaints(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ message, remedy }) => `${message}; ${remedy}`);
  }
  throw new Error("nothing was wrong");
}

describe("session classes", () => {
  it("are read, and what is left out is filled in", () => {
    const { sessionClasses, rules, unmeasured } = load(FILE);
    expect(sessionClasses).toEqual([
      {
        ...{ name: "game-fps", class: "game", latency: 40, jitter: 15, loss: 0.005 },
        ...{ security: "dtls", ack: "direct", maxRate: 200_000 },
      },
      { name: "conversational", class: "voice", security: "none", ack: "routed" },
    ]);
    expect(rules.map((rule) => rule.sessionClasses)).toEqual([["game-fps"], ["conversational"]]);
    expect(unmeasured).toBe("refuse");
    expect(load(`${FILE}unmeasured: allow\n`).unmeasured).toBe("allow");
  });

  it.each([
    [
      "a rule's list",
      ["sessionClasses: [game-fps]", "sessionClasses: [game-fsp]"],
      'rules[0].sessionClasses[0]: there is no session class "game-fsp"; did you mean "game-fps"?',
    ],
    [
      "a service class",
      ["class: game, latency", "class: gmae, latency"],
      'sessionClasses[0].class: there is no class "gmae"; did you mean "game"?',
    ],
    [
      "a name that is taken",
      ["name: conversational", "name: game-fps"],
      'sessionClasses[1].name: session class "game-fps" is already taken; choose another',
    ],
    [
      "a name said twice",
      ["[game-fps]", "[game-fps, game-fps]"],
      'rules[0].sessionClasses[1]: session class "game-fps" is already taken; choose another',
    ],
    [
      "a loss without its unit",
      ["0.5 %", "0.5"],
      'sessionClasses[0].loss: "0.5" is not a percentage; write one such as "0.5 %"',
    ],
  ] as const)("are checked: %s", (_, [from, to], problem) => {
    expect(complaints(FILE.replace(from, to))).toContain(problem);
  });

  it("are what an assured rule has to have, if it has no class", () => {
    const [problem] = complaints(FILE.replace(", sessionClasses: [game-fps]", ""));
    expect(problem).toContain('rule "games" is assured but names no class; add "class:" or "sessionClasses:"');
  });
});

describe("percentages", () => {
  it.each([
    ["0.5 %", 0.005],
    ["0.07%", 0.0007],
    ["100 %", 1],
    ["0 %", 0],
  ])("%s is %f", (text, value) => {
    expect(parsePercent(text)).toEqual({ value });
  });

  it.each([["0.5"], ["-1 %"], ["101 %"], ["1e3 %"], ["%"], ["five %"]])("%s is refused, with what to write", (text) => {
    expect(parsePercent(text)).toHaveProperty("fault.remedy");
  });
});
