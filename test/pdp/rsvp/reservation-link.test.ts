import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { CopsDecision, DrqMessage, ReqMessage, RptMessage } from "../../../src/cops/codec/message.js";
import type { PdpPeer } from "../../../src/cops/endpoint/pdp-peer.js";
import { CLIENT_TYPE_RSVP, requestHandle } from "../../../src/cops/rsvp/codes.js";
import { ProtocolError } from "../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { bitsPerSecond, seconds } from "../../../src/model/units.js";
import { ReservationLink } from "../../../src/pdp/rsvp/reservation-link.js";
import { ReservationRules } from "../../../src/pdp/rsvp/reservation-rules.js";
import { FakeClock, settle } from "../../support/fake-clock.js";
import { aggregate, reqOf, requestOf } from "./requests.js";

const clock = new FakeClock();
let link: ReservationLink;
let told: (readonly CopsDecision[])[];

/** A router's connection; what it is told is written down, and never reported on. */
function peerOf(pepId: string): PdpPeer {
  return {
    pepId,
    clientType: CLIENT_TYPE_RSVP,
    remote: "10.2.0.2:4000",
    synchronize: () => undefined,
    decide: (_handle: Buffer, decisions: readonly CopsDecision[]) => {
      told.push(decisions);
      return Promise.reject(new ProtocolError("COPS_DOWN", "deleted"));
    },
  } as unknown as PdpPeer;
}

const rpt = (handle: number, reportType: RptMessage["reportType"] = "success"): RptMessage => ({
  op: "RPT",
  clientType: CLIENT_TYPE_RSVP,
  handle: requestHandle(handle),
  solicited: true,
  reportType,
  signaled: [],
  named: [],
});
const drq = (handle: number): DrqMessage => ({
  op: "DRQ",
  clientType: CLIENT_TYPE_RSVP,
  handle: requestHandle(handle),
  reason: { code: 4, subCode: 0 },
});

function answer(peer: PdpPeer, req: ReqMessage): string {
  const { decisions, error } = link.request(peer, req);
  if (error !== undefined) return `error ${error.code}`;
  return decisions.map(({ command }) => (command === 1 ? "install" : "remove")).join();
}

beforeEach(() => {
  told = [];
  link = new ReservationLink({
    routers: new Set(["r1", "t"]),
    rules: new ReservationRules([
      { name: "all", from: "10.1.0.0/16", to: "10.3.0.0/16", rate: bitsPerSecond(250_000) },
    ]),
    maxReservations: 3,
    keepAlive: 30,
    clock,
    log: SILENT_LOGGER,
  });
});

describe("reservations of a router", () => {
  it("take from their rule at that router alone, and give back when they end", () => {
    const [t, r1] = [peerOf("t"), peerOf("r1")];
    for (const peer of [t, r1]) link.opened(peer);
    expect(answer(t, requestOf({ rate: 200_000 }))).toBe("install");
    expect(answer(t, requestOf({ rate: 100_000, handle: 2, sender: "10.1.0.2" }))).toBe("remove");
    expect(answer(r1, requestOf({ rate: 200_000 }))).toBe("install");
    link.deleted(t, drq(1));
    expect(answer(t, requestOf({ rate: 100_000, handle: 2, sender: "10.1.0.2" }))).toBe("install");
  });

  it("refuses with an ERROR_SPEC, and has a router told", () => {
    const t = peerOf("t");
    link.opened(t);
    const [decision] = link.request(t, requestOf({ rate: 300_000 })).decisions;
    expect(decision).toMatchObject({ command: 2, flags: 1, context: { rType: 7, mType: 2 } });
    expect(decision?.replacement?.toString("hex")).toBe("000c06010000000000020004");
  });

  it("keeps what was granted when more is refused", () => {
    const t = peerOf("t");
    link.opened(t);
    answer(t, requestOf({ rate: 200_000 }));
    expect(answer(t, requestOf({ rate: 300_000 }))).toBe("remove");
    expect(answer(t, requestOf({ rate: 100_000, handle: 2, sender: "10.1.0.2" }))).toBe("remove");
    expect(answer(t, requestOf({ rate: 200_000, held: true }))).toBe("install");
    expect(link.reservations()).toHaveLength(1);
  });

  it("are committed when the router says so, or held them before", () => {
    const t = peerOf("t");
    link.opened(t);
    answer(t, requestOf({ rate: 50_000 }));
    expect(link.reservations()).toMatchObject([{ committed: false }]);
    link.report(t, rpt(1, "failure"));
    expect(link.reservations()).toMatchObject([{ committed: false }]);
    link.report(t, rpt(1));
    expect(link.reservations()).toMatchObject([{ committed: true }]);
    answer(t, requestOf({ rate: 50_000, handle: 2, sender: "10.1.0.2", held: true }));
    expect(link.reservations()).toMatchObject([{ committed: true }, { committed: true }]);
  });

  it("are counted once when they come again under another handle", () => {
    const t = peerOf("t");
    link.opened(t);
    answer(t, requestOf({ rate: 200_000 }));
    link.opened(peerOf("t"));
    expect(answer(t, requestOf({ rate: 200_000, handle: 9, held: true }))).toBe("install");
    link.deleted(t, drq(1));
    expect(link.reservations()).toHaveLength(1);
  });

  it("are forgotten when the router has not mentioned them, or does not come back", async () => {
    const [first, second] = [peerOf("t"), peerOf("t")];
    link.opened(first);
    answer(first, requestOf({ rate: 50_000 }));
    answer(first, requestOf({ rate: 50_000, handle: 2, sender: "10.1.0.2" }));
    link.closed(first, "lost");
    link.opened(second);
    answer(second, requestOf({ rate: 50_000, handle: 1 }));
    link.synchronized(second);
    await settle();
    expect(link.reservations()).toHaveLength(1);
    link.closed(first, "late");
    link.closed(second, "lost");
    clock.advance(299_000);
    expect(link.reservations()).toHaveLength(1);
    clock.advance(1000);
    expect(link.reservations()).toEqual([]);
  });

  it("are limited in number", () => {
    const t = peerOf("t");
    link.opened(t);
    const answers = [1, 2, 3, 4].map((each) =>
      answer(t, requestOf({ rate: 8000, handle: each, sender: `10.1.0.${each}` })),
    );
    expect(answers).toEqual(["install", "install", "install", "remove"]);
    expect(answer(t, requestOf({ rate: 16_000 }))).toBe("install");
  });

  it("are taken back by an operator, and refused for a while", async () => {
    const t = peerOf("t");
    link.opened(t);
    answer(t, requestOf({ rate: 50_000 }));
    answer(t, requestOf({ rate: 50_000, handle: 2, session: aggregate("10.3.0.2") }));
    const taken = link.withdraw(({ ask }) => ask.session.destination === "10.3.0.1", seconds(60));
    await settle();
    expect(taken).toHaveLength(1);
    expect(told).toMatchObject([[{ command: 2, flags: 1, context: { rType: 2, mType: 2 } }]]);
    expect(answer(t, requestOf({ rate: 50_000, handle: 3 }))).toBe("remove");
    expect(link.decisions().at(-1)).toMatchObject({ admitted: false, text: "an operator has taken it back" });
    clock.advance(60_000);
    expect(answer(t, requestOf({ rate: 50_000, handle: 4 }))).toBe("install");
  });

  it("are answered with an error where they cannot be read", () => {
    expect(answer(peerOf("t"), reqOf(Buffer.alloc(3)))).toBe("error 3");
  });

  it("never take more than their rule has, whatever routers say", () => {
    const step = fc.record({
      what: fc.constantFrom("ask", "ask", "ask", "delete", "commit", "withdraw"),
      handle: fc.integer({ min: 1, max: 5 }),
      sender: fc.integer({ min: 1, max: 4 }),
      rate: fc.constantFrom(8000, 80_000, 160_000, 240_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const t = peerOf("t");
        const fresh = new ReservationLink({
          routers: new Set(["t"]),
          rules: new ReservationRules([{ name: "all", rate: bitsPerSecond(250_000) }]),
          maxReservations: 3,
          keepAlive: 30,
          clock,
          log: SILENT_LOGGER,
        });
        fresh.opened(t);
        for (const { what, handle, sender, rate } of steps) {
          if (what === "ask") fresh.request(t, requestOf({ handle, rate, sender: `10.1.0.${sender}` }));
          else if (what === "delete") fresh.deleted(t, drq(handle));
          else if (what === "commit") fresh.report(t, rpt(handle));
          else fresh.withdraw(({ ask }) => ask.senders.includes(`10.1.0.${sender}`), seconds(0.001));
          const all = fresh.reservations();
          expect(all.reduce((sum, { ask }) => sum + ask.rate, 0)).toBeLessThanOrEqual(250_000);
          expect(all.length).toBeLessThanOrEqual(3);
        }
        for (let handle = 1; handle <= 5; handle += 1) fresh.deleted(t, drq(handle));
        clock.advance(10);
        // Nothing is left over in the account.
        expect(fresh.reservations()).toEqual([]);
        expect(fresh.request(t, requestOf({ rate: 240_000 })).decisions[0]?.command).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
