import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DecMessage, ReqMessage } from "../../../src/cops/codec/message.js";
import {
  REQUEST_INITIAL,
  type RequestEvent,
  type RequestState,
  requestStep,
} from "../../../src/cops/machine/pep-request.js";

const handle = Buffer.from("h");
const REQ: ReqMessage = {
  op: "REQ",
  clientType: 2,
  handle,
  context: { rType: 1, mType: 1 },
  signaled: [],
  named: [],
  lpdp: [],
};
const dec = (solicited: boolean): RequestEvent => ({
  type: "decision",
  message: { op: "DEC", clientType: 2, handle, solicited, decisions: [] } satisfies DecMessage,
});
const ask = (id: number): RequestEvent => ({ type: "request", id, message: REQ });
const tear: RequestEvent = { type: "delete", reason: { code: 4, subCode: 0 } };

function trace(events: readonly RequestEvent[]): string[][] {
  let state: RequestState = REQUEST_INITIAL;
  return events.map((event) => {
    const step = requestStep(state, event);
    state = step.state;
    return step.actions.map((action) => {
      if (action.do === "fail") return `fail ${action.id} ${action.failure}`;
      if (action.do === "settle") return `settle ${action.id}`;
      return action.do === "sendDelete" ? `sendDelete ${action.reason.code}` : action.do;
    });
  });
}

describe("a handle at the PEP", () => {
  it("has one REQ under way, and the next after its decision", () => {
    expect(trace([ask(1), ask(2), dec(false), dec(true), dec(true), dec(true)])).toEqual([
      ["send", "armTimeout"],
      [],
      ["deliver"],
      ["cancelTimeout", "settle 1", "send", "armTimeout"],
      ["cancelTimeout", "settle 2"],
      ["ignore"],
    ]);
  });

  it("is given up when no decision comes, and then takes no request", () => {
    expect(trace([ask(1), ask(2), { type: "timeout" }, ask(3), dec(true), tear, { type: "timeout" }])).toEqual([
      ["send", "armTimeout"],
      [],
      ["cancelTimeout", "sendDelete 5", "fail 1 timeout", "fail 2 timeout"],
      ["fail 3 deleted"],
      ["ignore"],
      ["ignore"],
      ["ignore"],
    ]);
  });

  it("fails what waits when it is deleted or the connection is lost", () => {
    expect(trace([ask(1), tear])[1]).toEqual(["cancelTimeout", "sendDelete 4", "fail 1 deleted"]);
    expect(trace([ask(1), ask(2), { type: "lost" }, ask(3)]).slice(2)).toEqual([
      ["fail 1 down", "fail 2 down", "cancelTimeout"],
      ["send", "armTimeout"],
    ]);
  });

  it("lets sixteen wait and no more", () => {
    const last = trace(Array.from({ length: 18 }, (_, id) => ask(id))).at(-1);
    expect(last).toEqual(["fail 17 busy"]);
  });

  it("settles or fails every request once, over any sequence of events", () => {
    const event = fc.oneof(
      { weight: 5, arbitrary: fc.constant("request" as const) },
      { weight: 4, arbitrary: fc.boolean().map(dec) },
      { weight: 1, arbitrary: fc.constantFrom<RequestEvent>({ type: "timeout" }, tear, { type: "lost" }) },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), (events) => {
        let state: RequestState = REQUEST_INITIAL;
        const waiting = new Set<number>();
        let [outstanding, deletes, lastId, armed] = [0, 0, 0, false];
        for (const one of [...events, { type: "lost" } as const]) {
          const next = one === "request" ? ask(++lastId) : one;
          if (next.type === "request") waiting.add(next.id);
          const step = requestStep(state, next);
          for (const action of step.actions) {
            if (action.do === "send") outstanding += 1;
            if (action.do === "settle" || action.do === "fail") expect(waiting.delete(action.id)).toBe(true);
            if (action.do === "settle") outstanding -= 1;
            expect(outstanding).toBeLessThanOrEqual(1);
            if (action.do === "sendDelete") deletes += 1;
            if (action.do === "armTimeout") armed = true;
            if (action.do === "cancelTimeout") armed = false;
          }
          state = step.state;
          if (state.current === undefined) outstanding = 0;
          expect(armed).toBe(state.current !== undefined);
          if (state.gone) expect(waiting.size).toBe(0);
        }
        expect(waiting.size).toBe(0);
        expect(deletes).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });
});
