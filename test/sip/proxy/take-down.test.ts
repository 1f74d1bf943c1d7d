import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  stepTakeDown,
  TALKING,
  type TakeDownAction,
  type TakeDownEvent,
  type TakeDownState,
} from "../../../src/sip/proxy/take-down.js";

const asked: TakeDownState = { caller: "asked", callee: "asked" };
const half: TakeDownState = { caller: "over", callee: "asked" };
const over: TakeDownState = { caller: "over", callee: "over" };

const EVENTS: readonly TakeDownEvent[] = [
  { kind: "start" },
  ...(["caller", "callee"] as const).flatMap((party) =>
    (["answered", "failed", "bye"] as const).map((kind) => ({ kind, party })),
  ),
];

describe("ending a dialog at both parties", () => {
  it.each<[string, TakeDownState, TakeDownEvent, TakeDownState, readonly TakeDownAction[]]>([
    [
      "asks both",
      TALKING,
      { kind: "start" },
      asked,
      [
        { do: "sendBye", party: "caller" },
        { do: "sendBye", party: "callee" },
      ],
    ],
    ["waits for the other", asked, { kind: "answered", party: "caller" }, half, []],
    ["is over with the second answer", half, { kind: "answered", party: "callee" }, over, [{ do: "over" }]],
    ["is over when nobody answers", half, { kind: "failed", party: "callee" }, over, [{ do: "over" }]],
    ["answers a BYE that crossed", asked, { kind: "bye", party: "caller" }, half, [{ do: "answer" }]],
    ["is over with a BYE", half, { kind: "bye", party: "callee" }, over, [{ do: "answer" }, { do: "over" }]],
    ["counts a party once", half, { kind: "answered", party: "caller" }, half, []],
    ["answers a BYE also when all is over", over, { kind: "bye", party: "caller" }, over, [{ do: "answer" }]],
    ["asks nobody twice", asked, { kind: "start" }, asked, []],
    [
      "does not ask who has left",
      { ...TALKING, caller: "over" },
      { kind: "start" },
      half,
      [{ do: "sendBye", party: "callee" }],
    ],
  ])("%s", (_name, before, event, state, actions) => {
    expect(stepTakeDown(before, event)).toEqual({ state, actions });
  });

  it("asks each party at most once, answers every BYE, and is over once, when both are, in any order of events", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 20 }), (events) => {
        let state = TALKING;
        const done: TakeDownAction[] = [];
        for (const event of events) {
          const step = stepTakeDown(state, event);
          state = step.state;
          done.push(...step.actions);
          expect(step.actions.filter((action) => action.do === "answer")).toHaveLength(event.kind === "bye" ? 1 : 0);
        }
        for (const party of ["caller", "callee"] as const) {
          const byes = done.filter((action) => action.do === "sendBye" && action.party === party);
          expect(byes.length).toBeLessThanOrEqual(1);
        }
        const isOver = state.caller === "over" && state.callee === "over";
        expect(done.filter((action) => action.do === "over")).toHaveLength(isOver ? 1 : 0);
      }),
    );
  });
});
