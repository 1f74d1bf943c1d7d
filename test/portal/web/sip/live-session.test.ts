import { expect, it } from "vitest";
import { type LiveSession, stepsSince, withStep } from "../../../../src/portal/web/sip/live-session.js";

const EMPTY: LiveSession = {
  callId: "call-1",
  peer: "bob@a.example",
  isCaller: true,
  activity: "game",
  phase: "active",
  offered: {},
  offeredByUs: true,
  media: ["application"],
  grants: [],
  steps: [],
};

it("a log that follows the steps has the newest of however many there are", () => {
  let live = EMPTY;
  let log: string[] = [];
  for (let nth = 0; nth < 450; nth += 1) {
    const shown = live.steps;
    live = withStep(live, nth, "Change", String(nth));
    // Twice at once, as two steps between two looks are.
    if (nth % 3 === 0) live = withStep(live, nth, "Granted", String(nth));
    log = [...log, ...stepsSince(live.steps, shown).map(({ what, detail }) => `${what} ${detail}`)];
  }
  expect(log).toHaveLength(600);
  expect(log.slice(-2)).toEqual(["Change 448", "Change 449"]);
  expect(live.steps.map(({ what, detail }) => `${what} ${detail}`)).toEqual(log.slice(-live.steps.length));
  expect(stepsSince(live.steps, [])).toBe(live.steps);
});
