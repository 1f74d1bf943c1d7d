import { afterEach, describe, expect, it } from "vitest";
import { usageReport } from "../../src/pdp/usage.js";
import { audio, CALLEE, CALLER, SESSION, Side, sdp } from "./negotiation/two-servers.js";

const open: Side[] = [];
afterEach(() => {
  for (const side of open.splice(0)) side.close();
});

async function inUse(...lines: readonly string[]): Promise<Side> {
  const side = new Side("originating");
  open.push(side);
  await side.invite(sdp(CALLER, audio(0, ...lines)));
  await side.answer(sdp(CALLEE, audio(0, ...lines)));
  return side;
}

describe("a session that the server ends", () => {
  it.each(["idle", "expired", "left"] as const)(
    "gives everything back, has its proxy told, and is closed as %s",
    async (cause) => {
      const side = await inUse("sluice-class:fps");
      const at = side.clock.now();
      await side.service.endByServer(SESSION, cause);
      expect(side.told).toEqual([`bye ${cause}`]);
      expect(side.isIdle).toBe(true);
      expect(side.record).toMatchObject({
        state: "reserved",
        shed: { treatment: "bye", cause, at },
        flows: [],
        past: [{}, {}],
      });
      expect(side.record.steps.at(-1)?.what).toBe("ended");
      await side.clock.pass(3000);
      await side.service.release(SESSION, "bye");
      expect(side.settled).toHaveLength(1);
      expect(side.settled[0]).toMatchObject({ state: "closed", cause, ended: at });
      expect(side.settled[0]?.past.map(({ final }) => final?.inProfile.octets)).toEqual([100_000, 100_000]);
      expect(usageReport(side.settled[0]!)?.detail.endTime).toBe(at);
    },
  );

  it("is told once, and reserves nothing more however often its answer comes again", async () => {
    const side = await inUse();
    await side.service.endByServer(SESSION, "idle");
    await side.service.endByServer(SESSION, "left");
    await side.answer(sdp(CALLEE, audio(0)));
    expect([side.told, side.isIdle]).toEqual([["bye idle"], true]);
    await side.service.release(SESSION, "lost");
    await side.service.endByServer(SESSION, "expired");
    expect(side.settled.map(({ cause }) => cause)).toEqual(["idle"]);
  });

  it("may be one without a guarantee, or one that nobody has answered", async () => {
    const free = await inUse("sluice-class:film");
    await free.service.endByServer(SESSION, "left");
    expect(free.told).toEqual(["bye left"]);
    const ringing = new Side("originating");
    open.push(ringing);
    await ringing.invite(sdp(CALLER, audio(0)));
    await ringing.service.endByServer(SESSION, "left");
    await ringing.service.release(SESSION, "cancel");
    expect([ringing.told, ringing.settled[0]?.cause]).toEqual([["bye left"], "left"]);
  });

  it("may be one that lost its bandwidth before", async () => {
    const side = await inUse("sluice-class:talk");
    await side.service.shed(SESSION, "voice");
    expect(side.granted).toEqual(["0;class=talk;phb=BE;result=bestEffort;to-caller=0;to-callee=0"]);
    await side.service.endByServer(SESSION, "idle");
    expect(side.told).toEqual(["bestEffort undefined", "bye idle"]);
    await side.service.release(SESSION, "bye");
    expect(side.settled[0]).toMatchObject({ cause: "idle", past: [{}, {}] });
  });

  it("waits with its usage for a router that is away", async () => {
    const side = await inUse();
    side.router.connected = false;
    await side.service.endByServer(SESSION, "idle");
    expect(side.ledger.view()[0]?.sessions).toBe(0);
    expect(side.record.steps.at(-1)?.detail).toBe("no media any more: to be ended; no router");
    await side.service.release(SESSION, "bye");
    expect(side.settled).toHaveLength(0);
    side.router.resync();
    expect(side.settled[0]).toMatchObject({ cause: "idle", past: [{ final: {} }, { final: {} }] });
    expect(side.router.installed.size).toBe(0);
  });
});
