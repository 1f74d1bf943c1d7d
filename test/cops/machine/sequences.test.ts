/** What must hold whatever happens, in whatever order. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COPS_ERROR, REASON } from "../../../src/cops/codec/codes.js";
import { badFormat, CopsDecodeError, unknownObject } from "../../../src/cops/codec/errors.js";
import type { CopsMessage, DecMessage, OpnMessage, ReqMessage } from "../../../src/cops/codec/message.js";
import { PDP_INITIAL, type PdpEvent, pdpStep } from "../../../src/cops/machine/pdp-connection.js";
import {
  PEP_INITIAL,
  type PepAction,
  type PepEvent,
  type PepState,
  pepStep,
} from "../../../src/cops/machine/pep-connection.js";
import { REQUEST_INITIAL, type RequestEvent, requestStep } from "../../../src/cops/machine/pep-request.js";
import { anyMessage } from "../arbitraries.js";

const CLIENT_TYPE = 2;
const HANDLE = Buffer.from("00000001", "hex");
const PEP_RULES = {
  pepId: "r1",
  clientType: CLIENT_TYPE,
  servers: 2,
  openTimeout: 5000,
  retryMin: 100,
  retryMax: 2000,
};
const PDP_RULES = { clientTypes: [CLIENT_TYPE, 0x5349], openTimeout: 5000 };

const ours = anyMessage.map(
  (message): CopsMessage => (message.op === "KA" ? message : { ...message, clientType: CLIENT_TYPE }),
);
const message = fc.oneof(ours, ours, anyMessage);
const unreadable = fc.constantFrom(
  badFormat("x", { offset: 0, object: "x" }),
  badFormat("x", { offset: 0, object: "x" }).within({ op: 2, clientType: CLIENT_TYPE, handle: HANDLE }),
  unknownObject(99, 1, 0).within({ op: 1, clientType: CLIENT_TYPE, handle: HANDLE }),
  new CopsDecodeError("x", { offset: 0, object: "x" }, { code: 3, subCode: 0 }, { framingLost: true }),
);

const cat = (keepAlive: number): CopsMessage => ({ op: "CAT", clientType: CLIENT_TYPE, keepAlive });
const dec = (solicited: boolean): DecMessage => ({
  op: "DEC",
  clientType: CLIENT_TYPE,
  solicited,
  handle: HANDLE,
  decisions: [],
});

describe("PEP connection", () => {
  const event: fc.Arbitrary<PepEvent> = fc.oneof(
    fc.constantFrom<PepEvent>(
      { type: "start" },
      { type: "stop" },
      { type: "connected" },
      { type: "disconnected", reason: "x" },
    ),
    fc
      .constantFrom("retry", "open", "keepAlive", "silence", "stable")
      .map((timer): PepEvent => ({ type: "timer", timer: timer as "retry" })),
    message.map((received): PepEvent => ({ type: "received", message: received })),
    fc.constant<PepEvent>({ type: "received", message: cat(30) }),
    unreadable.map((error): PepEvent => ({ type: "unreadable", error })),
  );

  it("answers every event, and says up and down in turn, up exactly while open", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state: PepState = PEP_INITIAL;
        let up = false;
        for (const next of events) {
          const step = pepStep(PEP_RULES, state, next);
          state = step.state;
          for (const action of step.actions) {
            if (action.do === "up") expect(up).toBe(false);
            if (action.do === "down") expect(up).toBe(true);
            if (action.do === "up" || action.do === "down") up = action.do === "up";
          }
          expect(up).toBe(state.phase === "open");
          expect(state.server).toBeLessThan(PEP_RULES.servers);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("always has a way on: closed it is not wanted or has a retry timer armed, open or opening it has its timers", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state: PepState = PEP_INITIAL;
        let wanted = false;
        const armed = new Set<string>();
        for (const next of events) {
          // A timer that is not armed does not fire.
          if (next.type === "timer" && !armed.delete(next.timer)) continue;
          const { actions, state: after } = pepStep(PEP_RULES, state, next);
          if (next.type === "start" && state.phase === "closed") wanted = true;
          if (next.type === "stop") wanted = false;
          state = after;
          for (const action of actions) {
            if (action.do === "arm") armed.add(action.timer);
            if (action.do === "cancel") armed.delete(action.timer);
          }
          if (state.phase === "closed") expect(armed.has("retry")).toBe(wanted);
          if (state.phase === "opening") expect(armed.has("open")).toBe(true);
          if (state.phase === "open" && state.keepAlive > 0) {
            expect([armed.has("keepAlive"), armed.has("silence")]).toEqual([true, true]);
          }
          if (state.phase === "closing") expect(armed.size).toBe(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  const run = (...events: PepEvent[]): { state: PepState; actions: readonly PepAction[] } => {
    let step: { state: PepState; actions: readonly PepAction[] } = { state: PEP_INITIAL, actions: [] };
    for (const next of events) step = pepStep(PEP_RULES, step.state, next);
    return step;
  };
  const opened: PepEvent[] = [{ type: "start" }, { type: "connected" }, { type: "received", message: cat(40) }];

  it("sends keep-alives between a quarter and three quarters of the interval, anew each time", () => {
    const window = { do: "arm", timer: "keepAlive", min: 10_000, max: 30_000 };
    expect(run(...opened).actions).toContainEqual(window);
    expect(run(...opened, { type: "timer", timer: "keepAlive" }).actions).toEqual([
      { do: "send", message: { op: "KA", clientType: 0 } },
      window,
    ]);
  });

  it("goes by the least interval of all Client-Accepts, zero being none", () => {
    expect(run(...opened, { type: "received", message: cat(90) }).state.keepAlive).toBe(40);
    expect(run(...opened, { type: "received", message: cat(0) }).state.keepAlive).toBe(40);
    expect(run(...opened, { type: "received", message: cat(8) }).state.keepAlive).toBe(8);
  });

  it("never answers a KA with a KA: two such ends would not stop", () => {
    const { actions } = run(...opened, { type: "received", message: { op: "KA", clientType: 0 } });
    expect(actions.filter((action) => action.do === "send")).toEqual([]);
  });

  it("waits twice as long each time, up to the most, and short again once it was stable", () => {
    let state: PepState = pepStep(PEP_RULES, PEP_INITIAL, { type: "start" }).state;
    const waits: number[] = [];
    for (let failures = 0; failures < 7; failures += 1) {
      const failed = pepStep(PEP_RULES, state, { type: "disconnected", reason: "refused" });
      waits.push(...failed.actions.flatMap((action) => (action.do === "arm" ? [action.min] : [])));
      state = pepStep(PEP_RULES, failed.state, { type: "timer", timer: "retry" }).state;
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 2000, 2000]);
    for (const next of opened.slice(1)) state = pepStep(PEP_RULES, state, next).state;
    state = pepStep(PEP_RULES, state, { type: "timer", timer: "stable" }).state;
    const lost = pepStep(PEP_RULES, state, { type: "disconnected", reason: "x" });
    expect(lost.actions).toContainEqual({ do: "arm", timer: "retry", min: 100, max: 100 });
  });

  it("comes back to the PDP it had, and goes to the next when it cannot reach one", () => {
    expect(run(...opened, { type: "disconnected", reason: "x" }).state.server).toBe(0);
    expect(run({ type: "start" }, { type: "disconnected", reason: "x" }).state.server).toBe(1);
  });

  it("goes once to where a PDP sends it", () => {
    const redirect = { address: "192.0.2.1", port: 3288 };
    const cc: CopsMessage = { op: "CC", clientType: CLIENT_TYPE, error: { code: 12, subCode: 0 }, redirect };
    const sent = run(...opened, { type: "received", message: cc }, { type: "timer", timer: "retry" });
    expect(sent.actions).toContainEqual({ do: "connect", server: 0, redirect });
    expect(sent.state.redirect).toBeUndefined();
  });

  it("deletes a request whose decision it cannot read, and says which of the two reasons", () => {
    const broken = badFormat("x", { offset: 0, object: "x" }).within({
      op: 2,
      clientType: CLIENT_TYPE,
      handle: HANDLE,
    });
    const strange = unknownObject(99, 1, 0).within({ op: 2, clientType: CLIENT_TYPE, handle: HANDLE });
    expect(run(...opened, { type: "unreadable", error: broken }).actions).toContainEqual({
      do: "abandon",
      handle: HANDLE,
      reason: { code: REASON.malformedDecision, subCode: 0 },
    });
    expect(run(...opened, { type: "unreadable", error: strange }).actions).toContainEqual({
      do: "abandon",
      handle: HANDLE,
      reason: { code: REASON.unknownObject, subCode: 0x6301 },
    });
  });

  it("tells the PDP that it is lost, before it hangs up", () => {
    const { actions } = run(...opened, { type: "timer", timer: "silence" });
    const error = { code: COPS_ERROR.communicationFailure, subCode: 0 };
    expect(actions.slice(0, 2)).toEqual([
      { do: "send", message: { op: "CC", clientType: CLIENT_TYPE, error } },
      { do: "disconnect" },
    ]);
  });
});

describe("PEP request", () => {
  const req: ReqMessage = {
    op: "REQ",
    clientType: CLIENT_TYPE,
    handle: HANDLE,
    context: { rType: 8, mType: 0 },
    signaled: [],
    named: [],
    lpdp: [],
  };
  const event = fc.oneof(
    { weight: 4, arbitrary: fc.constant("request" as const) },
    fc
      .boolean()
      .map(dec)
      .map((decided): RequestEvent => ({ type: "decision", message: decided })),
    fc.constantFrom<RequestEvent>(
      { type: "timeout" },
      { type: "lost" },
      { type: "delete", reason: { code: REASON.tear, subCode: 0 } },
    ),
  );

  it("ends each request exactly once, in order, and has one REQ on the wire at most", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let state = REQUEST_INITIAL;
        let asked = 0;
        let onWire = 0;
        const settled: number[] = [];
        const ended = new Set<number>();
        for (const next of [...events, { type: "lost" } as const]) {
          if (next === "request") asked += 1;
          const step = requestStep(state, next === "request" ? { type: "request", id: asked, message: req } : next);
          state = step.state;
          for (const action of step.actions) {
            if (action.do === "settle" || action.do === "fail") {
              expect(ended.has(action.id)).toBe(false);
              ended.add(action.id);
            }
            if (action.do === "settle") settled.push(action.id);
            if (action.do === "armTimeout") onWire += 1;
            if (action.do === "cancelTimeout") onWire = 0;
            expect(onWire).toBeLessThanOrEqual(1);
          }
        }
        expect(ended.size).toBe(asked);
        expect(settled).toEqual(settled.toSorted((left, right) => left - right));
      }),
      { numRuns: 500 },
    );
  });

  it("deletes the handle of a request that nobody decided, with the reason for it", () => {
    const waiting = requestStep(REQUEST_INITIAL, { type: "request", id: 1, message: req }).state;
    const { state, actions } = requestStep(waiting, { type: "timeout" });
    expect(state.gone).toBe(true);
    expect(actions).toContainEqual({ do: "sendDelete", reason: { code: REASON.timeout, subCode: 0 } });
    expect(actions).toContainEqual({ do: "fail", id: 1, failure: "timeout" });
    // The decision that comes after all is not taken for anything.
    for (const solicited of [true, false]) {
      const late = requestStep(state, { type: "decision", message: dec(solicited) });
      expect(late.actions).toMatchObject([{ do: "ignore" }]);
    }
  });
});

describe("PDP connection", () => {
  const open = (clientType: number, pepId = "r1"): OpnMessage => ({
    op: "OPN",
    clientType,
    pepId,
    signaled: [],
    named: [],
  });
  const event: fc.Arbitrary<PdpEvent> = fc.oneof(
    message.map((received): PdpEvent => ({ type: "received", message: received })),
    unreadable.map((error): PdpEvent => ({ type: "unreadable", error })),
    fc.tuple(fc.constantFrom(...PDP_RULES.clientTypes), fc.boolean()).map(
      ([clientType, accept]): PdpEvent => ({
        type: "verdict",
        open: open(clientType),
        verdict: accept ? { accept, keepAlive: 30 } : { accept, error: { code: 6, subCode: 0 } },
      }),
    ),
    fc.constantFrom<PdpEvent>(
      { type: "connected" },
      { type: "timer", timer: "open" },
      { type: "timer", timer: "silence" },
      { type: "close", clientType: CLIENT_TYPE, error: { code: 11, subCode: 0 }, reason: "x" },
    ),
    {
      weight: 1,
      arbitrary: fc.constantFrom<PdpEvent>(
        { type: "disconnected", reason: "x" },
        { type: "stop", error: { code: 11, subCode: 0 } },
      ),
    },
  );

  it("answers every event; each client-type that opened closes once, and messages come in between", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state = PDP_INITIAL;
        const opened = new Set<number>();
        for (const next of [...events, { type: "disconnected", reason: "end" } as const]) {
          const ended = state.phase === "closed";
          const step = pdpStep(PDP_RULES, state, next);
          state = step.state;
          if (ended) expect(step.actions.map((action) => action.do)).toEqual(["ignore"]);
          for (const action of step.actions) {
            if (action.do === "opened") opened.add(action.open.clientType);
            if (action.do === "closed") expect(opened.delete(action.clientType)).toBe(true);
            if (action.do === "request" || action.do === "report" || action.do === "deleted") {
              expect(opened.has(action.message.clientType)).toBe(true);
            }
          }
          expect([...state.opened.keys()].toSorted()).toEqual([...opened].toSorted());
        }
        expect(opened.size).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("echoes a KA, and only that", () => {
    const { actions } = pdpStep(PDP_RULES, PDP_INITIAL, { type: "received", message: { op: "KA", clientType: 0 } });
    expect(actions).toEqual([{ do: "send", message: { op: "KA", clientType: 0 } }]);
  });

  it.each([
    ["a client-type that is not served", { ...open(7) }, { code: COPS_ERROR.unsupportedClientType, subCode: 0 }],
    ["TLS", { ...open(0), integrity: { cType: 2 as const, data: Buffer.alloc(4) } }, { code: 13, subCode: 0x1002 }],
  ])("refuses %s", (_, opn, error) => {
    const { actions } = pdpStep(PDP_RULES, PDP_INITIAL, { type: "received", message: opn });
    expect(actions).toContainEqual({ do: "send", message: { op: "CC", clientType: opn.clientType, error } });
  });

  it("answers a REQ that it cannot read on its handle", () => {
    const verdict = { accept: true, keepAlive: 0 } as const;
    const { state } = pdpStep(PDP_RULES, PDP_INITIAL, { type: "verdict", open: open(CLIENT_TYPE), verdict });
    const error = unknownObject(99, 1, 0).within({ op: 1, clientType: CLIENT_TYPE, handle: HANDLE });
    expect(pdpStep(PDP_RULES, state, { type: "unreadable", error }).actions).toEqual([
      { do: "refuse", clientType: CLIENT_TYPE, handle: HANDLE, error: { code: 13, subCode: 0x6301 } },
    ]);
  });
});
