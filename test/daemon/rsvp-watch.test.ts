import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RsvpWatchLine } from "../../src/control/happening-views.js";
import { RsvpWatch } from "../../src/daemon/rsvp-watch.js";
import { RsvpHappenings } from "../../src/pep/router/rsvp/happenings.js";
import { EDGE, LIFETIME, REFRESH, ThreeNodes, wanted } from "../pep/router/rsvp/three-nodes.js";

let net: ThreeNodes;
beforeEach(() => {
  net = new ThreeNodes();
});
afterEach(() => net.close());

async function start(...[name, room]: Parameters<ThreeNodes["start"]>) {
  const happenings = new RsvpHappenings(net.clock);
  return { ...(await net.start(name, room, { happenings })), happenings };
}

function watching({ speaker, happenings }: Awaited<ReturnType<typeof start>>) {
  const watch = new RsvpWatch({ speaker, happenings, clock: net.clock });
  const lines: RsvpWatchLine[] = [];
  const stop = watch.stream({}, (value) => lines.push(value as RsvpWatchLine));
  const words = () => lines.splice(0).map(wordsOf);
  return { watch, stop, words, lines };
}

function wordsOf(line: RsvpWatchLine): string {
  switch (line.what) {
    case "reservation":
      return `${line.direction} ${line.change} ${line.before} ${line.after}${line.failure === undefined ? "" : `: ${line.failure}`}`;
    case "neighbour":
      return `neighbour ${line.address} ${line.change}`;
    case "interface":
      return `interface ${line.interface} ${line.change}`;
    case "path":
      return `path ${line.change} ${line.previousHop ?? "here"} ${line.interface ?? "here"}`;
    case "refusedMessages":
      return `refused ${line.counter}`;
  }
}

describe("watching reservations", () => {
  it("tells what happens to them at both ends and on the way", async () => {
    const [r1, t, r2] = [await start("r1"), await start("t", 500_000), await start("r2")];
    const [one, way, other] = [watching(r1), watching(t), watching(r2)];
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(1000);
    const lines = [...way.lines];
    expect(one.words()).toEqual(
      expect.arrayContaining(["path new here core", "neighbour 10.2.1.2 up", "outgoing made 0 400000"]),
    );
    expect(way.words()).toEqual(
      expect.arrayContaining([
        "path new 10.2.1.1 r2",
        "neighbour 10.2.1.1 up",
        "neighbour 10.2.2.1 up",
        "transit made 0 400000",
      ]),
    );
    expect(other.words()).toEqual(expect.arrayContaining(["path new 10.2.2.2 here", "incoming made 0 400000"]));
    const made = lines.find(({ what }) => what === "reservation");
    expect(made).toMatchObject({ sender: EDGE.r1, destination: EDGE.r2, dscp: 46, at: expect.any(Number) });
    r1.speaker.set([wanted(300_000)]);
    await net.clock.pass(1000);
    expect(one.words()).toEqual(["outgoing resized 400000 300000"]);
    expect(way.words()).toEqual(["transit resized 400000 300000"]);
    r1.speaker.set([wanted(600_000)]);
    await net.clock.pass(4500);
    const full = "refused 300000 300000: no bandwidth left at 10.2.2.2";
    expect(one.words()).toEqual([`outgoing ${full}`]);
    expect(way.words()).toEqual([]);
    expect(other.words()).toEqual(["incoming resized 400000 300000", `incoming ${full}`]);
    r1.speaker.set([]);
    expect(one.words()).toEqual(["outgoing ended 300000 0"]);
    await net.clock.pass(1000);
    expect(other.words()).toEqual(["incoming ended 300000 0", "path gone 10.2.2.2 here", "neighbour 10.2.2.2 down"]);
  });

  it("tells several of a code point apart", async () => {
    const r1 = await start("r1");
    for (const name of ["t", "r2"] as const) await start(name);
    const { words } = watching(r1);
    r1.speaker.set([wanted(100_000), wanted(200_000, { pool: 8 })]);
    await net.clock.pass(2000);
    expect(words().filter((line) => line.startsWith("outgoing"))).toEqual([
      "outgoing made 0 100000",
      "outgoing made 0 200000",
    ]);
  });

  it("tells of a neighbour that has started again", async () => {
    const r1 = await start("r1");
    for (const name of ["t", "r2"] as const) await start(name);
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(1000);
    const { words } = watching(r1);
    await net.kill("t");
    await start("t");
    await net.clock.pass(2 * REFRESH);
    expect(words()).toEqual(["neighbour 10.2.1.2 restarted"]);
    await net.clock.pass(2 * LIFETIME);
    expect(words()).toEqual([]);
  });

  it("tells of lost interfaces, neighbours and reservations", async () => {
    const [r1, t] = [await start("r1"), await start("t", 500_000), await start("r2")];
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(1000);
    const [one, way] = [watching(r1), watching(t)];
    await net.clock.pass(2000);
    expect([one.words(), way.words()]).toEqual([[], []]);
    net.down.add("t r2");
    await net.clock.pass(LIFETIME + 3000);
    const told = way.words();
    expect(told).toEqual(expect.arrayContaining(["interface r2 down", "neighbour 10.2.2.1 down"]));
    expect(told.some((line) => line.startsWith("transit lost 400000 0"))).toBe(true);
    expect(one.words().some((line) => line.startsWith("outgoing lost 400000 0"))).toBe(true);
  });

  it("looks only as long as somebody listens, and tells newcomers nothing of the past", async () => {
    const r1 = await start("r1");
    const pending = net.clock.pending;
    const { watch, stop, words } = watching(r1);
    expect(net.clock.pending).toBe(pending + 1);
    await start("t");
    await start("r2");
    r1.speaker.set([wanted(100_000)]);
    await net.clock.pass(1000);
    expect(words()).toContain("outgoing made 0 100000");
    const later: unknown[] = [];
    const stopLater = watch.stream({}, (value) => later.push(value));
    await net.clock.pass(1000);
    expect(later).toEqual([]);
    stop();
    r1.speaker.set([wanted(200_000)]);
    await net.clock.pass(1000);
    expect([words(), later.length]).toEqual([[], 1]);
    stopLater();
    r1.speaker.set([wanted(300_000)]);
    await net.clock.pass(1000);
    const again: unknown[] = [];
    const stopAgain = watch.stream({}, (value) => again.push(value));
    await net.clock.pass(1000);
    expect([again, later.length]).toEqual([[], 1]);
    stopAgain();
  });
});
