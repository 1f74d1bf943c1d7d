/** What roles tell of users, their sessions and the paths between edges, as tables. */
import { describe, expect, it } from "vitest";
import type { StampView } from "../../src/control/stamp-views.js";
import type { ShowViews } from "../../src/control/views.js";
import { bitsPerSecond, millis, octets, timestamp } from "../../src/model/units.js";
import { ZERO_FLOW_COUNTERS } from "../../src/model/usage.js";
import { SESSION } from "./ladder-logs.js";
import { roleSockets } from "./role-sockets.js";

const sockets = roleSockets("sluice-show-");
const NOW = timestamp(Date.UTC(2026, 0, 2, 3, 4, 5));

const sluice = (...args: readonly string[]) => sockets.sluice(args);

async function shown<Topic extends keyof ShowViews>(topic: Topic, value: ShowViews[Topic]): Promise<readonly string[]> {
  await sockets.role("r", { [`/v1/show/${topic}`]: async () => value });
  const { code, out, err } = await sluice("show", topic);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out
    .trimEnd()
    .split("\n")
    .map((line) => line.replaceAll(/ {2,}/g, "|"));
}

describe("show", () => {
  it("quality: times and loss with units, and nothing where nothing is known", async () => {
    const known = { latency: millis(12.3456), jitter: millis(0.5), loss: 0.00125, samples: 250, age: millis(1500) };
    expect(
      await shown("quality", [
        { pool: "game", direction: "up", ...known, method: "oneWay" },
        { pool: "game", direction: "down", samples: 0, method: "waiting" },
      ]),
    ).toEqual([
      "ROLE|POOL|DIRECTION|LATENCY|JITTER|LOSS|SAMPLES|AGE|METHOD",
      "r|game|up|12.35 ms|0.5 ms|0.125 %|250|1.5 s|oneWay",
      expect.stringMatching(/^r\|game\|down\|0\|waiting$/),
    ]);
  });

  it("stamp: what is sent and reflected, and what is lacking", async () => {
    const view: StampView = {
      times: "kernel",
      classes: false,
      synchronised: true,
      reflecting: 2,
      sent: 9,
      answered: 8,
      reflected: 7,
      refused: 1,
      counters: { sent: 9 },
      lacking: "CAP_NET_ADMIN is missing",
    };
    expect((await shown("stamp", view))[1]).toBe("r|kernel|false|true|2|9|8|7|1|CAP_NET_ADMIN is missing");
  });

  it("registrations", async () => {
    const binding = { user: "a@a.example", contact: "sip:x@y;ob", q: 1, since: NOW, expires: NOW };
    const rows = await shown("registrations", [
      { ...binding, transport: "wss", from: "10.1.0.10:4000", connected: true, agent: "page" },
    ]);
    expect(rows[1]).toBe(
      "r|a@a.example|sip:x@y;ob|1|wss|10.1.0.10:4000|true|page|2026-01-02T03:04:05Z|2026-01-02T03:04:05Z",
    );
  });

  it("live: a row for each session", async () => {
    const up = { ...ZERO_FLOW_COUNTERS, inProfile: { packets: 5, octets: octets(500) } };
    const view = { at: NOW, sessions: [{ session: SESSION, up, down: ZERO_FLOW_COUNTERS, moved: NOW }] };
    expect((await shown("live", view))[1]).toBe(`r|${SESSION}|5|500 B|0 B|0|0 B|0 B|2026-01-02T03:04:05Z`);
  });

  it("records: prices exact as they came, with the shares, of a policy server and of a clearinghouse", async () => {
    const record = {
      session: SESSION,
      at: NOW,
      user: "a@a.example",
      peer: "b@b.example",
      rate: bitsPerSecond(80_000),
      seconds: 12.5,
      octetsIn: octets(1),
      octetsOut: octets(2),
      outOfProfile: octets(0),
    };
    await sockets.role("ch", { "/v1/show/records": async () => [record] });
    const shares = [
      { provider: "a.example", amount: "0.06" },
      { provider: "clearinghouse", amount: "0.0100" },
    ];
    const price = { amount: "0.0700", currency: "EUR" };
    const [, ch, own] = await shown("records", [
      { ...record, class: "game", result: "granted", price, shares, basis: "both" },
    ]);
    expect(ch).toBe(`ch|2026-01-02T03:04:05Z|${SESSION}|a@a.example|b@b.example|80 kbit/s|12.5 s|1 B|2 B|0 B`);
    expect(own).toBe(
      `r|2026-01-02T03:04:05Z|${SESSION}|a@a.example|b@b.example|game|granted|80 kbit/s|12.5 s|1 B|2 B|0 B|0.0700 EUR|a.example 0.06, clearinghouse 0.0100|both`,
    );
  });

  it("portal and counters", async () => {
    const counters = { "login.failed": 4, "refused.CSRF": 2, "refused.RATE": 3 };
    const portal = { users: 3, logins: 4, pages: 5, connections: 6, counters, certificateUntil: NOW };
    expect((await shown("portal", portal))[1]).toBe("r|3|4|5|6|5|2026-01-02T03:04:05Z");
    const { out } = await sluice("show", "portal", "-o", "json");
    expect(JSON.parse(out)).toEqual({ apiVersion: "sluice/v1", kind: "portal", items: [{ role: "r", ...portal }] });
    await sockets.role("sip1", {
      "/v1/show/counters": async () => [{ counter: "sip.received", kind: "counter", value: 9 }],
    });
    expect((await sluice("show", "counters")).out).toMatch(/^sip1 +sip\.received +counter +9$/m);
  });

  it("explain: when media was last seen to move", async () => {
    const answer = { session: SESSION, outcome: "reserved", steps: [], moved: NOW };
    await sockets.role("pol1", { "/v1/explain": async () => answer });
    expect((await sluice("explain", SESSION)).out).toContain("media was last seen to move at 2026-01-02T03:04:05Z\n");
  });

  it("knows them in its help", async () => {
    const { out } = await sluice("show", "--help");
    for (const topic of ["quality", "stamp", "registrations", "live", "records", "portal", "counters"]) {
      expect(out.replaceAll(/\s+/g, " ")).toContain(topic);
    }
  });
});
