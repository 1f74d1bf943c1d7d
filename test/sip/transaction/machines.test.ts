import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { responseTo } from "../../../src/sip/message/build.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { parseMessage } from "../../../src/sip/message/parse.js";
import { inviteClient, stepInviteClient } from "../../../src/sip/transaction/invite-client.js";
import { inviteServer, stepInviteServer } from "../../../src/sip/transaction/invite-server.js";
import type { Action, ClientEvent, ServerEvent, Step } from "../../../src/sip/transaction/machine.js";
import { clientKey, serverKey } from "../../../src/sip/transaction/matching.js";
import { nonInviteClient, stepNonInviteClient } from "../../../src/sip/transaction/non-invite-client.js";
import { nonInviteServer, stepNonInviteServer } from "../../../src/sip/transaction/non-invite-server.js";
import { DEFAULT_TIMERS, type TimerName } from "../../../src/sip/transaction/timers.js";
import { nameOf, requestText } from "../harness.js";

function made(method: string, change: (text: string) => string = (text) => text): SipRequest {
  const parsed = parseMessage(Buffer.from(change(requestText({ method })), "latin1"));
  if (parsed.kind !== "request") throw new Error(parsed.kind);
  return parsed.request;
}

const INVITE = made("INVITE");
const BYE = made("BYE");
const ACK = made("ACK");
const TIMERS: TimerName[] = ["A", "B", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M"];

/** `A:500`, `send:INVITE`, `response:200` … */
const word = (action: Action): string => {
  switch (action.kind) {
    case "send":
      return `send:${nameOf(action.message)}`;
    case "arm":
      return `${action.timer}:${action.delay}`;
    case "disarm":
      return `-${action.timer}`;
    case "response":
      return `up:${action.response.status}`;
    default:
      return action.kind;
  }
};

function run<State extends { name: string }, Event>(
  start: State,
  step: (state: State, event: Event) => Step<State>,
  events: readonly Event[],
): string[] {
  let state = start;
  return events.map((event) => {
    const next = step(state, event);
    state = next.state;
    return `${state.name}: ${next.actions.map(word).join(" ")}`.trimEnd();
  });
}

const started = { kind: "start" } as const;
const fired = (timer: TimerName) => ({ kind: "timer", timer }) as const;
const got = (status: number) => ({ kind: "response", response: responseTo(INVITE, status, { toTag: "b" }) }) as const;
const say = (status: number) => ({ kind: "respond", response: responseTo(INVITE, status, { toTag: "b" }) }) as const;
const came = (request: SipRequest) => ({ kind: "request", request }) as const;

describe("INVITE client", () => {
  const trace = (...events: ClientEvent[]) => run(inviteClient(INVITE, DEFAULT_TIMERS), stepInviteClient, events);

  it("retransmits by A without end until B", () => {
    expect(trace(started, fired("A"), fired("A"), fired("B"), fired("A"))).toEqual([
      "calling: send:INVITE A:500 B:32000",
      "calling: send:INVITE A:1000",
      "calling: send:INVITE A:2000",
      "terminated: timeout terminated",
      "terminated:",
    ]);
  });

  it("acknowledges a failure, also when it comes again, until D", () => {
    expect(trace(started, got(180), got(486), got(486), got(200), fired("D"))).toEqual([
      "calling: send:INVITE A:500 B:32000",
      "proceeding: -A -B up:180",
      "completed: send:ACK D:32000 up:486",
      "completed: send:ACK",
      "completed:",
      "terminated: terminated",
    ]);
  });

  it("passes every 2xx on until M (RFC 6026)", () => {
    expect(trace(started, got(200), got(200), got(180), fired("B"), fired("M"))).toEqual([
      "calling: send:INVITE A:500 B:32000",
      "accepted: -A -B M:32000 up:200",
      "accepted: up:200",
      "accepted:",
      "accepted:",
      "terminated: terminated",
    ]);
  });
});

describe("INVITE server", () => {
  const trace = (...events: ServerEvent[]) => run(inviteServer(INVITE, DEFAULT_TIMERS), stepInviteServer, events);

  it("answers 100 at once, and retransmissions by the last provisional", () => {
    expect(trace(started, came(INVITE), say(180), came(INVITE))).toEqual([
      "proceeding: send:100",
      "proceeding: send:100",
      "proceeding: send:180",
      "proceeding: send:180",
    ]);
  });

  it("retransmits a failure by G up to T2, until ACK or H", () => {
    expect(
      trace(started, say(486), fired("G"), fired("G"), fired("G"), fired("G"), came(ACK), came(ACK), fired("I")),
    ).toEqual([
      "proceeding: send:100",
      "completed: send:486 G:500 H:32000",
      "completed: send:486 G:1000",
      "completed: send:486 G:2000",
      "completed: send:486 G:4000",
      "completed: send:486 G:4000",
      "confirmed: -G -H I:5000",
      "confirmed:",
      "terminated: terminated",
    ]);
    expect(trace(say(486), fired("H")).at(-1)).toBe("terminated: timeout terminated");
  });

  it("absorbs INVITEs after a 2xx, sends the user's again, until L (RFC 6026)", () => {
    expect(
      trace(started, say(200), came(INVITE), say(200), say(486), came(ACK), { kind: "transportError" }, fired("L")),
    ).toEqual([
      "proceeding: send:100",
      "accepted: send:200 L:32000",
      "accepted:",
      "accepted: send:200",
      "accepted:",
      "accepted: ack",
      "accepted: transportError",
      "terminated: terminated",
    ]);
  });
});

describe("non-INVITE client", () => {
  const trace = (...events: ClientEvent[]) => run(nonInviteClient(BYE, DEFAULT_TIMERS), stepNonInviteClient, events);

  it("retransmits by E up to T2, at T2 after a provisional, until F", () => {
    expect(trace(started, fired("E"), fired("E"), fired("E"), fired("E"), fired("F"))).toEqual([
      "trying: send:BYE E:500 F:32000",
      "trying: send:BYE E:1000",
      "trying: send:BYE E:2000",
      "trying: send:BYE E:4000",
      "trying: send:BYE E:4000",
      "terminated: timeout terminated",
    ]);
    expect(trace(started, got(100), fired("E"), got(200), got(200), fired("K")).slice(1)).toEqual([
      "proceeding: up:100",
      "proceeding: send:BYE E:4000",
      "completed: -E -F K:5000 up:200",
      "completed:",
      "terminated: terminated",
    ]);
  });
});

describe("non-INVITE server", () => {
  it("answers retransmissions with the last answer, until J", () => {
    const events: ServerEvent[] = [started, came(BYE), say(100), came(BYE), say(200), say(500), came(BYE), fired("J")];
    expect(run(nonInviteServer(BYE, DEFAULT_TIMERS), stepNonInviteServer, events)).toEqual([
      "trying: J:32000",
      "trying:",
      "proceeding: send:100",
      "proceeding: send:100",
      "completed: send:200 J:32000",
      "completed:",
      "completed: send:200",
      "terminated: terminated",
    ]);
  });

  it("does not wait for its user for ever", () => {
    expect(run(nonInviteServer(BYE, DEFAULT_TIMERS), stepNonInviteServer, [started, fired("J"), say(200)])).toEqual([
      "trying: J:32000",
      "terminated: terminated",
      "terminated:",
    ]);
  });
});

describe("over a reliable transport (RFC 3261 §17)", () => {
  const reliable = { ...DEFAULT_TIMERS, reliable: true };

  it("an INVITE client neither sends again nor waits for failures that come again", () => {
    const events: ClientEvent[] = [started, got(180), got(404), fired("D")];
    expect(run(inviteClient(INVITE, reliable), stepInviteClient, events)).toEqual([
      "calling: send:INVITE B:32000",
      "proceeding: -A -B up:180",
      "completed: send:ACK D:0 up:404",
      "terminated: terminated",
    ]);
  });

  it("an INVITE server does not send failures again, but waits for the ACK", () => {
    const events: ServerEvent[] = [started, say(404), came(ACK), fired("I")];
    expect(run(inviteServer(INVITE, reliable), stepInviteServer, events)).toEqual([
      "proceeding: send:100",
      "completed: send:404 H:32000",
      "confirmed: -G -H I:0",
      "terminated: terminated",
    ]);
  });

  it("others end with their answer", () => {
    expect(run(nonInviteClient(BYE, reliable), stepNonInviteClient, [started, got(200)])).toEqual([
      "trying: send:BYE F:32000",
      "completed: -E -F K:0 up:200",
    ]);
    expect(run(nonInviteServer(BYE, reliable), stepNonInviteServer, [started, say(200)])).toEqual([
      "trying: J:32000",
      "completed: send:200 J:0",
    ]);
  });

  it("2xx keep their 64*T1: they are the agents' to repeat (RFC 6026)", () => {
    expect(run(inviteClient(INVITE, reliable), stepInviteClient, [started, got(200)]).at(-1)).toContain("M:32000");
    expect(run(inviteServer(INVITE, reliable), stepInviteServer, [started, say(200)]).at(-1)).toContain("L:32000");
  });
});

const status = fc.constantFrom(100, 180, 200, 202, 302, 404, 486, 603);
const common = [
  fc.constant(started),
  fc.constantFrom(...TIMERS).map(fired),
  fc.constant({ kind: "transportError" } as const),
];
const clientEvents = fc.array(fc.oneof(...common, status.map(got)), { maxLength: 30 });
const serverEvents = fc.array(fc.oneof(...common, status.map(say), fc.constantFrom(INVITE, ACK, BYE).map(came)), {
  maxLength: 30,
});

/** What holds after any events: it ends at most once, says nothing afterwards, and never leaves a state without a way out. */
function sound<State extends { name: string }, Event>(
  start: State,
  step: (state: State, event: Event) => Step<State>,
  events: readonly Event[],
): void {
  let state = start;
  let ends = 0;
  let finals = 0;
  for (const event of events) {
    const before = state.name;
    const next = step(state, event);
    if (before === "terminated") expect(next.actions).toEqual([]);
    ends += next.actions.filter((action) => action.kind === "terminated").length;
    finals += next.actions.filter((action) => action.kind === "response" && action.response.status >= 300).length;
    state = next.state;
  }
  expect(ends).toBe(state.name === "terminated" ? 1 : 0);
  expect(finals).toBeLessThanOrEqual(1);
  // Firing every timer again and again ends any machine that has sent or got something final.
  const waits = ["proceeding", "trying"].includes(state.name);
  for (let turn = 0; turn < 3; turn += 1) for (const timer of TIMERS) state = step(state, fired(timer) as Event).state;
  if (!waits) expect(state.name).toBe("terminated");
}

describe("any events", () => {
  it("leave the client machines sound", () => {
    fc.assert(
      fc.property(clientEvents, (events) => {
        sound(inviteClient(INVITE, DEFAULT_TIMERS), stepInviteClient, events);
        sound(nonInviteClient(BYE, DEFAULT_TIMERS), stepNonInviteClient, events);
      }),
      { numRuns: 1000 },
    );
  });

  it("leave the server machines sound", () => {
    fc.assert(
      fc.property(serverEvents, (events) => {
        sound(inviteServer(INVITE, DEFAULT_TIMERS), stepInviteServer, events);
        sound(nonInviteServer(BYE, DEFAULT_TIMERS), stepNonInviteServer, events);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("matching", () => {
  it("takes branch, sent-by and method; ACK as INVITE, CANCEL for itself (§17.2.3)", () => {
    const same = (text: string) => text.replace(/branch=\S+/, "branch=z9hG4bKx");
    expect(serverKey(made("ACK", same))).toBe(serverKey(made("INVITE", same)));
    expect(serverKey(made("CANCEL", same))).not.toBe(serverKey(made("INVITE", same)));
    expect(serverKey(made("CANCEL", same), "INVITE")).toBe(serverKey(made("INVITE", same)));
    const moved = (text: string) => same(text).replace(":5070;branch", ":5071;branch");
    expect(serverKey(made("INVITE", moved))).not.toBe(serverKey(made("INVITE", same)));
  });

  it("matches RFC 2543 requests by what they say", () => {
    const old = (text: string) => text.replace(/branch=\S+/, "branch=1").replace(/CSeq: \d+ ACK/, "CSeq: 1 ACK");
    expect(serverKey(made("ACK", (text) => old(text).replace("com>", "com>;tag=9")))).toBe(
      serverKey(made("INVITE", old)),
    );
    expect(serverKey(made("INVITE", (text) => old(text).replace("call-1", "call-2")))).not.toBe(
      serverKey(made("INVITE", old)),
    );
  });

  it("tells the answer to a CANCEL from the answer to its INVITE (§17.1.3)", () => {
    const same = (text: string) => text.replace(/branch=\S+/, "branch=z9hG4bKx");
    const invite = made("INVITE", same);
    expect(clientKey(responseTo(invite, 200))).toBe(clientKey(invite));
    expect(clientKey(responseTo(made("CANCEL", same), 200))).not.toBe(clientKey(invite));
  });
});
