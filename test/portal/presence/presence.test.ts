import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Timestamp } from "../../../src/model/units.js";
import type { PresenceEntry } from "../../../src/portal/api/shapes.js";
import type { EventStream, Frame } from "../../../src/portal/http/event-streams.js";
import { PRESENCE_GRACE, stepPresence, type UserPresence } from "../../../src/portal/presence/machine.js";
import { Presence } from "../../../src/portal/presence/presence.js";
import { FakeClock } from "../../support/fake-clock.js";

/** A page that keeps the list as it is told of it. */
class Page implements EventStream {
  readonly user: string;
  readonly list = new Map<string, PresenceEntry>();
  frames = 0;
  constructor(user: string) {
    this.user = user;
  }
  send(frame: Frame): void {
    this.frames += 1;
    const data = /^event: presence\ndata: (.*)\n\n$/.exec(frame)?.[1];
    if (data === undefined) throw new Error(`no such frame: ${frame}`);
    for (const entry of JSON.parse(data) as PresenceEntry[]) {
      if (entry.state === "offline") this.list.delete(entry.aor);
      else this.list.set(entry.aor, entry);
    }
  }
  feed(next: () => Frame | undefined): void {
    for (let frame = next(); frame !== undefined; frame = next()) this.send(frame);
  }
  end(): void {}
}

const person = (user: string) => ({ user, nick: `N${user}`, aor: `${user}@a.example` });

describe("stepPresence", () => {
  it("answers every event in every state, and is off-line only after the grace or a log-out", () => {
    const kinds = fc.constantFrom("opened", "closed", "time", "left", "chose");
    fc.assert(
      fc.property(fc.array(fc.tuple(kinds, fc.integer({ min: 0, max: 4000 })), { maxLength: 60 }), (sequence) => {
        let state: UserPresence | undefined;
        let [now, pages] = [0, 0];
        let closedAt: number | undefined;
        for (const [kind, after] of sequence) {
          now += after;
          const at = now as Timestamp;
          // Nobody closes a page that is not open.
          if (kind === "closed" && pages === 0) continue;
          const before = state;
          const step = stepPresence(
            state,
            kind === "chose" ? { kind, at, state: "busy" } : kind === "left" ? { kind } : { kind, at },
          );
          state = step.state;
          if (kind === "opened") [pages, closedAt] = [pages + 1, undefined];
          if (kind === "closed") pages -= 1;
          if (kind === "closed" && pages === 0) closedAt = now;
          if (kind === "left") [pages, closedAt] = [0, undefined];
          const isOver = kind === "time" && closedAt !== undefined && now - closedAt >= PRESENCE_GRACE;
          if (isOver) closedAt = undefined;
          expect(state !== undefined).toBe(pages > 0 || closedAt !== undefined);
          const differs = before?.chosen !== state?.chosen;
          expect(step.isChange).toBe(differs);
        }
      }),
    );
  });
});

describe("Presence", () => {
  it("tells changes once a second, and a page that is loaded anew changes nothing", async () => {
    const clock = new FakeClock();
    const came: string[] = [];
    const presence = new Presence({
      clock,
      onLocal: ({ user }, online) => void came.push(`${user} ${online ? "came" : "went"}`),
    });
    const [first, second, third] = [new Page("a"), new Page("b"), new Page("b")];
    presence.opened(person("a"), first);
    expect([...first.list.keys()]).toEqual(["a@a.example"]);
    for (let index = 0; index < 50; index++) presence.opened(person(`x${index}`), new Page(`x${index}`));
    presence.opened(person("b"), second);
    await clock.pass(1000);
    expect(first.frames).toBe(2);
    expect(first.list.size).toBe(52);
    presence.closed("b", second);
    await clock.pass(3000);
    presence.opened(person("b"), third);
    await clock.pass(10_000);
    expect(first.list.has("b@a.example")).toBe(true);
    presence.closed("b", third);
    await clock.pass(7000);
    expect(first.list.has("b@a.example")).toBe(false);
    expect(came.filter((text) => text.startsWith("b"))).toEqual(["b came", "b went"]);
    expect(presence.chose("b", "busy")).toBe(false);
    const quiet = first.frames;
    await clock.pass(60_000);
    expect(first.frames).toBe(quiet);
    presence.close();
  });

  it("takes no page of before a log-out for one of the next log-in", async () => {
    const clock = new FakeClock();
    const presence = new Presence({ clock, onLocal: () => undefined });
    const [before, after] = [new Page("a"), new Page("a")];
    presence.opened(person("a"), before);
    presence.left("a");
    presence.opened(person("a"), after);
    presence.closed("a", before);
    await clock.pass(10_000);
    expect(presence.online).toBe(1);
    expect(before.frames).toBe(1);
    presence.close();
  });

  it("shows those of elsewhere, but believes nobody about its own users", async () => {
    const clock = new FakeClock();
    const presence = new Presence({ clock, onLocal: () => undefined });
    const page = new Page("a");
    presence.opened(person("a"), page);
    const isOurs = (aor: string): boolean => aor.endsWith("@a.example");
    const remote = (nick: string, aor: string) => ({ nick, aor, since: 5 as Timestamp });
    presence.remote([remote("Car", "carol@b.example"), remote("Fake", "a@a.example")], isOurs);
    await clock.pass(1000);
    expect(page.list.get("a@a.example")?.nick).toBe("Na");
    expect(page.list.get("carol@b.example")).toEqual({
      nick: "Car",
      aor: "carol@b.example",
      state: "online",
      since: 5,
    });
    const { frames } = page;
    presence.remote([remote("Car", "carol@b.example")], isOurs);
    await clock.pass(1000);
    expect(page.frames).toBe(frames);
    presence.remote([], isOurs);
    await clock.pass(1000);
    expect(page.list.has("carol@b.example")).toBe(false);
    presence.close();
  });

  it("brings every page to the same list, whatever happens in which order", async () => {
    const users = fc.integer({ min: 0, max: 5 });
    const action = fc.oneof(
      fc.record({ kind: fc.constant("open" as const), user: users }),
      fc.record({ kind: fc.constant("close" as const), user: users }),
      fc.record({
        kind: fc.constant("choose" as const),
        user: users,
        state: fc.constantFrom("online", "busy", "away"),
      }),
      fc.record({ kind: fc.constant("leave" as const), user: users }),
      fc.record({ kind: fc.constant("pass" as const), by: fc.integer({ min: 1, max: 4000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const clock = new FakeClock();
        const presence = new Presence({ clock, onLocal: () => undefined });
        const pages: Page[] = [];
        const ended: Page[] = [];
        for (const each of actions) {
          if (each.kind === "pass") clock.advance(each.by);
          else if (each.kind === "choose") presence.chose(`${each.user}`, each.state as "busy");
          else if (each.kind === "leave") {
            presence.left(`${each.user}`);
            // The log-out has ended its streams, which are found closed some time later.
            for (const page of pages.filter(({ user }) => user === `${each.user}`)) {
              ended.push(page);
              pages.splice(pages.indexOf(page), 1);
            }
          } else if (each.kind === "open") {
            const page = new Page(`${each.user}`);
            pages.push(page);
            presence.opened(person(page.user), page);
          } else {
            const index = pages.findIndex(({ user }) => user === `${each.user}`);
            const [page] = index === -1 ? [] : pages.splice(index, 1);
            if (page !== undefined) presence.closed(page.user, page);
          }
        }
        for (const page of ended) presence.closed(page.user, page);
        clock.advance(PRESENCE_GRACE + 2000);
        const open = new Set(pages.map(({ user }) => `${user}@a.example`));
        expect(presence.online).toBe(open.size);
        const sorted = (page: Page) => [...page.list.values()].sort((one, other) => one.aor.localeCompare(other.aor));
        for (const page of pages) {
          expect(new Set(page.list.keys())).toEqual(open);
          expect(sorted(page)).toEqual(sorted(pages[0]!));
        }
        presence.close();
      }),
    );
  });
});
