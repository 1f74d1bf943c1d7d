import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CopsDecodeError } from "../../../src/cops/codec/errors.js";
import {
  PEP_INITIAL,
  type PepAction,
  type PepEvent,
  type PepRules,
  type PepState,
  pepStep,
} from "../../../src/cops/machine/pep-connection.js";
import { CLIENT_TYPE, message, unreadable } from "./events.js";

const RULES: PepRules = {
  pepId: "r1",
  clientType: CLIENT_TYPE,
  servers: 2,
  openTimeout: 5000,
  retryMin: 100,
  retryMax: 1000,
};

/** Runs events one after the other; the actions of the last. */
function run(events: readonly PepEvent[], from: PepState = PEP_INITIAL) {
  let state = from;
  let actions: readonly PepAction[] = [];
  for (const event of events) ({ state, actions } = pepStep(RULES, state, event));
  return { state, actions, does: actions.map(brief) };
}

function brief(action: PepAction): string {
  switch (action.do) {
    case "send":
      return action.message.op === "CC"
        ? `CC ${action.message.clientType}/${action.message.error.code}`
        : action.message.op;
    case "arm":
      return `arm ${action.timer} ${action.min}..${action.max}`;
    case "cancel":
      return `cancel ${action.timer}`;
    case "connect":
      return action.redirect === undefined ? `connect ${action.server}` : `connect ${action.redirect.address}`;
    case "down":
      return `down ${action.reason}`;
    case "abandon":
      return `abandon ${action.handle} ${action.reason.code}/${action.reason.subCode}`;
    case "synchronize":
      return `synchronize ${action.handle ?? "all"}`;
    default:
      return action.do;
  }
}

const received = (more: Extract<PepEvent, { type: "received" }>["message"]): PepEvent => ({
  type: "received",
  message: more,
});
const CAT = (keepAlive: number): PepEvent => received({ op: "CAT", clientType: CLIENT_TYPE, keepAlive });
const OPEN: readonly PepEvent[] = [{ type: "start" }, { type: "connected" }, CAT(40)];
const CANCEL = ["cancel open", "cancel keepAlive", "cancel silence", "cancel stable"];
const CC = (code: number, more = {}): PepEvent =>
  received({ op: "CC", clientType: CLIENT_TYPE, error: { code, subCode: 0 }, ...more });

describe("the PEP's connection", () => {
  it("dials, opens and is up", () => {
    expect(run(OPEN.slice(0, 1)).does).toEqual(["cancel retry", "connect 0"]);
    expect(run(OPEN.slice(0, 2)).does).toEqual(["OPN", "arm open 5000..5000"]);
    expect(run(OPEN).does).toEqual([
      "arm silence 40000..40000",
      "arm keepAlive 10000..30000",
      "cancel open",
      "arm stable 1000..1000",
      "up",
    ]);
  });

  it("names the last PDP in its Client-Open where it still has its decisions", () => {
    const lastPdp = { address: "192.0.2.1", port: 3288 };
    const { actions } = run([{ type: "start" }, { type: "connected", lastPdp }]);
    expect(actions[0]).toMatchObject({ message: { op: "OPN", lastPdp } });
  });

  it("sends a KA at a fresh instant each time, and takes any message as a sign of life", () => {
    expect(run([...OPEN, { type: "timer", timer: "keepAlive" }]).does).toEqual(["KA", "arm keepAlive 10000..30000"]);
    expect(run([...OPEN, received({ op: "KA", clientType: 0 })]).does).toEqual(["arm silence 40000..40000"]);
    expect(run([...OPEN, received({ op: "SSQ", clientType: 9 })]).does).toEqual(["arm silence 40000..40000", "ignore"]);
  });

  it("keeps to the least of all intervals, and to none if none is asked for", () => {
    expect(run([...OPEN, CAT(50)]).state.keepAlive).toBe(40);
    expect(run([...OPEN, CAT(20)]).does).toEqual(["arm silence 20000..20000", "arm keepAlive 5000..15000"]);
    expect(run([...OPEN, CAT(0)]).state.keepAlive).toBe(40);
    expect(run([...OPEN.slice(0, 2), CAT(0)]).does).toEqual(["cancel open", "arm stable 1000..1000", "up"]);
  });

  it("gives up a silent PDP, says so, and comes back", () => {
    const { state, does } = run([...OPEN, { type: "timer", timer: "silence" }]);
    expect(does).toEqual(["CC 2/9", "disconnect", ...CANCEL, "arm retry 100..100", "down keep-alive timeout"]);
    expect(state).toMatchObject({ phase: "closed", server: 0, keepAlive: 0 });
    expect(run([{ type: "timer", timer: "retry" }], state).does).toEqual(["connect 0"]);
  });

  it("waits twice as long each time, up to the limit, and goes through the servers", () => {
    let state = run([{ type: "start" }]).state;
    const seen: string[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      const lost = run([{ type: "disconnected", reason: "refused" }], state);
      const again = run([{ type: "timer", timer: "retry" }], lost.state);
      seen.push(`${lost.does.at(-1)}, ${again.does[0]}`);
      state = again.state;
    }
    expect(seen.slice(0, 2)).toEqual(["arm retry 100..100, connect 1", "arm retry 200..200, connect 0"]);
    expect(seen.at(-1)).toBe("arm retry 1000..1000, connect 0");
    const stable = run([{ type: "connected" }, CAT(0), { type: "timer", timer: "stable" }], state).state;
    expect(stable.attempt).toBe(0);
  });

  it("goes where it is sent, once", () => {
    const redirect = { address: "192.0.2.7", port: 3288 };
    const { state, does } = run([...OPEN, CC(12, { redirect })]);
    expect(does).toEqual(["disconnect", ...CANCEL, "arm retry 100..100", "down closed by the PDP, error 12"]);
    const there = run([{ type: "timer", timer: "retry" }], state);
    expect(there.does).toEqual(["connect 192.0.2.7"]);
    const failed: PepEvent[] = [
      { type: "disconnected", reason: "refused" },
      { type: "timer", timer: "retry" },
    ];
    expect(run(failed, there.state).does).toEqual(["connect 1"]);
  });

  it("is closed by CC of its client-type or of the connection, not by that of another", () => {
    expect(run([...OPEN, received({ op: "CC", clientType: 0, error: { code: 3, subCode: 0 } })]).state.phase).toBe(
      "closed",
    );
    expect(run([...OPEN, received({ op: "CC", clientType: 9, error: { code: 3, subCode: 0 } })]).state.phase).toBe(
      "open",
    );
    expect(run([...OPEN.slice(0, 2), CC(6)]).state).toMatchObject({ phase: "closed", server: 1 });
  });

  it("passes on what it is asked to say again", () => {
    expect(run([...OPEN, received({ op: "SSQ", clientType: CLIENT_TYPE })]).does.at(-1)).toBe("synchronize all");
    const one = received({ op: "SSQ", clientType: CLIENT_TYPE, handle: Buffer.from("h") });
    expect(run([...OPEN, one]).does.at(-1)).toBe("synchronize h");
    expect(run([...OPEN.slice(0, 2), one]).does).toEqual(["ignore"]);
  });

  it("says Client-Close when stopped, and starts again after", () => {
    const stopped = run([...OPEN, { type: "stop" }]);
    expect(stopped.does).toEqual([...CANCEL, "cancel retry", "CC 2/11", "disconnect", "down closed here"]);
    expect(run([{ type: "start" }], stopped.state).does).toEqual(["ignore"]);
    const ended = run([{ type: "disconnected", reason: "closed here" }], stopped.state);
    expect(ended.state).toEqual(PEP_INITIAL);
    expect(run([{ type: "start" }], ended.state).does.at(-1)).toBe("connect 0");
  });

  const bad = (legible: object, code = 3, framingLost = false): PepEvent => {
    const answer = { code, subCode: 0x0102 };
    const error = new CopsDecodeError("test", { offset: 0, object: "test" }, answer, { legible, framingLost });
    return { type: "unreadable", error };
  };

  it("answers what it cannot read", () => {
    const handle = Buffer.from("h");
    const dec = { op: 2, clientType: CLIENT_TYPE, handle };
    expect(run([...OPEN, bad(dec)]).does).toEqual(["abandon h 12/0"]);
    expect(run([...OPEN, bad(dec, 13)]).does).toEqual(["abandon h 13/258"]);
    expect(run([...OPEN, bad({ ...dec, clientType: 9 })]).does).toEqual(["ignore"]);
    expect(run([...OPEN, bad({ op: 7, clientType: CLIENT_TYPE })]).does[0]).toBe("CC 2/3");
    expect(run([...OPEN, bad({}, 3, true)]).does.slice(0, 2)).toEqual(["CC 0/3", "disconnect"]);
    expect(run([...OPEN.slice(0, 2), bad({ op: 7, clientType: CLIENT_TYPE }, 7)]).does[0]).toBe("CC 2/7");
  });

  it("answers every event in every phase, and holds to its rules", () => {
    const event: fc.Arbitrary<PepEvent> = fc.oneof(
      { weight: 3, arbitrary: fc.constant<PepEvent>({ type: "connected" }) },
      { weight: 2, arbitrary: fc.constant<PepEvent>({ type: "start" }) },
      { weight: 1, arbitrary: fc.constant<PepEvent>({ type: "stop" }) },
      { weight: 2, arbitrary: fc.constant<PepEvent>({ type: "disconnected", reason: "test" }) },
      { weight: 2, arbitrary: fc.constant(CAT(30)) },
      { weight: 6, arbitrary: message.map(received) },
      { weight: 2, arbitrary: unreadable.map((error): PepEvent => ({ type: "unreadable", error })) },
      {
        weight: 4,
        arbitrary: fc
          .constantFrom("retry" as const, "open" as const, "keepAlive" as const, "silence" as const, "stable" as const)
          .map((timer): PepEvent => ({ type: "timer", timer })),
      },
    );
    fc.assert(fc.property(fc.array(event, { maxLength: 60 }), holds), { numRuns: 400 });
  });
});

function holds(events: readonly PepEvent[]): void {
  let state = PEP_INITIAL;
  let up = false;
  const armed = new Set<string>();
  for (const event of events) {
    if (event.type === "timer") armed.delete(event.timer);
    const before = state;
    const step = pepStep(RULES, state, event);
    state = step.state;
    for (const action of step.actions) {
      if (action.do === "arm") armed.add(action.timer);
      else if (action.do === "cancel") armed.delete(action.timer);
      // One down for every up, and in turn.
      else if (action.do === "up") {
        expect(up).toBe(false);
        up = true;
      } else if (action.do === "down") {
        expect(up).toBe(true);
        up = false;
      } else if (action.do === "decision" || action.do === "synchronize") expect(up).toBe(true);
      else if (action.do === "send") expect(["OPN", "CC", "KA"]).toContain(action.message.op);
    }
    expect(up).toBe(state.phase === "open");
    expect(step.actions.length > 0 || before !== state || event.type === "received").toBe(true);
    // Timers of a connection do not outlive it; stopped, there is none at all.
    if (state.phase === "closed" || state.phase === "closing" || state.phase === "connecting") {
      expect([...armed].filter((timer) => timer !== "retry")).toEqual([]);
    }
    if (state.phase !== "closed") expect(armed.has("retry")).toBe(false);
    if (state.phase === "closing" || event.type === "stop") expect(armed.size).toBe(0);
    // Nothing holds it up for ever: it dials, waits for an answer with a limit, or comes back.
    if (state.phase === "opening") expect(armed.has("open")).toBe(true);
    if (state.phase === "open" && state.keepAlive > 0 && event.type !== "timer")
      expect(armed.has("silence")).toBe(true);
    expect(state.server).toBeLessThan(RULES.servers);
  }
}
