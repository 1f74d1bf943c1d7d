import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  newRequest,
  type OnLoss,
  type RequestAction,
  type RequestEvent,
  type RequestState,
  requestStep,
} from "../../../src/cops/rsvp/reservation-request.js";
import type { RsvpVerdict } from "../../../src/cops/rsvp/verdict.js";

interface Ask {
  readonly id: number;
}

const INSTALL: RsvpVerdict = { kind: "install" };
const REMOVE: RsvpVerdict = { kind: "remove", triggerError: true, objects: [] };
const UNSUPPORTED: RsvpVerdict = { kind: "unsupported", classes: [9] };
const ERROR: RsvpVerdict = { kind: "error", error: { code: 4, subCode: 0 } };
const MALFORMED: RsvpVerdict = { kind: "malformed", why: "decides nothing" };

const asked = (id: number, reduction = false): RequestEvent<Ask> => ({ type: "ask", ask: { id }, reduction });
const decided = (serial: number, verdict: RsvpVerdict): RequestEvent<Ask> => ({ type: "decided", serial, verdict });
const local = (id: number, admitted = true): RequestEvent<Ask> => ({ type: "local", id, admitted });
const undecided = (serial: number): RequestEvent<Ask> => ({ type: "undecided", serial });

/** One word for each action. */
function word(action: RequestAction<Ask>): string {
  switch (action.do) {
    case "request":
      return `REQ${action.held ? "held" : ""} ${action.ask.id}`;
    case "delete":
      return `DRQ ${action.reason}`;
    case "report":
      return action.success ? "commit" : "no-commit";
    case "refuse":
      return `refuse ${action.ask.id} ${action.cause.by}`;
    case "takeAway":
      return `takeAway ${action.cause.by}`;
    case "install":
    case "admit":
    case "relay":
      return `${action.do} ${action.ask.id}`;
    case "uninstall":
    case "forget":
      return action.do;
  }
}

function run(events: readonly RequestEvent<Ask>[], onLoss: OnLoss = "keep") {
  let state: RequestState<Ask> = newRequest();
  const steps = events.map((event) => {
    const step = requestStep({ onLoss }, state, event);
    state = step.state;
    return step.actions.map(word).join(", ");
  });
  return { steps, state };
}

const IN_FORCE = [asked(1), decided(1, INSTALL), local(1)];
const inForceThen = (events: readonly RequestEvent<Ask>[], onLoss?: OnLoss) =>
  run([...IN_FORCE, ...events], onLoss).steps.slice(IN_FORCE.length);

describe("a reservation at the PEP", () => {
  it("is asked about, installed, committed and deleted", () => {
    expect(run([...IN_FORCE, { type: "end" }]).steps).toEqual([
      "REQ 1",
      "install 1",
      "admit 1, commit",
      "DRQ 4, forget",
    ]);
  });

  it("that is refused is deleted", () => {
    expect(run([asked(1), decided(1, REMOVE)]).steps[1]).toBe("refuse 1 server, DRQ 8, forget");
    expect(run([asked(1), decided(1, UNSUPPORTED)]).steps[1]).toBe("refuse 1 unsupportedDecision, DRQ 9, forget");
  });

  it("for which there are no resources is not committed, and deleted (RFC 2749 §3.3)", () => {
    expect(run([asked(1), decided(1, INSTALL), local(1, false)]).steps[2]).toBe("relay 1, no-commit, DRQ 7, forget");
  });

  it.each([
    ["by the PDP", [asked(2), decided(2, REMOVE)], ["REQ 2", "refuse 2 server, REQheld 1"]],
    [
      "for lack of resources",
      [asked(2), decided(2, INSTALL), local(2, false)],
      ["REQ 2", "install 2", "relay 2, no-commit, REQheld 1"],
    ],
  ])("whose growth is refused %s folds back to what was installed", (_name, events, steps) => {
    expect(inForceThen(events)).toEqual(steps);
  });

  it("shrinks at once and tells the PDP afterwards", () => {
    expect(inForceThen([asked(2, true), local(2), decided(2, INSTALL)])).toEqual([
      "install 2",
      "admit 2, REQheld 2",
      "commit",
    ]);
  });

  it("that changes while it is being asked about is asked about once more, not twice at a time", () => {
    expect(inForceThen([asked(2), asked(3), decided(2, INSTALL), decided(3, INSTALL), local(3)])).toEqual([
      "REQ 2",
      "",
      "REQ 3",
      "install 3",
      "admit 3, commit",
    ]);
    expect(inForceThen([asked(2), asked(3, true), decided(2, INSTALL), local(3)])).toEqual([
      "REQ 2",
      "install 3",
      "",
      "admit 3, REQheld 3",
    ]);
    expect(inForceThen([asked(2), asked(3, true), local(3), decided(2, REMOVE)])).toEqual([
      "REQ 2",
      "install 3",
      "admit 3",
      "REQheld 3",
    ]);
  });

  it("is taken away by an unsolicited Remove, or when it was said again", () => {
    const gone = "uninstall, takeAway server, DRQ 8, forget";
    expect(inForceThen([{ type: "unsolicited", verdict: REMOVE }])).toEqual([gone]);
    expect(inForceThen([{ type: "synchronize" }, decided(2, REMOVE)])).toEqual(["REQheld 1", gone]);
    expect(inForceThen([{ type: "unsolicited", verdict: UNSUPPORTED }])).toEqual([
      "uninstall, takeAway unsupportedDecision, DRQ 9, forget",
    ]);
    expect(run([asked(1), decided(1, INSTALL), { type: "unsolicited", verdict: REMOVE }]).steps[2]).toBe(
      `refuse 1 server, ${gone}`,
    );
  });

  it("hears of nothing taken back that was not given", () => {
    expect(run([asked(1), { type: "unsolicited", verdict: REMOVE }]).steps[1]).toBe("");
    expect(run([asked(1), { type: "unsolicited", verdict: INSTALL }]).steps[1]).toBe("");
    expect(inForceThen([{ type: "unsolicited", verdict: INSTALL }])).toEqual(["commit"]);
  });

  it.each([
    ["keep", "refuse 1 localPolicy, forget"],
    ["reject", "refuse 1 localPolicy, forget"],
    ["accept", "install 1"],
  ] as const)("without a decision is for the local policy: %s", (onLoss, step) => {
    expect(run([asked(1), undecided(1)], onLoss).steps[1]).toBe(step);
    expect(run([asked(1), decided(1, ERROR)], onLoss).steps[1]).toBe(`DRQ 1, ${step}`);
    expect(run([asked(1), decided(1, MALFORMED)], onLoss).steps[1]).toBe(`DRQ 12, ${step}`);
  });

  it("in force stays without a connection, and is said again afterwards", () => {
    const events: RequestEvent<Ask>[] = [
      { type: "retry" },
      { type: "lost" },
      { type: "retry" },
      { type: "synchronize" },
    ];
    expect(inForceThen(events)).toEqual(["", "", "REQheld 1", ""]);
    expect(inForceThen([{ type: "lost" }, asked(2), undecided(2)])).toEqual(["", "REQ 2", "refuse 2 localPolicy"]);
  });

  it("is taken away when the PDP's decisions are too old", () => {
    expect(inForceThen([{ type: "expired" }], "reject")).toEqual(["uninstall, takeAway localPolicy, DRQ 5, forget"]);
    expect(run([asked(1), { type: "expired" }], "reject").steps[1]).toBe("");
  });
});

/** Plays the caller, who asks in order, and notes what must never happen. */
class Caller {
  state: RequestState<Ask> = newRequest();
  readonly #onLoss: OnLoss;
  #id = 0;
  /** REQs without decision. */
  open: number | undefined;
  readonly #allowed = new Set<number>();
  inForce: number | undefined;

  constructor(onLoss: OnLoss) {
    this.#onLoss = onLoss;
  }

  play(command: number, choice: number): void {
    const event = this.#eventOf(command, choice);
    if (event !== undefined) this.step(event);
  }

  /** Undefined for what nobody could say now. */
  #eventOf(command: number, choice: number): RequestEvent<Ask> | undefined {
    const verdict = [INSTALL, REMOVE, UNSUPPORTED, ERROR, MALFORMED][choice % 5] ?? INSTALL;
    const { asking, installing, serial } = this.state;
    switch (command) {
      case 0:
        return asked(++this.#id, false);
      case 1:
        return this.inForce === undefined ? undefined : asked(++this.#id, true);
      case 2:
        if (asking !== undefined && verdict.kind === "install") this.#allowed.add(asking.ask.id);
        return asking === undefined ? undefined : decided(asking.serial, verdict);
      case 3:
        return asking === undefined ? undefined : undecided(asking.serial);
      case 4:
        if (installing === undefined) return undefined;
        return local(installing.ask.id, choice % 2 === 0 || installing.by === "reduction");
      case 5:
        return { type: "unsolicited", verdict };
      case 6:
        return { type: (["synchronize", "retry", "lost", "expired"] as const)[choice % 4] ?? "retry" };
      case 7:
        // An answer that is too late.
        return decided(serial - 1, verdict);
      default:
        return { type: "end" };
    }
  }

  step(event: RequestEvent<Ask>): void {
    const before = this.state;
    const { state, actions } = requestStep({ onLoss: this.#onLoss }, before, event);
    this.state = state;
    if (event.type === "decided" && event.serial === before.asking?.serial) this.open = undefined;
    if (event.type === "undecided") this.open = undefined;
    for (const action of actions) this.#note(action, before, event);
  }

  #note(action: RequestAction<Ask>, before: RequestState<Ask>, event: RequestEvent<Ask>): void {
    if (action.do === "request") {
      expect(this.open).toBeUndefined();
      this.open = action.serial;
      if (action.held) expect(this.state.inForce?.id).toBe(action.ask.id);
    }
    if (action.do === "delete" || action.do === "forget") this.open = undefined;
    if (action.do === "install" && !(event.type === "ask" && event.reduction) && this.#onLoss !== "accept") {
      expect(this.#allowed.has(action.ask.id)).toBe(true);
    }
    if (action.do === "admit") {
      expect(before.installing?.ask.id).toBe(action.ask.id);
      this.inForce = action.ask.id;
    }
    if (action.do === "forget") {
      this.inForce = undefined;
      expect(this.state).toMatchObject({
        inForce: undefined,
        asking: undefined,
        next: undefined,
        installing: undefined,
      });
    }
  }
}

describe("any sequence of events", () => {
  it("never has two REQs under way, nor anything installed that nobody allowed", () => {
    const commands = fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), fc.nat(19)), { maxLength: 60 });
    const policies = fc.constantFrom<OnLoss>("accept", "keep", "reject");
    fc.assert(
      fc.property(policies, commands, (onLoss, all) => {
        const caller = new Caller(onLoss);
        for (const [command, choice] of all) caller.play(command, choice);
        expect(caller.state.inForce?.id).toBe(caller.inForce);
      }),
      { numRuns: 2000 },
    );
  });

  it("answers whoever waits, once the PDP and traffic control have answered", () => {
    const commands = fc.array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.nat(19)), { maxLength: 40 });
    fc.assert(
      fc.property(commands, fc.array(fc.nat(19), { minLength: 12, maxLength: 12 }), (all, choices) => {
        const caller = new Caller("keep");
        for (const [command, choice] of all) caller.play(command, choice);
        for (const choice of choices) {
          caller.play(2, choice);
          caller.play(4, choice);
        }
        // Folding back ends as soon as the PDP lets what is in force be.
        caller.play(2, 0);
        caller.play(4, 0);
        expect(caller.state.installing).toBeUndefined();
        expect(caller.state.next).toBeUndefined();
        expect(caller.state.asking?.waits ?? false).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});
