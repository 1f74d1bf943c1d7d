import { describe, expect, it } from "vitest";
import { SystemError } from "../../../src/model/errors.js";
import type { Timestamp } from "../../../src/model/units.js";
import { sameAor } from "../../../src/portal/calls/calls.js";
import { ladderOf } from "../../../src/portal/calls/ladder.js";
import { parsePlace, recordsOf } from "../../../src/portal/calls/records.js";
import type { RolePort } from "../../../src/portal/roles/role-client.js";

const [PHONE, PROXY, PDP, NEXT, CH, ROUTER] = [
  "10.1.0.10:1",
  "10.1.0.5:2",
  "10.1.0.6:3",
  "10.3.0.5:4",
  "10.4.0.7:5",
  "10.1.0.1:6",
];
const event = (
  at: number,
  protocol: string,
  message: string,
  action: "sent" | "received",
  from: string,
  to: string,
) => ({
  at: at as Timestamp,
  protocol,
  message,
  action,
  from,
  to,
});

describe("ladderOf", () => {
  it("joins what proxy and policy server noted, without an address", () => {
    const lines = ladderOf([
      {
        teller: "policy server",
        events: [
          event(3, "COPS", "REQ AAA", "received", PROXY, PDP),
          event(4, "OSP", "AuthReq", "sent", PDP, CH),
          event(5, "COPS", "DEC Install", "sent", PDP, ROUTER),
          event(6, "COPS", "DEC", "sent", PDP, PROXY),
        ],
      },
      {
        teller: "proxy",
        events: [
          event(1, "SIP", "INVITE", "received", PHONE, PROXY),
          event(2, "COPS", "REQ AAA", "sent", PROXY, PDP),
          event(7, "COPS", "DEC", "received", PDP, PROXY),
          event(8, "SIP", "INVITE", "sent", PROXY, NEXT),
          event(9, "SIP", "200", "received", NEXT, PROXY),
        ],
      },
    ]);
    expect(lines.map(({ from, to, message }) => `${from} > ${to}: ${message}`)).toEqual([
      "caller > proxy: INVITE",
      "proxy > policy server: REQ AAA",
      "policy server > clearinghouse: AuthReq",
      "policy server > router: DEC Install",
      "policy server > proxy: DEC",
      "proxy > callee: INVITE",
      "callee > proxy: 200",
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/10\.\d/);
  });

  it("keeps a message that was sent twice", () => {
    const lines = ladderOf([
      { teller: "proxy", events: [1, 2].map((at) => event(at, "COPS", "REQ", "sent", PROXY, PDP)) },
      { teller: "policy server", events: [3, 4].map((at) => event(at, "COPS", "REQ", "received", PROXY, PDP)) },
    ]);
    expect(lines).toHaveLength(2);
  });
});

describe("recordsOf", () => {
  const record = (at: number, more: object = {}) => ({
    session: "0123456789abcdef",
    at,
    peer: "carol@b.example",
    class: "game",
    rate: 64_000,
    seconds: 10,
    octetsIn: 1,
    octetsOut: 2,
    outOfProfile: 0,
    price: { amount: "0.0125", currency: "EUR" },
    shares: [{ provider: "pol1", amount: "0.005" }],
    ...more,
  });
  const role = (views: Record<string, unknown>): RolePort => ({
    ask: async (route) => {
      const name = Object.keys(views).find((key) => key === route);
      if (name === undefined) throw new SystemError("CONTROL_ROUTE", "no such view");
      return views[name];
    },
    act: async () => undefined,
  });
  const page = { before: { at: 100, session: "" }, limit: 2 };

  it("gives the newest of the user's own with their prices, page by page", async () => {
    const foreign = record(60, { user: "bob@a.example" });
    const pdp = role({
      "/v1/show/records": [record(10), record(50, { user: "alice@a.example" }), record(30), foreign, record(200)],
    });
    const first = await recordsOf(pdp, "alice@a.example", page);
    expect(first).toMatchObject({
      records: [{ at: 50, price: { amount: "0.0125" } }, { at: 30 }],
      next: "30-0123456789abcdef",
    });
    expect(JSON.stringify(first)).not.toContain("bob");
    expect(await recordsOf(pdp, "alice@a.example", { before: parsePlace(first.next ?? ""), limit: 2 })).toMatchObject({
      records: [{ at: 10 }],
      next: null,
    });
  });

  it("loses none at the end of a page, where several ended at the same time", async () => {
    const all = ["s3", "s1", "s5", "s2", "s4"].map((session) => record(1795274004052.8171, { session }));
    const pdp: RolePort = {
      ask: async (_route, { before, session = "", limit } = {}) =>
        all
          .filter(
            ({ at, session: id }) =>
              before === undefined || at < Number(before) || (at === Number(before) && id < session),
          )
          .sort((one, other) => (one.session < other.session ? 1 : -1))
          .slice(0, Number(limit)),
      act: async () => undefined,
    };
    const seen: string[] = [];
    let next: string | null = "";
    while (next !== null && seen.length < 10) {
      const answer = await recordsOf(pdp, "alice@a.example", { before: parsePlace(next), limit: 2 });
      seen.push(...answer.records.map(({ session }) => session));
      next = answer.next;
    }
    expect(seen).toEqual(["s5", "s4", "s3", "s2", "s1"]);
  });

  it.each(["", "5", "-", "x-y", "1e3-a", "5-a b", `5-${"a".repeat(65)}`])(
    "takes %j for no place in the list",
    (text) => {
      expect(parsePlace(text)).toBeUndefined();
    },
  );

  it("falls back on usage, which has no prices", async () => {
    const counter = (octets: number) => ({ packets: 1, octets });
    const usage = {
      session: "0123456789abcdef",
      caller: "carol@b.example",
      callee: "alice@a.example",
      start: 5,
      duration: 1500,
      up: { inProfile: counter(100), outOfProfile: counter(1) },
      down: { inProfile: counter(200), outOfProfile: counter(2) },
    };
    const other = { ...usage, callee: "bob@a.example" };
    expect(await recordsOf(role({ "/v1/show/usage": [usage, other] }), "alice@a.example", page)).toEqual({
      records: [
        {
          session: usage.session,
          at: 5,
          peer: "carol@b.example",
          class: "",
          rate: 0,
          seconds: 1.5,
          octetsIn: 202,
          octetsOut: 101,
          outOfProfile: 3,
          price: null,
          shares: [],
        },
      ],
      next: null,
    });
  });

  it("says that an answer is not understood", async () => {
    await expect(recordsOf(role({ "/v1/show/records": [{ at: "then" }] }), "a@a", page)).rejects.toMatchObject({
      code: "CONTROL_ANSWER",
    });
  });
});

it("compares addresses of record as RFC 3261 §19.1.4 does", () => {
  expect(sameAor("alice@A.example", "sip:alice@a.EXAMPLE")).toBe(true);
  expect(sameAor("Alice@a.example", "alice@a.example")).toBe(false);
  expect(sameAor("alice@a.example", "alice@a.example.evil")).toBe(false);
});
