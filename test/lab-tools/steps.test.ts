import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchLadder, sessionSteps } from "../../src/lab/steps.js";
import type { WireMessage } from "../../src/lab/wire-message.js";
import { type LadderStep, SETUP_LADDER, TEARDOWN_LADDER } from "../../src/model/ladder.js";
import type { Timestamp } from "../../src/model/units.js";

const CALL = "call@lab";
const asMessage = ({ from, to, protocol, message }: LadderStep, at: number): WireMessage => ({
  at: at as Timestamp,
  from,
  to,
  protocol,
  message,
  ...(protocol === "SIP" ? { callId: CALL } : {}),
});
const asMessages = (ladder: readonly LadderStep[], start = 0): WireMessage[] =>
  ladder.map((step, index) => asMessage(step, start + index));
const numbers = (steps: readonly LadderStep[]): number[] => steps.map(({ n }) => n);
const names = (steps: readonly LadderStep[]): string[] =>
  steps.map(({ from, to, message }) => `${from}>${to} ${message}`).sort();
const extra = (message: string, protocol: WireMessage["protocol"] = "COPS"): WireMessage => ({
  at: 0 as Timestamp,
  from: "SIP1",
  to: "POL1",
  protocol,
  message,
});

describe("matchLadder", () => {
  it("numbers a session that went as it should, with times after its first message", () => {
    const found = matchLadder(SETUP_LADDER, asMessages(SETUP_LADDER, 1000));
    expect(found).toMatchObject({ missing: [], outOfOrder: [] });
    expect(found.steps.map(({ n, ms }) => [n, ms])).toEqual(SETUP_LADDER.map(({ n }) => [n, n - 1]));
  });

  it("passes over whatever is no step, wherever it stands", () => {
    const noise = fc.constantFrom(extra("KA"), extra("RPT accounting"), extra("DRQ"), extra("100", "SIP"));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(TEARDOWN_LADDER.length), noise), { maxLength: 20 }), (additions) => {
        const messages = asMessages(TEARDOWN_LADDER);
        for (const [at, message] of additions) messages.splice(at, 0, message);
        const found = matchLadder(TEARDOWN_LADDER, messages);
        expect(numbers(found.steps)).toEqual(numbers(TEARDOWN_LADDER));
        expect([found.missing, found.outOfOrder]).toEqual([[], []]);
      }),
    );
  });

  it("names every step that is missing", () => {
    fc.assert(
      fc.property(fc.subarray([...SETUP_LADDER]), (kept) => {
        const found = matchLadder(SETUP_LADDER, asMessages(kept));
        const gone = SETUP_LADDER.filter((step) => !kept.includes(step));
        // By name: two steps of the ladder may be alike.
        expect(names(found.missing)).toEqual(names(gone));
        expect(names(found.steps)).toEqual(names(kept));
        expect(found.outOfOrder).toEqual([]);
      }),
    );
  });

  it("notices any two messages that changed places", () => {
    const places = fc.nat(SETUP_LADDER.length - 2);
    fc.assert(
      fc.property(places, (at) => {
        const swapped = [...SETUP_LADDER];
        const [one, other] = swapped.splice(at, 2);
        if (one === undefined || other === undefined) throw new Error("the test is wrong");
        swapped.splice(at, 0, other, one);
        const found = matchLadder(SETUP_LADDER, asMessages(swapped));
        expect(found.missing).toEqual([]);
        expect(found.outOfOrder).toHaveLength(1);
        expect([one.n, other.n]).toContain(found.outOfOrder[0]?.n);
      }),
    );
  });

  it("does not count one message twice", () => {
    const [first] = SETUP_LADDER;
    if (first === undefined) throw new Error("the test is wrong");
    const twice = [first, { ...first, n: 2 }];
    expect(numbers(matchLadder(twice, asMessages([first])).missing)).toEqual([2]);
  });
});

describe("sessionSteps", () => {
  it("parts set-up from teardown at the BYE, and leaves other calls out", () => {
    const other = asMessages(SETUP_LADDER.slice(0, 1)).map((message) => ({ ...message, callId: "other@lab" }));
    const { setup, teardown } = sessionSteps(
      [...other, ...asMessages(SETUP_LADDER, 10), ...asMessages(TEARDOWN_LADDER, 5000)],
      CALL,
    );
    expect(numbers(setup.steps)).toEqual(numbers(SETUP_LADDER));
    expect(numbers(teardown.steps)).toEqual(numbers(TEARDOWN_LADDER));
    expect(setup.steps[0]?.ms).toBe(0);
    expect(teardown.steps[0]?.ms).toBe(0);
  });

  it("says that all of the teardown is missing when nobody hung up", () => {
    const { teardown } = sessionSteps(asMessages(SETUP_LADDER), CALL);
    expect(teardown.missing).toHaveLength(TEARDOWN_LADDER.length);
  });
});
