import { expect, it } from "vitest";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { Calls } from "../../../src/portal/calls/calls.js";
import type { RolePort, RoleQuery } from "../../../src/portal/roles/role-client.js";

interface Row {
  readonly session: string;
  readonly callId: string;
  readonly caller: string;
  readonly callee: string;
  readonly state: string;
  readonly since: number;
}

const row = (n: number, more: Partial<Row> = {}): Row => ({
  session: `s${n}`,
  callId: `c${n}`,
  caller: `u${n}@a.example`,
  callee: "x@b.example",
  state: "reserved",
  since: n,
  ...more,
});

/** A policy server that answers as src/daemon/pdp-views.ts does: its latest hundred, or those that are asked for. */
function rolesOf(rows: readonly Row[]) {
  const asked: RoleQuery[] = [];
  const ended: RoleQuery[] = [];
  const pdp: RolePort = {
    ask: async (_route, query = {}) => {
      asked.push(query);
      const { callId, user } = query;
      if (callId !== undefined) return rows.filter((each) => each.callId === callId);
      if (user === undefined) return rows.slice(-100);
      return rows.filter(({ caller, state }) => user.split(" ").includes(caller) && state === "reserved");
    },
    act: async (_route, query) => void ended.push(query),
  };
  return { asked, ended, calls: new Calls({ pdp, proxy: pdp, log: SILENT_LOGGER }) };
}

it("leaves all of a user's sessions, however many others there are, and however many they are", async () => {
  const own = Array.from({ length: 40 }, (_, n) => row(n, { caller: "alice@a.example" }));
  const { calls, ended } = rolesOf([...own, ...Array.from({ length: 200 }, (_, n) => row(100 + n))]);
  await calls.leaveAll("alice@a.example");
  expect(ended).toEqual(own.map(({ callId, session }) => ({ callId, session, cause: "left" })));
});

it("ends nobody else's sessions at a server that does not know the question", async () => {
  const rows = [row(1), row(2, { caller: "alice@A.example" }), row(3, { caller: "alice@a.example", state: "closed" })];
  const ended: RoleQuery[] = [];
  const pdp: RolePort = { ask: async () => rows, act: async (_route, query) => void ended.push(query) };
  await new Calls({ pdp, proxy: pdp, log: SILENT_LOGGER }).leaveAll("alice@a.example");
  expect(ended).toEqual([{ callId: "c2", session: "s2", cause: "left" }]);
});

it("leaves the user's own sessions of a call, and not those of a stranger who took its Call-ID", async () => {
  const both = { callId: "c", caller: "alice@a.example", callee: "bob@a.example" };
  const { calls, ended } = rolesOf([
    row(1, { callId: "c", caller: "mallory@a.example" }),
    row(2, { ...both, state: "closed" }),
    row(3, both),
    row(4, both),
  ]);
  expect(await calls.leave("c", "alice@a.example")).toBe(true);
  expect(ended.map(({ session }) => session)).toEqual(["s3", "s4"]);
  expect(await calls.leave("c", "carol@a.example")).toBe(false);
  expect(ended).toHaveLength(2);
});

it("asks for many users in few questions, none longer than a control server takes", async () => {
  const rows = Array.from({ length: 1000 }, (_, n) => row(n));
  const { calls, asked } = rolesOf(rows);
  expect(await calls.liveOf(rows.map(({ caller }) => caller))).toHaveLength(1000);
  const lengths = asked.map(({ user = "" }) => encodeURIComponent(user).length);
  expect(Math.max(...lengths)).toBeLessThan(2000);
  expect(asked.length).toBeLessThan(20);
  expect(await calls.liveOf([])).toEqual([]);
});
