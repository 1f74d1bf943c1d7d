import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Refusal } from "../../../src/model/decision.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import type { SessionId } from "../../../src/model/session.js";
import { type BitsPerSecond, bitsPerSecond, dscp, millis, octets, timestamp } from "../../../src/model/units.js";
import { AdmissionLedger } from "../../../src/pdp/ledger.js";
import { PoolKeeper } from "../../../src/pdp/pools/pool-keeper.js";
import { InstantReservations, type ReservationEvents } from "../../../src/pdp/pools/reservation-port.js";
import { type ReservedPool, RsvpReservations } from "../../../src/pdp/pools/rsvp-reservations.js";
import type { AggregateReport, PolicyAggregate } from "../../../src/pdp/router/aggregate-rows.js";
import { FakeClock, settle } from "../../support/fake-clock.js";

/** Layer 2 is 1.07 times layer 3. */
const hqBranch: ReservedPool = {
  name: "hq-branch",
  id: 2,
  remote: "10.3.0.1",
  dscp: dscp(46),
  direction: "both",
  ceiling: bitsPerSecond(1_000_000),
  patience: millis(300),
  packetSize: octets(200),
  linkOverhead: octets(14),
};
const kbit = (kilobits: number): BitsPerSecond => bitsPerSecond(kilobits * 1000);
const layer2 = (kilobits: number): number => Math.floor((kilobits * 1000 * 214) / 200);

function world(pool: ReservedPool = hqBranch) {
  const clock = new FakeClock();
  const told: (string | number)[][] = [];
  const asked: PolicyAggregate[] = [];
  const router: { answer: { readonly admitted: true } | Refusal } = { answer: { admitted: true } };
  const events: ReservationEvents = {
    confirmed: (...what) => told.push(["confirmed", ...what]),
    refused: (...what) => told.push(["refused", ...what]),
    takenBack: (...what) => told.push(["takenBack", ...what]),
  };
  const reservations = new RsvpReservations({
    pools: [pool],
    others: new InstantReservations(() => events),
    reserve: (aggregate) => {
      asked.push(aggregate);
      return Promise.resolve(router.answer);
    },
    events: () => events,
    clock,
    log: SILENT_LOGGER,
  });
  /** Of the latest request, if not told otherwise. Rates in kbit/s; null: not known. */
  const report = (
    state: AggregateReport["state"],
    outgoing: number | null,
    incoming = outgoing,
    request = asked.at(-1)?.request ?? 0,
    reason = "",
  ): void => {
    const rate = (kilobits: number | null) => (kilobits === null ? undefined : kbit(kilobits));
    reservations.report({ pool: 2, outgoing: rate(outgoing), incoming: rate(incoming), state, request, reason });
  };
  return { clock, told, asked, router, reservations, report };
}

/** 500 kbit/s at layer 2 are asked for, and there. */
function confirmed(pool?: ReservedPool) {
  const parts = world(pool);
  parts.reservations.request("hq-branch", kbit(500));
  parts.report("confirmed", 468);
  expect(parts.told.splice(0)).toEqual([["confirmed", "hq-branch", 500_000]]);
  return parts;
}

describe("reservations by RSVP", () => {
  it("are asked for at layer 3, and confirmed at layer 2", () => {
    const { asked } = confirmed();
    expect(asked).toEqual([
      {
        pool: 2,
        remote: "10.3.0.1",
        dscp: 46,
        rate: 468_000,
        burst: 5850,
        packetSize: 200,
        request: 1,
        ceiling: 935_000,
      },
    ]);
  });

  it("say how far the other direction may follow: not at all in one, and as far as was asked for by hand", () => {
    const ceilings = (pool: ReservedPool) => {
      const { asked, reservations } = world(pool);
      for (const kilobits of [500, 2000]) reservations.request("hq-branch", kbit(kilobits));
      return asked.map(({ ceiling, rate }) => [ceiling, rate]);
    };
    const { ceiling: _, ...without } = hqBranch;
    expect(ceilings(hqBranch)).toEqual([
      [935_000, 468_000],
      [1_870_000, 1_870_000],
    ]);
    expect(ceilings(without)[0]).toEqual([468_000, 468_000]);
    expect(ceilings({ ...hqBranch, direction: "forward" })[0]).toEqual([undefined, 468_000]);
  });

  it("of a tunnelled pool name its tunnel", () => {
    const { asked, reservations } = world({ ...hqBranch, tunnel: 5 });
    reservations.request("hq-branch", kbit(500));
    expect(asked).toMatchObject([{ tunnel: 5 }]);
  });

  it("of other pools are nobody's business here", () => {
    const { reservations, asked, told } = world();
    reservations.request("lan", kbit(100));
    expect(told).toEqual([["confirmed", "lan", 100_000]]);
    expect(asked).toEqual([]);
  });

  it("are there when both directions are", () => {
    const { reservations, report, told, clock } = world();
    reservations.request("hq-branch", kbit(500));
    report("pending", null);
    report("confirmed", 468, null);
    expect(told).toEqual([]);
    report("confirmed", 468, 468);
    expect(told).toEqual([["confirmed", "hq-branch", 500_000]]);
    expect(clock.pending).toBe(0);
  });

  it("in one direction need no other", () => {
    confirmed({ ...hqBranch, direction: "forward" }).report("confirmed", 468, null);
    const { reservations, report, told } = world({ ...hqBranch, direction: "forward" });
    reservations.request("hq-branch", kbit(500));
    report("confirmed", 468, null);
    expect(told).toEqual([["confirmed", "hq-branch", 500_000]]);
  });

  it("granted in part count when the other edge has had its time, and wholly when it comes later", () => {
    const { reservations, report, told, clock } = world();
    reservations.request("hq-branch", kbit(500));
    report("confirmed", 468, 200);
    clock.advance(299);
    expect(told).toEqual([]);
    report("confirmed", 468, 300);
    clock.advance(1);
    expect(told.splice(0)).toEqual([["refused", "hq-branch", 500_000, layer2(300)]]);
    report("confirmed", 468, 400);
    clock.advance(300);
    expect(told.splice(0)).toEqual([["refused", "hq-branch", 500_000, layer2(400)]]);
    report("confirmed", 468, 468);
    expect(told).toEqual([["confirmed", "hq-branch", 500_000]]);
    expect(clock.pending).toBe(0);
  });

  it("granted in part are told within the patience from the request on, however late the part comes", () => {
    const { reservations, report, told, clock } = world();
    reservations.request("hq-branch", kbit(500));
    clock.advance(250);
    report("confirmed", 468, 200);
    clock.advance(50);
    expect(told).toEqual([["refused", "hq-branch", 500_000, layer2(200)]]);
  });

  it("that are not as they should be are a problem of health, with the network's reason, until they are", () => {
    const { reservations, report } = world();
    const problem = (kilobits: number, of: number, why: string) => [
      `pool hq-branch: ${layer2(kilobits)} of ${of} bit/s are reserved towards 10.3.0.1: ${why}`,
    ];
    expect(reservations.problems()).toEqual([]);
    reservations.request("hq-branch", kbit(500));
    report("refused", 300, 300, 1, "no bandwidth left at 10.2.0.2");
    expect(reservations.problems()).toEqual(problem(300, 500_000, "no bandwidth left at 10.2.0.2"));
    report("confirmed", 468);
    expect(reservations.problems()).toEqual([]);
    report("confirmed", 468, 200);
    expect(reservations.problems()).toEqual(problem(200, 500_000, "a part was taken back"));
    report("lost", 0, 200);
    expect(reservations.problems()).toEqual(problem(0, 500_000, "it was lost"));
    reservations.request("hq-branch", kbit(400));
    expect(reservations.problems()).toEqual([]);
  });

  it("that the router is not able to make are a problem of health", async () => {
    const { reservations, router } = world();
    router.answer = { admitted: false, reason: "routerFailed", text: "no RSVP" };
    reservations.request("hq-branch", kbit(500));
    await settle();
    expect(reservations.problems()).toEqual([
      "pool hq-branch: 0 of 500000 bit/s are reserved towards 10.3.0.1: no RSVP",
    ]);
  });

  it("whose way back does not follow are a problem of health", () => {
    const { reservations, report, clock } = world();
    reservations.request("hq-branch", kbit(500));
    report("confirmed", 468, 200);
    clock.advance(300);
    expect(reservations.problems()).toEqual([
      `pool hq-branch: ${layer2(200)} of 500000 bit/s are reserved towards 10.3.0.1: the way back is smaller`,
    ]);
  });

  it("refused keep what was, and are told when they come about after all", () => {
    const { reservations, report, told } = confirmed();
    reservations.request("hq-branch", kbit(800));
    report("pending", 468);
    report("refused", 468);
    report("refused", 468);
    // The size that was confirmed, not the little more that its whole kbit/s would hold.
    expect(layer2(468)).toBeGreaterThan(500_000);
    expect(told.splice(0)).toEqual([["refused", "hq-branch", 800_000, 500_000]]);
    report("confirmed", 748);
    expect(told).toEqual([["confirmed", "hq-branch", 800_000]]);
  });

  it("taken back are told with what is left, and come again", () => {
    const { report, told } = confirmed();
    report("lost", 200, 468);
    report("lost", 0, 468);
    report("confirmed", 468, 468);
    expect(told).toEqual([
      ["takenBack", "hq-branch", layer2(200)],
      ["takenBack", "hq-branch", 0],
      ["confirmed", "hq-branch", 500_000],
    ]);
  });

  it("say nothing when the network says again what is known", () => {
    const { report, told } = confirmed();
    report("confirmed", 468);
    report("confirmed", 600, 500);
    expect(told).toEqual([]);
  });

  it("are made smaller at once: what is there is more than that", () => {
    const { reservations, report, told } = confirmed();
    reservations.request("hq-branch", kbit(300));
    report("confirmed", 468);
    report("confirmed", 281);
    expect(told).toEqual([["confirmed", "hq-branch", 300_000]]);
  });

  it("do not take a report on an earlier request for an answer, but for a loss", () => {
    const { reservations, report, told } = confirmed();
    reservations.request("hq-branch", kbit(300));
    reservations.request("hq-branch", kbit(500));
    report("confirmed", 468, 468, 1);
    report("confirmed", 468, 468, 2);
    expect(told).toEqual([]);
    report("lost", 100, 100, 2);
    expect(told.splice(0)).toEqual([["takenBack", "hq-branch", layer2(100)]]);
    report("refused", 281, 281, 3);
    expect(told).toEqual([["refused", "hq-branch", 500_000, layer2(281)]]);
  });

  it("stay when a router that was started again knows nothing yet", () => {
    const { report, told, clock } = confirmed();
    report("pending", null);
    report("confirmed", 468, null);
    report("confirmed", 468, 468);
    clock.advance(10_000);
    expect(told).toEqual([]);
  });

  it("are refused if the router is not able to, and stay open if nobody knows", async () => {
    const { reservations, told, router } = confirmed();
    router.answer = { admitted: false, reason: "routerUnavailable", text: "no report" };
    reservations.request("hq-branch", kbit(800));
    await settle();
    expect(told).toEqual([]);
    router.answer = { admitted: false, reason: "routerFailed", text: "no RSVP" };
    reservations.request("hq-branch", kbit(800));
    await settle();
    expect(told).toEqual([["refused", "hq-branch", 800_000, 500_000]]);
  });

  it("are not waited for after the end, and ignore pools that nobody asked for", () => {
    const { reservations, report, told, clock } = world();
    report("confirmed", 468, 100, 1);
    reservations.request("hq-branch", kbit(500));
    report("confirmed", 468, 100);
    reservations.close();
    clock.advance(1000);
    expect(told).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

/** A router and a network behind it: requests, reports and what the other edge does come in any order of turns. */
class LabRouter {
  /** Layer 3, as granted. */
  outgoing = 0;
  incoming = 0;
  /** Knows nothing of them before they were there: it was started again. */
  knowsOutgoing = false;
  knowsIncoming = false;
  readonly rows: PolicyAggregate[] = [];
  row: PolicyAggregate | undefined;
  failed = false;
  reservations: RsvpReservations | undefined;

  report(): void {
    if (this.row === undefined) return;
    const reaches = this.outgoing >= this.row.rate;
    this.reservations?.report({
      pool: 2,
      outgoing: this.knowsOutgoing || this.failed ? bitsPerSecond(Math.floor(this.outgoing / 1000) * 1000) : undefined,
      incoming: this.knowsIncoming ? bitsPerSecond(Math.floor(this.incoming / 1000) * 1000) : undefined,
      state: reaches ? "confirmed" : this.failed ? "refused" : "pending",
      request: this.row.request,
      reason: "",
    });
  }

  become(outgoing: number, incoming: number, failed: boolean): void {
    this.outgoing = outgoing;
    this.incoming = incoming;
    this.knowsOutgoing ||= outgoing > 0;
    this.knowsIncoming ||= incoming > 0;
    this.failed = failed;
    this.report();
  }
}

describe("pool keeper with reservations by RSVP", () => {
  const command = fc.record({
    kind: fc.constantFrom("reserve", "reserve", "release", "router", "grant", "grant", "refuse", "far", "cut", "pass"),
    session: fc.nat(7),
    rate: fc.integer({ min: 1, max: 400 }),
  });
  const sizing = {
    floor: kbit(200),
    ceiling: kbit(1000),
    step: kbit(100),
    headRoom: kbit(100),
    hold: millis(1000),
    growTimeout: millis(400),
    retry: millis(2000),
  };

  it("never believes more reserved than the network has granted, whatever comes in which order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 60, size: "max" }), async (commands) => {
        const clock = new FakeClock();
        const lab = new LabRouter();
        const ledger = new AdmissionLedger([{ name: "hq-branch", rate: kbit(200) }]);
        const reservations: RsvpReservations = new RsvpReservations({
          pools: [hqBranch],
          others: new InstantReservations(() => keeper),
          reserve: (row) => {
            lab.rows.push(row);
            return Promise.resolve({ admitted: true });
          },
          events: () => keeper,
          clock,
          log: SILENT_LOGGER,
        });
        lab.reservations = reservations;
        const keeper: PoolKeeper = new PoolKeeper({
          ledger,
          pools: [{ name: "hq-branch", rate: kbit(200), overhead: kbit(0), sizing, schedule: [] }],
          timeZone: "UTC",
          port: reservations,
          rank: () => ({ priority: 0, since: timestamp(1) }),
          shed: (session) => keeper.release(session),
          clock,
          log: SILENT_LOGGER,
        });
        keeper.start();
        const check = (): void => {
          const [pool] = ledger.view();
          const granted = (Math.min(lab.outgoing, lab.incoming) * 214) / 200;
          expect(pool!.rate).toBeLessThanOrEqual(granted);
          expect(Math.max(pool!.usedUp, pool!.usedDown)).toBeLessThanOrEqual(granted);
        };
        for (const { kind, session, rate } of commands) {
          const id = session.toString(16).padStart(16, "0") as SessionId;
          switch (kind) {
            case "reserve":
              void keeper.reserve(id, [{ pool: "hq-branch", up: kbit(rate), down: kbit(rate) }]);
              break;
            case "release":
              keeper.release(id);
              break;
            case "router":
              // One decision gets to the router: the earlier rate may still be what it has.
              if (lab.rows.length > 0) {
                lab.failed = false;
                lab.row = lab.rows.shift();
                lab.report();
              }
              break;
            case "grant":
              if (lab.row !== undefined) lab.become(lab.row.rate, lab.incoming, false);
              break;
            case "refuse":
              lab.become(lab.outgoing, lab.incoming, true);
              break;
            case "far":
              lab.become(lab.outgoing, rate * 3000, lab.failed);
              break;
            case "cut":
              lab.become(Math.min(lab.outgoing, rate * 1000), lab.incoming, lab.failed);
              break;
            case "pass":
              await clock.pass(rate * 5);
              break;
          }
          await settle();
          check();
        }
        keeper.close();
        reservations.close();
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
