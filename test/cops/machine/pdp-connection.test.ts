import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CopsDecodeError } from "../../../src/cops/codec/errors.js";
import type { CopsMessage, OpnMessage } from "../../../src/cops/codec/message.js";
import {
  type OpenVerdict,
  PDP_INITIAL,
  type PdpAction,
  type PdpEvent,
  type PdpRules,
  type PdpState,
  pdpStep,
} from "../../../src/cops/machine/pdp-connection.js";
import { CLIENT_TYPE, message, unreadable } from "./events.js";

const RULES: PdpRules = { clientTypes: [CLIENT_TYPE, 3], openTimeout: 5000 };

function run(events: readonly PdpEvent[], from: PdpState = PDP_INITIAL) {
  let state = from;
  let actions: readonly PdpAction[] = [];
  for (const event of events) ({ state, actions } = pdpStep(RULES, state, event));
  return { state, does: actions.map(brief) };
}

function brief(action: PdpAction): string {
  switch (action.do) {
    case "send": {
      const { message: sent } = action;
      if (sent.op === "CC")
        return `CC ${sent.clientType}/${sent.error.code}${sent.redirect === undefined ? "" : " redirect"}`;
      return sent.op === "CAT" ? `CAT ${sent.keepAlive}` : sent.op;
    }
    case "arm":
      return `arm ${action.timer} ${action.delay}`;
    case "cancel":
      return `cancel ${action.timer}`;
    case "closed":
      return `closed ${action.clientType} ${action.reason}`;
    case "refuse":
      return `refuse ${action.handle} ${action.error.code}/${action.error.subCode}`;
    default:
      return action.do;
  }
}

const open = (clientType = CLIENT_TYPE, pepId = "r1"): OpnMessage => ({
  op: "OPN",
  clientType,
  pepId,
  signaled: [],
  named: [],
});
const received = (more: CopsMessage): PdpEvent => ({ type: "received", message: more });
const accepted = (keepAlive: number, clientType = CLIENT_TYPE): PdpEvent[] => [
  received(open(clientType)),
  { type: "verdict", open: open(clientType), verdict: { accept: true, keepAlive } },
];
const OPENED: readonly PdpEvent[] = [{ type: "connected" }, ...accepted(30)];
const handle = Buffer.from("h");
const END = ["cancel open", "cancel silence"];

describe("the PDP's connection", () => {
  it("waits for a Client-Open, asks, and accepts", () => {
    expect(run(OPENED.slice(0, 1)).does).toEqual(["arm open 5000"]);
    expect(run(OPENED.slice(0, 2)).does).toEqual(["ask"]);
    expect(run(OPENED).does).toEqual(["cancel open", "arm silence 30000", "CAT 30", "opened"]);
  });

  it("echoes KA, and takes any message as a sign of life", () => {
    expect(run([...OPENED, received({ op: "KA", clientType: 0 })]).does).toEqual(["arm silence 30000", "KA"]);
    expect(run([...OPENED, received({ op: "SSQ", clientType: CLIENT_TYPE })]).does).toEqual([
      "arm silence 30000",
      "ignore",
    ]);
    expect(run([{ type: "connected" }, ...accepted(0), received({ op: "KA", clientType: 0 })]).does).toEqual(["KA"]);
  });

  it("keeps to the least interval of all client-types", () => {
    expect(run([...OPENED, ...accepted(20, 3)]).does).toEqual(["cancel open", "arm silence 20000", "CAT 20", "opened"]);
    expect(run([...OPENED, ...accepted(0, 3)]).state.keepAlive).toBe(30);
  });

  it("ends at silence, with a Client-Close for every client-type", () => {
    const { state, does } = run([...OPENED, ...accepted(20, 3), { type: "timer", timer: "silence" }]);
    const closed = ["closed 2 keep-alive timeout", "closed 3 keep-alive timeout"];
    expect(does).toEqual(["CC 2/9", "CC 3/9", ...END, "disconnect", ...closed]);
    expect(state.phase).toBe("closed");
  });

  it("passes on requests, reports, deletions and synchronisations of an open client-type", () => {
    const common = { clientType: CLIENT_TYPE, handle };
    const lists = { signaled: [], named: [] };
    const messages: CopsMessage[] = [
      { op: "REQ", ...common, ...lists, context: { rType: 8, mType: 0 }, lpdp: [] },
      { op: "RPT", ...common, ...lists, solicited: true, reportType: "success" },
      { op: "DRQ", ...common, reason: { code: 4, subCode: 0 } },
      { op: "SSC", clientType: CLIENT_TYPE },
    ];
    expect(messages.map((one) => run([...OPENED, received(one)]).does[1])).toEqual([
      "request",
      "report",
      "deleted",
      "synchronized",
    ]);
    for (const one of messages) expect(run([{ type: "connected" }, received(one)]).does).toEqual(["CC 2/6"]);
  });

  it("refuses, with a better address where there is one", () => {
    const refuse = (verdict: OpenVerdict): PdpEvent => ({ type: "verdict", open: open(), verdict });
    const no = { accept: false, error: { code: 12, subCode: 0 } } as const;
    const redirect = { address: "192.0.2.1", port: 3288 };
    expect(run([{ type: "connected" }, received(open()), refuse({ ...no, redirect })]).does).toEqual([
      "CC 2/12 redirect",
    ]);
    expect(run([...OPENED, received(open()), refuse(no)]).does).toEqual([
      "CC 2/12",
      "closed 2 refused when opened again",
      "cancel silence",
      "arm open 5000",
    ]);
  });

  it("does not let a client-type change its PEPID, and knows no security", () => {
    expect(run([...OPENED, received(open(CLIENT_TYPE, "r2"))]).does).toEqual(["arm silence 30000", "ignore"]);
    expect(run([{ type: "connected" }, received(open(77))]).does).toEqual(["CC 77/6"]);
    expect(run([...OPENED, received(open(0))]).does[0]).toBe("CC 0/14");
    const tls = { ...open(0), integrity: { cType: 2, data: Buffer.alloc(4) } } as const;
    expect(run([{ type: "connected" }, received(tls)]).does).toEqual(["CC 0/13", ...END, "disconnect"]);
  });

  it("lets one client-type go and keeps the other, until none is left", () => {
    const cc = (clientType: number): PdpEvent => received({ op: "CC", clientType, error: { code: 11, subCode: 0 } });
    const both = [...OPENED, ...accepted(20, 3)];
    expect(run([...both, cc(2)]).does).toEqual(["arm silence 20000", "closed 2 closed by the PEP, error 11"]);
    expect(run([...both, cc(2), cc(3)]).does).toEqual([
      "closed 3 closed by the PEP, error 11",
      "cancel silence",
      "arm open 5000",
    ]);
    expect(run([...both, cc(2), cc(3), { type: "timer", timer: "open" }]).does).toEqual([
      "CC 0/9",
      ...END,
      "disconnect",
    ]);
    expect(run([...both, cc(0)]).does.filter((one) => one.startsWith("closed"))).toHaveLength(2);
  });

  it("tells everybody when it stops", () => {
    expect(run([...OPENED, { type: "stop", error: { code: 11, subCode: 0 } }]).does).toEqual([
      "CC 2/11",
      ...END,
      "disconnect",
      "closed 2 closed here",
    ]);
  });

  const bad = (legible: object, framingLost = false): PdpEvent => {
    const answer = { code: 13, subCode: 0x2001 };
    const error = new CopsDecodeError("test", { offset: 0, object: "test" }, answer, { legible, framingLost });
    return { type: "unreadable", error };
  };

  it("answers what it cannot read", () => {
    const req = { op: 1, clientType: CLIENT_TYPE, handle };
    expect(run([...OPENED, bad(req)]).does).toEqual(["refuse h 13/8193"]);
    expect(run([...OPENED, bad({ op: 3, clientType: CLIENT_TYPE, handle })]).does).toEqual(["ignore"]);
    expect(run([...OPENED, bad({ op: 1, clientType: CLIENT_TYPE })]).does).toEqual([
      "CC 2/13",
      ...END,
      "disconnect",
      "closed 2 unreadable message",
    ]);
    expect(run([{ type: "connected" }, bad({ op: 6, clientType: CLIENT_TYPE })]).does).toEqual(["CC 2/13"]);
    expect(run([...OPENED, bad({}, true)]).does[0]).toBe("CC 0/13");
  });

  it("answers every event in every phase, and holds to its rules", () => {
    const verdict: fc.Arbitrary<OpenVerdict> = fc.oneof(
      fc.nat(60).map((keepAlive): OpenVerdict => ({ accept: true, keepAlive })),
      fc.constant<OpenVerdict>({ accept: false, error: { code: 8, subCode: 0 } }),
    );
    const event: fc.Arbitrary<PdpEvent> = fc.oneof(
      { weight: 8, arbitrary: message.map(received) },
      { weight: 3, arbitrary: fc.constantFrom(2, 3).map((type) => received(open(type))) },
      { weight: 2, arbitrary: unreadable.map((error): PdpEvent => ({ type: "unreadable", error })) },
      {
        weight: 2,
        arbitrary: fc
          .constantFrom("open" as const, "silence" as const)
          .map((timer): PdpEvent => ({ type: "timer", timer })),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom<PdpEvent>(
          { type: "connected" },
          { type: "disconnected", reason: "test" },
          { type: "close", clientType: 2, error: { code: 9, subCode: 0 }, reason: "test" },
          { type: "stop", error: { code: 11, subCode: 0 } },
        ),
      },
    );
    fc.assert(fc.property(fc.array(event, { maxLength: 60 }), fc.array(verdict, { minLength: 1 }), holds), {
      numRuns: 400,
    });
  });
});

function holds(events: readonly PdpEvent[], verdicts: readonly OpenVerdict[]): void {
  let state = PDP_INITIAL;
  const up = new Set<number>();
  const armed = new Set<string>();
  let asked = 0;
  const step = (event: PdpEvent): void => {
    if (event.type === "timer") armed.delete(event.timer);
    const { state: next, actions } = pdpStep(RULES, state, event);
    state = next;
    expect(actions.length).toBeGreaterThan(0);
    for (const action of actions) {
      if (action.do === "arm") armed.add(action.timer);
      else if (action.do === "cancel") armed.delete(action.timer);
      else if (action.do === "opened") up.add(action.open.clientType);
      else if (action.do === "closed") expect(up.delete(action.clientType)).toBe(true);
      else if (["request", "report", "deleted", "synchronized"].includes(action.do) && "message" in action) {
        expect(up.has(action.message.clientType)).toBe(true);
      } else if (action.do === "refuse") expect(up.has(action.clientType)).toBe(true);
      else if (action.do === "ask") {
        const verdict = verdicts[asked++ % verdicts.length];
        if (verdict !== undefined) step({ type: "verdict", open: action.open, verdict });
      }
    }
    expect([...up].sort()).toEqual([...state.opened.keys()].sort());
    expect(state.phase === "serving").toBe(up.size > 0);
    if (state.phase === "closed") expect(armed.size).toBe(0);
    if (state.phase === "fresh") expect(armed.has("open")).toBe(true);
    if (state.phase === "serving" && state.keepAlive > 0) {
      expect(armed.has("silence") || event.type === "timer").toBe(true);
    }
  };
  step({ type: "connected" });
  for (const event of events) step(event);
}
