import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { millis, type Timestamp } from "../../../src/model/units.js";
import {
  isOver,
  type LoginSession,
  type SessionEvent,
  stepSession,
  TOUCH_EVERY,
} from "../../../src/portal/sessions/machine.js";

const LIMITS = { idle: millis(600_000), absolute: millis(3_600_000) };
const at = (value: number): Timestamp => value as Timestamp;

describe("stepSession", () => {
  const opened = stepSession(undefined, { kind: "opened", at: at(1000), user: "alice", fingerprint: "f" }, LIMITS);

  it("opens, and is stored at once", () => {
    expect(opened).toEqual({
      state: { user: "alice", fingerprint: "f", opened: 1000, seen: 1000, stored: 1000 },
      actions: ["store"],
    });
  });

  it("is written down again only when what is stored is old", () => {
    const use = (time: number) => stepSession(opened.state, { kind: "used", at: at(time), fingerprint: "f" }, LIMITS);
    expect(use(1000 + TOUCH_EVERY - 1)).toMatchObject({ state: { stored: 1000 }, actions: [] });
    expect(use(1000 + TOUCH_EVERY)).toMatchObject({ state: { stored: 1000 + TOUCH_EVERY }, actions: ["store"] });
  });

  it("goes with its account, and with its password", () => {
    for (const fingerprint of [undefined, "g"]) {
      const step = stepSession(opened.state, { kind: "time", at: at(1001), fingerprint }, LIMITS);
      expect(step).toEqual({ state: undefined, actions: ["delete"] });
    }
  });
});

/** What happens to one log-in: events with the time that passes before each. */
const events = fc.array(
  fc.record({
    after: fc.integer({ min: 0, max: 900_000 }),
    kind: fc.constantFrom("used", "time", "closed", "opened", "changed") satisfies fc.Arbitrary<string>,
  }),
  { maxLength: 40 },
);

describe("any sequence of events", () => {
  it("leaves a log-in that holds exactly as long as it was neither idle, too old, closed nor its password changed", () => {
    fc.assert(
      fc.property(events, (sequence) => {
        let now = 0;
        let password = 0;
        let state: LoginSession | undefined;
        /** The model: when it was opened and used, under which password; undefined where none holds. */
        let model: { opened: number; used: number; password: number } | undefined;
        const rows = new Set<string>();
        for (const { after, kind } of sequence) {
          now += after;
          if (kind === "changed") {
            password += 1;
            continue;
          }
          const fingerprint = String(password);
          const event: SessionEvent =
            kind === "opened"
              ? { kind, at: at(now), user: "u", fingerprint }
              : kind === "closed"
                ? { kind }
                : { kind, at: at(now), fingerprint };
          const step = stepSession(state, event, LIMITS);
          state = step.state;
          for (const action of step.actions) {
            if (action === "store") rows.add("row");
            else rows.delete("row");
          }
          if (kind === "opened") model = { opened: now, used: now, password };
          else if (kind === "closed") model = undefined;
          else if (model !== undefined) {
            const holds =
              model.password === password && now - model.used < LIMITS.idle && now - model.opened < LIMITS.absolute;
            if (!holds) model = undefined;
            else if (kind === "used") model = { ...model, used: now };
          }
          expect(state === undefined).toBe(model === undefined);
          // The disk and the memory agree on whether there is one.
          expect(rows.has("row")).toBe(state !== undefined);
          if (state !== undefined) expect(isOver(state, at(now), LIMITS)).toBe(false);
        }
      }),
    );
  });

  it("never makes it younger or older by a clock that goes back", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -500_000, max: 500_000 }), { maxLength: 20 }), (moves) => {
        let now = 1_000_000;
        let state = stepSession(undefined, { kind: "opened", at: at(now), user: "u", fingerprint: "f" }, LIMITS).state;
        let seen = now;
        for (const move of moves) {
          now += move;
          state = stepSession(state, { kind: "used", at: at(now), fingerprint: "f" }, LIMITS).state;
          if (state === undefined) return;
          expect(state.opened).toBe(1_000_000);
          expect(state.seen).toBeGreaterThanOrEqual(seen);
          seen = state.seen;
        }
      }),
    );
  });
});
