import fc from "fast-check";
import { expect, it } from "vitest";
import type { Timestamp } from "../../../src/model/units.js";
import type { PresenceEntry } from "../../../src/portal/api/shapes.js";
import { type LogPlace, PresenceLog } from "../../../src/portal/presence/presence-log.js";

const entry = (user: string, state: PresenceEntry["state"], since: number): PresenceEntry => ({
  nick: user,
  aor: `${user}@a.example`,
  state,
  since: since as Timestamp,
});

/** Reads a part, and is a page's list. */
class Reader {
  readonly people = new Map<string, string>();
  place: LogPlace;
  constructor(log: PresenceLog) {
    this.place = log.begin();
  }
  read(log: PresenceLog): boolean {
    const part = log.next(this.place);
    if (part === undefined) return false;
    this.place = part.place;
    for (const { aor, state } of JSON.parse(part.frame.slice(part.frame.indexOf("data: ") + 6)) as PresenceEntry[]) {
      if (state === "offline") this.people.delete(aor);
      else this.people.set(aor, state);
    }
    return true;
  }
}

it("brings every reader to what is so, from wherever it has come to, or says that it is lost", () => {
  const action = fc.record({
    user: fc.integer({ min: 0, max: 8 }),
    state: fc.constantFrom("online", "busy", "offline") as fc.Arbitrary<PresenceEntry["state"]>,
    after: fc.integer({ min: 0, max: 200_000 }),
    reads: fc.constantFrom("one", "all", "new", "none"),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const log = new PresenceLog();
      const so = new Map<string, string>();
      let readers: Reader[] = [];
      let now = 0;
      for (const { user, state, after, reads } of actions) {
        now += after;
        log.prune(now as Timestamp);
        readers = readers.filter(({ place }) => !log.isLost(place));
        log.put(entry(`u${user}`, state, now));
        if (state === "offline") so.delete(`u${user}@a.example`);
        else so.set(`u${user}@a.example`, state);
        if (reads === "new") readers.push(new Reader(log));
        if (reads === "one") readers[0]?.read(log);
        if (reads === "all") for (const reader of readers) while (reader.read(log));
      }
      readers.push(new Reader(log));
      for (const reader of readers) {
        while (reader.read(log));
        expect(reader.people).toEqual(so);
      }
    }),
  );
});

it("tells a new reader of nobody who has gone, and one that was there of all, for a while", () => {
  const log = new PresenceLog();
  log.put(entry("a", "online", 0));
  log.put(entry("b", "online", 0));
  const reader = new Reader(log);
  while (reader.read(log));
  const idle = new Reader(log);
  log.put(entry("a", "offline", 1000));
  expect(log.next(log.begin())?.frame).not.toContain("a@a.example");
  expect(log.next(reader.place)?.frame).toContain('"offline"');
  log.prune(300_999 as Timestamp);
  expect([log.isLost(reader.place), log.isLost(idle.place)]).toEqual([false, false]);
  log.prune(301_000 as Timestamp);
  expect([log.isLost(reader.place), log.isLost(idle.place)]).toEqual([true, true]);
});

it("remembers no more of those who have gone than it may, however many come and go", () => {
  const log = new PresenceLog();
  for (let n = 0; n < 60_000; n += 1) {
    log.put(entry(`user-${n}`, "online", 0));
    log.put(entry(`user-${n}`, "offline", 0));
    log.prune(0 as Timestamp);
    if (n === 49_999) expect(log.isLost(log.begin())).toBe(false);
    if (n === 49_999) expect(log.isLost({ begin: 1, at: 1 })).toBe(false);
  }
  expect(log.isLost({ begin: 1, at: 1 })).toBe(true);
  expect(log.next(log.begin())).toBeUndefined();
});

it("makes one frame for all who have come to the same place, and none longer than 64 KiB", () => {
  const log = new PresenceLog();
  for (let n = 0; n < 2000; n += 1) log.put(entry(`user-${n}`, "online", 1));
  const [one, other] = [new Reader(log), new Reader(log)];
  for (const reader of [one, other]) while (reader.read(log));
  expect(one.people.size).toBe(2000);
  for (let n = 0; n < 1000; n += 1) log.put(entry(`user-${n}`, "busy", 2));
  const frame = log.next(one.place)?.frame ?? "";
  expect(log.next(other.place)).toBe(log.next(one.place));
  expect(Buffer.byteLength(frame)).toBeGreaterThan(50_000);
  expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(64 * 1024);
});
