import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lookupOf, type RoleEvents } from "../../src/cli/ladder-hosts.js";
import { missingSteps, traceOf } from "../../src/cli/ladder-match.js";
import { type LadderHost, type LadderStep, SETUP_LADDER, TEARDOWN_LADDER } from "../../src/model/ladder.js";
import { ladderLogs } from "./ladder-logs.js";

const trace = (roles: readonly RoleEvents[], given = new Map<string, string>()) =>
  traceOf(roles, lookupOf(roles, given));
const numbers = (roles: readonly RoleEvents[], phase: "setup" | "teardown") =>
  trace(roles)
    .filter((line) => line.phase === phase && line.n !== undefined)
    .map(({ n }) => n);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const messagesOnly = (ladder: readonly LadderStep[]) => ladder.filter(({ protocol }) => protocol !== "RTP");

describe("traceOf", () => {
  it("numbers a whole session from the logs of both ends", () => {
    const roles = ladderLogs([...messagesOnly(SETUP_LADDER), ...TEARDOWN_LADDER]);
    expect(numbers(roles, "setup")).toEqual(upTo(28));
    expect(numbers(roles, "teardown")).toEqual(upTo(18));
    const lines = trace(roles);
    expect(lines).toHaveLength(46);
    expect(missingSteps(lines, "setup")).toEqual([]);
    expect(lines[0]).toEqual({
      phase: "setup",
      n: 1,
      ms: 0,
      from: "UAC",
      to: "SIP1",
      protocol: "SIP",
      message: "INVITE",
    });
    expect(lines[27]).toMatchObject({ n: 28, ms: 27, from: "SIP2", to: "UAS", message: "ACK" });
  });

  it("holds when the clocks of the hosts do not agree", () => {
    const roles = ladderLogs(messagesOnly(SETUP_LADDER), { skew: { SIP2: 0.4 } });
    expect(trace(roles)).toHaveLength(28);
    expect(numbers(roles, "setup")).toEqual(upTo(28));
  });

  it("follows what caused what, whatever the clocks of policy servers, routers and clearinghouse say", () => {
    const skew = fc.integer({ min: -5000, max: 5000 });
    fc.assert(
      fc.property(fc.record({ POL1: skew, POL2: skew, R1: skew, R2: skew, CH: skew }), (clocks) => {
        const told = numbers(ladderLogs(messagesOnly(SETUP_LADDER), { skew: clocks }), "setup");
        // Nothing ties the callee's answer to what its ringing causes at the caller's side.
        expect(told.filter((n) => n !== undefined && n <= 22)).toEqual(upTo(22));
        expect(told.filter((n) => n === undefined || n > 22)).toEqual(upTo(28).slice(22));
      }),
    );
  });

  it("tells every message of logs that lost their beginning", () => {
    const roles = ladderLogs(messagesOnly(SETUP_LADDER));
    const cut = roles.map((role) => (role.host === "POL2" ? { ...role, events: role.events.slice(3) } : role));
    expect(trace(cut)).toHaveLength(28);
  });

  it("shows messages beside the ladder without a number", () => {
    const hundred: LadderStep = { n: 0, from: "SIP1", to: "UAC", protocol: "SIP", message: "100" };
    const [invite, ...rest] = messagesOnly(SETUP_LADDER);
    if (invite === undefined) throw new Error("no ladder");
    const lines = trace(ladderLogs([invite, hundred, invite, ...rest]));
    expect(lines.slice(0, 4).map(({ n, message }) => [n, message])).toEqual([
      [1, "INVITE"],
      [undefined, "100"],
      [undefined, "INVITE"],
      [2, "REQ AAA"],
    ]);
    expect(missingSteps(lines, "setup")).toEqual([]);
  });

  it("mirrors the teardown when the callee hangs up", () => {
    const swap: Partial<Record<LadderHost, LadderHost>> = { UAC: "UAS", UAS: "UAC" };
    for (const kind of ["SIP", "POL", "R"]) {
      swap[`${kind}1` as LadderHost] = `${kind}2` as LadderHost;
      swap[`${kind}2` as LadderHost] = `${kind}1` as LadderHost;
    }
    const mirrored = TEARDOWN_LADDER.map((step) => ({
      ...step,
      from: swap[step.from] ?? step.from,
      to: swap[step.to] ?? step.to,
    }));
    const roles = ladderLogs([...messagesOnly(SETUP_LADDER), ...mirrored]);
    expect(numbers(roles, "teardown")).toEqual(upTo(18));
  });

  it("tells what nobody saw", () => {
    const steps = messagesOnly(SETUP_LADDER).filter(({ n }) => n !== 14 && n !== 15);
    expect(missingSteps(trace(ladderLogs(steps)), "setup")).toEqual([14, 15]);
  });

  it("names hosts by address, by the operator's map first, and by port where roles share an address", () => {
    const roles = ladderLogs(messagesOnly(SETUP_LADDER));
    const hostOf = lookupOf(roles, new Map([["10.1.0.10", "PHONE"]]));
    expect(hostOf("10.1.0.10:5060")).toBe("PHONE");
    expect(hostOf("10.3.0.10:5060")).toBe("UAS");
    expect(hostOf("[fd01::9]:5060")).toBe("fd01::9");
    const shared = ladderLogs(messagesOnly(SETUP_LADDER), { address: "127.0.0.1" });
    expect(lookupOf(shared, new Map())("127.0.0.1:1002")).toBe("POL1");
  });

  it("makes do with the log of one role", () => {
    const lines = trace(ladderLogs(messagesOnly(SETUP_LADDER)).filter(({ host }) => host === "SIP1"));
    expect(lines.map(({ from, to, message }) => `${from} ${message} ${to}`).slice(0, 3)).toEqual([
      "UAC INVITE SIP1",
      "SIP1 REQ AAA 10.1.0.6",
      "10.1.0.6 DEC SIP1",
    ]);
  });

  it("is empty for nothing", () => {
    expect(trace([])).toEqual([]);
  });
});
