import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bitsPerSecond } from "../../../../src/model/units.js";
import { EDGE, LIFETIME, REFRESH, type Running, ThreeNodes, wanted } from "./three-nodes.js";

let net: ThreeNodes;
beforeEach(() => {
  net = new ThreeNodes();
});
afterEach(async () => {
  await net.close();
});

const CLASS = "rsvp-r2-dscp-46";
/** 200 octets at layer 3 are 214 on the link. */
const linkRate = (rate: number): number => Math.ceil((rate * 214) / 200);

async function all(room = 1e6): Promise<{ r1: Running; t: Running; r2: Running }> {
  const [r1, t, r2] = [await net.start("r1"), await net.start("t", room), await net.start("r2")];
  return { r1, t, r2 };
}

describe("RSVP between two edges and a transit router", () => {
  it("makes the aggregate within half a second, with a class at T, and tells both directions", async () => {
    const { r1, r2 } = await all();
    r1.speaker.set([wanted(400_000)]);
    r2.speaker.set([wanted(240_000, { pool: 3, remote: EDGE.r1 })]);
    await net.clock.pass(500);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 240_000 }]);
    expect(r2.speaker.states()).toEqual([{ pool: 3, outgoing: 240_000, incoming: 400_000 }]);
    expect(await net.classesOfT()).toEqual({
      [CLASS]: linkRate(400_000),
      "rsvp-r1-dscp-46": linkRate(240_000),
    });
    expect(r1.told.at(-1)).toEqual(r1.speaker.states()[0]);
    // The edges' classes are the policy server's.
    expect((await net.kernels.r1.read()).pools.size).toBe(0);
  });

  it("keeps it by refreshes, without telling anybody again", async () => {
    const { r1 } = await all();
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    const told = r1.told.length;
    await net.clock.pass(60 * REFRESH);
    expect(r1.told.length).toBe(told);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 0 }]);
  });

  it("grows and shrinks it in place", async () => {
    const { r1 } = await all();
    r1.speaker.set([wanted(200_000)]);
    await net.clock.pass(500);
    const [before] = (await net.kernels.t.read()).pools.keys();
    r1.speaker.set([wanted(800_000)]);
    await net.clock.pass(500);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 800_000, incoming: 0 }]);
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(800_000) });
    r1.speaker.set([wanted(100_000)]);
    await net.clock.pass(REFRESH);
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(100_000) });
    expect([...(await net.kernels.t.read()).pools.keys()]).toEqual([before]);
  });

  it("is refused more than T has room for, and keeps what it had", async () => {
    const { r1 } = await all(500_000);
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    r1.speaker.set([wanted(600_000)]);
    await net.clock.pass(50);
    const failure = "no bandwidth left at 10.2.2.2";
    expect(r1.told.at(-1)).toEqual({ pool: 7, outgoing: 400_000, incoming: 0, failure });
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(400_000) });
    await net.clock.pass(3 * LIFETIME);
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(400_000) });
    // Asked for less than that, it is granted at once; until then there is no failure of it.
    r1.speaker.set([wanted(480_000)]);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 0 }]);
    await net.clock.pass(1000);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 480_000, incoming: 0 }]);
  });

  it("is asked for again at once where the policy server repeats what was refused", async () => {
    const { r1, t } = await all(500_000);
    r1.speaker.set([{ ...wanted(600_000), request: 1 }]);
    await net.clock.pass(50);
    expect(r1.told.at(-1)).toMatchObject({ outgoing: 0, failure: "no bandwidth left at 10.2.2.2" });
    t.speaker.resize("r2", bitsPerSecond(1e6));
    r1.speaker.set([{ ...wanted(600_000), request: 1 }]);
    await net.clock.pass(50);
    expect(r1.speaker.states()).toMatchObject([{ outgoing: 0 }]);
    r1.speaker.set([{ ...wanted(600_000), request: 2 }]);
    await net.clock.pass(50);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 600_000, incoming: 0 }]);
  });

  it("is refused altogether where nothing fits, and asks again until there is room", async () => {
    const { r1, r2 } = await all(500_000);
    r2.speaker.set([]);
    r1.speaker.set([wanted(600_000)]);
    await net.clock.pass(50);
    expect(r1.told.at(-1)).toMatchObject({ outgoing: 0, failure: "no bandwidth left at 10.2.2.2" });
    await net.clock.pass(4000);
    expect(await net.classesOfT()).toEqual({});
    await net.kill("t");
    await net.start("t", 1e6);
    await net.clock.pass(LIFETIME + 4 * REFRESH);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 600_000, incoming: 0 }]);
  });

  it("agrees again within a refresh after T was killed, and T's class is never away", async () => {
    const { r1 } = await all();
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    await net.kill("t");
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(400_000) });
    const t = await net.start("t");
    await net.clock.pass(1.5 * REFRESH + 600);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 0 }]);
    expect(t.speaker.control.reserved("r2")).toBe(400_000);
    await net.clock.pass(2 * LIFETIME);
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(400_000) });
  });

  it.each([100, 350, 600, 850])(
    "loses nothing by a restart of T %i ms after a refresh, and tells nobody",
    async (phase) => {
      const { r1, r2 } = await all();
      r1.speaker.set([wanted(400_000)]);
      r2.speaker.set([wanted(240_000, { pool: 3, remote: EDGE.r1 })]);
      await net.clock.pass(5 * REFRESH + phase);
      const told = [r1.told.length, r2.told.length];
      await net.kill("t");
      const t = await net.start("t");
      await net.clock.pass(1.5 * REFRESH + 600);
      expect([t.speaker.control.reserved("r2"), t.speaker.control.reserved("r1")]).toEqual([400_000, 240_000]);
      await net.clock.pass(3 * LIFETIME);
      expect([r1.told.length, r2.told.length]).toEqual(told);
      expect(r2.speaker.states()).toEqual([{ pool: 3, outgoing: 240_000, incoming: 400_000 }]);
    },
  );

  it.each([0, 400, 900])(
    "loses nothing by a restart of an edge whose policy server is there %i ms later",
    async (delay) => {
      const { r1, r2, t } = await all();
      r1.speaker.set([wanted(400_000)]);
      r2.speaker.set([wanted(240_000, { pool: 3, remote: EDGE.r1 })]);
      await net.clock.pass(5 * REFRESH);
      const told = r2.told.length;
      await net.kill("r1");
      const again = await net.start("r1");
      await net.clock.pass(delay);
      again.speaker.set([wanted(400_000)]);
      await net.clock.pass(1.5 * REFRESH + 600);
      expect(again.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 240_000 }]);
      expect(t.speaker.control.reserved("r2")).toBe(400_000);
      expect(r2.told.length).toBe(told);
    },
  );

  it("answers a Resv without its Path once the grace after the start is over", async () => {
    const { r1, r2 } = await all();
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    await net.kill("r1");
    await net.start("r1");
    expect(r2.speaker.incoming.get(`${EDGE.r1} 46`)?.end.granted).toBe(400_000);
    await net.clock.pass(3 * REFRESH + 1600);
    expect(net.sent).toContain("r1 ResvErr");
    expect(r2.speaker.incoming.get(`${EDGE.r1} 46`)?.end.granted).toBe(0);
  });

  it("sweeps a class of a former run that nobody wants any more", async () => {
    const { r1 } = await all();
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    await net.kill("t");
    await net.kill("r1");
    await net.start("t");
    await net.clock.pass(LIFETIME - 100);
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(400_000) });
    await net.clock.pass(200);
    expect(await net.classesOfT()).toEqual({});
  });

  it("loses it when the link is cut without a sign, and has it back within a refresh", async () => {
    const { r1, r2, t } = await all();
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    net.cut.add("t r2");
    await net.clock.pass(LIFETIME + 4 * REFRESH);
    expect(r1.speaker.states()).toMatchObject([{ outgoing: 0 }]);
    expect(t.speaker.control.reserved("r2")).toBe(0);
    expect(r2.speaker.incoming.size).toBe(0);
    expect(await net.classesOfT()).toEqual({});
    net.cut.clear();
    await net.clock.pass(3000 + 2 * REFRESH);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 0 }]);
  });

  it("loses it when an interface goes down, and has it back when it comes up", async () => {
    const { r1 } = await all();
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    net.down.add("r1 core");
    await net.clock.pass(6000);
    expect(r1.speaker.states()).toMatchObject([{ outgoing: 0 }]);
    net.down.clear();
    await net.clock.pass(LIFETIME);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 0 }]);
  });

  it("given up leaves nothing anywhere", async () => {
    const { r1, t, r2 } = await all();
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    r1.speaker.set([]);
    await net.clock.pass(500);
    expect(r1.speaker.states()).toEqual([]);
    for (const { speaker } of [r1, t, r2]) expect([...speaker.node.sessions()]).toEqual([]);
    expect(r2.speaker.incoming.size).toBe(0);
    expect(await net.classesOfT()).toEqual({});
  });

  it("keeps standing aggregates whatever the policy server wants, and lets it take one over", async () => {
    const { pool: _pool, ...standing } = wanted(160_000);
    const r1 = await net.start("r1", 1e6, { standing: [standing] });
    await net.start("t");
    await net.start("r2");
    await net.clock.pass(3000 + 2 * REFRESH);
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(160_000) });
    expect(r1.speaker.states()).toEqual([]);
    r1.speaker.set([wanted(320_000)]);
    await net.clock.pass(500);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 320_000, incoming: 0 }]);
    r1.speaker.set([]);
    await net.clock.pass(REFRESH);
    expect(await net.classesOfT()).toEqual({ [CLASS]: linkRate(160_000) });
  });

  it("grants an aggregator no more than the ceiling", async () => {
    const r1 = await net.start("r1");
    await net.start("t");
    await net.start("r2", 1e6, { ceiling: 20_000 as never });
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(1000);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 160_000, incoming: 0 }]);
    await net.clock.pass(20 * REFRESH);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 160_000, incoming: 0 }]);
  });
});
