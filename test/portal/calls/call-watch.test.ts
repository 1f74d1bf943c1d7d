import { expect, it } from "vitest";
import { SystemError } from "../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import type { Timestamp } from "../../../src/model/units.js";
import { CallWatch } from "../../../src/portal/calls/call-watch.js";
import type { EventStream, Frame } from "../../../src/portal/http/event-streams.js";
import type { RoleSession } from "../../../src/portal/roles/answers.js";
import { FakeClock } from "../../support/fake-clock.js";

const session = (callId: string, state: string, more: Partial<RoleSession> = {}): RoleSession => ({
  session: "0123456789abcdef",
  callId,
  caller: "alice@a.example",
  callee: "bob@A.Example",
  state,
  since: 1 as Timestamp,
  ...more,
});

function watch() {
  const clock = new FakeClock();
  const told: Record<string, string[]> = { alice: [], bob: [], carol: [] };
  const role = { sessions: [] as readonly RoleSession[], asked: 0, isAway: false };
  const calls = new CallWatch({
    liveOf: async (aors) => {
      role.asked += 1;
      if (role.isAway) throw new SystemError("CONTROL_UNREACHABLE", "away");
      return role.sessions.filter(({ caller, callee, state }) => {
        const isTheirs = [caller, callee].some((aor) => aors.includes(aor.toLowerCase()));
        return isTheirs && state !== "closed";
      });
    },
    find: async (id) => role.sessions.find(({ callId }) => callId === id),
    clock,
    log: SILENT_LOGGER,
  });
  const streams = Object.keys(told).map((user): EventStream => {
    const send = (frame: Frame): void => void told[user]?.push(JSON.parse(frame.split("data: ")[1]!).state);
    return { user, send, feed: () => undefined, end: () => undefined };
  });
  const listen = (): void => {
    for (const stream of streams) calls.listen(`${stream.user}@a.example`, stream);
  };
  const unlisten = (): void => {
    for (const stream of streams) calls.unlisten(`${stream.user}@a.example`, stream);
  };
  return { clock, told, role, calls, listen, unlisten };
}

it("asks only while somebody listens, and tells both parties once of each change", async () => {
  const { clock, told, role, calls, listen, unlisten } = watch();
  await clock.pass(5000);
  expect(role.asked).toBe(0);
  role.sessions = [session("old", "reserved")];
  listen();
  await clock.pass(1000);
  // What was there before is no news.
  expect(told).toEqual({ alice: [], bob: [], carol: [] });
  role.sessions = [session("old", "reserved"), session("new", "authorised", { session: "1".repeat(16) })];
  await clock.pass(3000);
  role.sessions = [session("old", "closed"), session("new", "authorised", { session: "1".repeat(16) })];
  await clock.pass(3000);
  expect(told).toEqual({ alice: ["authorised", "closed"], bob: ["authorised", "closed"], carol: [] });
  unlisten();
  const { asked } = role;
  await clock.pass(5000);
  expect(role.asked).toBe(asked);
  calls.close();
});

it("says of one that is forgotten that it is closed, and nothing of what a new listener finds", async () => {
  const { clock, told, role, calls, listen } = watch();
  role.sessions = [
    session("c", "reserved"),
    session("d", "reserved", { session: "2".repeat(16), caller: "x@a", callee: "y@a" }),
  ];
  listen();
  await clock.pass(2000);
  const late: string[] = [];
  const send = (frame: Frame): void => void late.push(frame);
  calls.listen("x@a", { user: "x", send, feed: () => undefined, end: () => undefined });
  await clock.pass(1000);
  expect([told.alice, late]).toEqual([[], []]);
  role.sessions = [];
  await clock.pass(3000);
  expect([told.alice, told.bob, late.length]).toEqual([["closed"], ["closed"], 1]);
  calls.close();
});

it("does not take the two sides of one session at one server for changes", async () => {
  const { clock, told, role, listen, calls } = watch();
  role.sessions = [
    session("c", "reserved", { side: "originating" }),
    session("c", "authorised", { side: "terminating" }),
  ];
  listen();
  await clock.pass(5000);
  expect(told.alice).toEqual([]);
  calls.close();
});

it("says that the policy server is away, and tells afterwards what happened meanwhile", async () => {
  const { clock, told, role, listen, calls } = watch();
  listen();
  await clock.pass(1000);
  role.isAway = true;
  await clock.pass(3000);
  expect(calls.problems()).toEqual(["the policy server's control socket does not answer"]);
  role.isAway = false;
  role.sessions = [session("c", "reserved")];
  await clock.pass(1000);
  expect(calls.problems()).toEqual([]);
  expect(told.bob).toEqual(["reserved"]);
  calls.close();
});
