import { describe, expect, it } from "vitest";
import type { EventsView } from "../../../../src/control/views.js";
import type { OpsSnapshot } from "../../../../src/portal/api/shapes.js";
import { OpsPast } from "../../../../src/portal/web/ops/feed-state.js";
import { mergeEvents } from "../../../../src/portal/web/ops/merge-events.js";
import { qualityTable } from "../../../../src/portal/web/ops/quality-rows.js";

type Events = EventsView["events"];
const event = (at: number, action: "sent" | "received", from: string, to: string, message = "INVITE") =>
  ({ at, session: "s", protocol: "SIP", message, action, from, to }) as unknown as Events[number];

describe("a ladder of several roles", () => {
  it("has a message once that two of them saw, between their names", () => {
    const merged = mergeEvents([
      { host: "sip1", events: [event(1, "received", "a:1", "p:1"), event(2, "sent", "p:1", "q:1")] },
      { host: "sip2", events: [event(2.5, "received", "p:1", "q:1"), event(3, "sent", "q:1", "b:1")] },
    ]);
    expect(merged.map(({ from, to, message }) => `${from}>${to} ${message}`)).toEqual([
      "a:1>sip1 SIP INVITE",
      "sip1>sip2 SIP INVITE",
      "sip2>b:1 SIP INVITE",
    ]);
  });

  it("has a message twice that was sent twice", () => {
    const events = [event(1, "sent", "p:1", "q:1"), event(2, "sent", "p:1", "q:1")];
    const received = [event(1.1, "received", "p:1", "q:1"), event(2.1, "received", "p:1", "q:1")];
    expect(
      mergeEvents([
        { host: "x", events },
        { host: "y", events: received },
      ]),
    ).toHaveLength(2);
    expect(mergeEvents([])).toEqual([]);
  });
});

const pool = (name: string, id: number, used: number) => ({ name, id, rate: 100, used, free: 0, sessions: 0 });
const snapshot = (at: number, pools: object[], links: object[] = []): OpsSnapshot =>
  ({ at, hosts: [{ host: "pol1", role: "pdp", health: {}, pools, links }] }) as unknown as OpsSnapshot;

describe("the past of pools", () => {
  it("grows with each snapshot, and goes with its pool", () => {
    const past = new OpsPast();
    past.take(snapshot(1, [pool("games", 1, 10)], [pool("up", 0, 20)]));
    const [games, up] = past.take(snapshot(2, [pool("games", 1, 30)], [pool("up", 0, 20)]));
    expect(games).toMatchObject({ host: "pol1", isLink: false, pool: { name: "games", used: 30 } });
    expect(games?.used.readings.map(({ value }) => value)).toEqual([10, 30]);
    expect(up?.isLink).toBe(true);
    expect(past.take(snapshot(3, [pool("games", 1, 30)]))).toHaveLength(1);
  });

  it("begins before the page was opened, where a role remembers", () => {
    const past = new OpsPast();
    past.take(snapshot(100, [pool("games", 1, 10)]));
    past.seed("pol1", "games", [
      { at: 50, used: 5, reserved: 90 },
      { at: 100, used: 9, reserved: 90 },
    ]);
    const [games] = past.take(snapshot(101, [pool("games", 1, 11)]));
    expect(games?.used.readings.map(({ value }) => value)).toEqual([5, 10, 11]);
    expect(games?.reserved.readings.map(({ value }) => value)).toEqual([90, 100, 100]);
  });
});

describe("path quality", () => {
  it("is a table of whatever is told, in units that people read", () => {
    expect(qualityTable([{ path: "b", toCaller: { latency: 2.256, loss: 0.0012 } }, { path: "c" }])).toEqual({
      heads: ["path", "toCaller latency", "toCaller loss"],
      rows: [
        ["b", "2.26", "0.12 %"],
        ["c", "–", "–"],
      ],
    });
    expect(qualityTable({ paths: [{ path: "b" }], note: "x" }).rows).toEqual([["b"]]);
    for (const nothing of [undefined, null, 5, "x", [], {}]) expect(qualityTable(nothing).rows).toEqual([]);
  });
});
