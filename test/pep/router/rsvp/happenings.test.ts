import { beforeEach, describe, expect, it } from "vitest";
import { bitsPerSecond, dscp } from "../../../../src/model/units.js";
import { RsvpHappenings, type TimedHappening } from "../../../../src/pep/router/rsvp/happenings.js";
import { FakeClock } from "../../../support/fake-clock.js";

const told = { direction: "outgoing", sender: "10.1.0.1", destination: "10.3.0.1", dscp: dscp(46) } as const;
const ends = { id: "a", ...told };
const now = (granted: number, failure?: string) => ({ ...ends, granted: bitsPerSecond(granted), failure });

let happenings: RsvpHappenings;
let heard: TimedHappening[];
beforeEach(() => {
  happenings = new RsvpHappenings(new FakeClock(5000));
  heard = [];
  happenings.subscribe((each) => heard.push(each));
});

const changes = () =>
  heard
    .splice(0)
    .map((each) => (each.what === "reservation" ? [each.change, each.before, each.after, each.failure] : []));

describe("what befalls a reservation", () => {
  it("is told from what it was", () => {
    happenings.reservation(now(0), false);
    expect(heard).toEqual([]);
    happenings.reservation(now(100), false);
    expect(heard).toEqual([{ at: 5000, what: "reservation", change: "made", ...told, before: 0, after: 100 }]);
    heard = [];
    happenings.reservation(now(300), false);
    happenings.reservation(now(300), false);
    happenings.reservation(now(200), false);
    happenings.reservation(now(150, "a part was taken back"), false);
    happenings.reservation(now(0, "the reservation was lost"), false);
    happenings.reservationEnded(ends);
    happenings.reservationEnded(ends);
    expect(changes()).toEqual([
      ["resized", 100, 300, undefined],
      ["resized", 300, 200, undefined],
      ["takenBack", 200, 150, "a part was taken back"],
      ["lost", 150, 0, "the reservation was lost"],
      ["ended", 0, 0, undefined],
    ]);
  });

  it("tells a refusal once for each answer, however often it is looked at", () => {
    happenings.reservation(now(100), false);
    changes();
    const full = now(100, "no bandwidth left at 10.2.1.2");
    happenings.reservation(full, true);
    happenings.reservation(full, false);
    happenings.reservation(full, true);
    happenings.reservation(now(100, "no answer in time"), false);
    expect(changes()).toEqual([
      ["refused", 100, 100, full.failure],
      ["refused", 100, 100, full.failure],
      ["refused", 100, 100, "no answer in time"],
    ]);
  });

  it("knows what was there before anybody listened", () => {
    happenings.knowReservations([now(100)]);
    happenings.reservation(now(100), false);
    happenings.reservation({ ...now(50), direction: "incoming" }, false);
    expect(changes()).toEqual([["made", 0, 50, undefined]]);
  });

  it("is not mistaken for another one between the same ends", () => {
    const [one, other] = [now(100), { ...now(200), id: "b" }];
    for (const each of [one, other, one, other]) happenings.reservation(each, false);
    happenings.reservationEnded(one);
    expect(changes()).toEqual([
      ["made", 0, 100, undefined],
      ["made", 0, 200, undefined],
      ["ended", 100, 0, undefined],
    ]);
  });

  it("is told to all who listen, and to nobody who has stopped", () => {
    const other: TimedHappening[] = [];
    const listener = (each: TimedHappening): void => void other.push(each);
    const stops = [happenings.subscribe(listener), happenings.subscribe(listener)];
    happenings.tell({ what: "interface", change: "down", interface: "core" });
    stops[0]?.();
    happenings.tell({ what: "interface", change: "up", interface: "core" });
    expect([heard.length, other.length]).toEqual([2, 3]);
    stops[1]?.();
    expect(happenings.isWatched).toBe(true);
    expect(new RsvpHappenings(new FakeClock()).isWatched).toBe(false);
  });
});
