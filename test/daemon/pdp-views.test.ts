import { afterEach, describe, expect, it } from "vitest";
import { type PdpParts, pdpViews } from "../../src/daemon/pdp-views.js";
import { parseSessionId } from "../../src/model/session.js";
import { timestamp } from "../../src/model/units.js";
import { ZERO_FLOW_COUNTERS } from "../../src/model/usage.js";
import { audio, CALLEE, CALLER, SESSION, Side, sdp } from "../pdp/negotiation/two-servers.js";

const open: Side[] = [];
afterEach(() => {
  for (const side of open.splice(0)) side.close();
});

const MOVED = timestamp(1_234_000);

async function viewsOf(...lines: readonly string[]) {
  const side = new Side("originating", { game: 64 });
  open.push(side);
  await side.invite(sdp(CALLER, audio(0, ...lines)));
  await side.answer(sdp(CALLEE, audio(0, ...lines)));
  // Sessions are shown from the store and the service alone.
  const { service, store } = side;
  const usage = { up: ZERO_FLOW_COUNTERS, down: ZERO_FLOW_COUNTERS, moved: MOVED, expires: undefined };
  const liveness: PdpParts["liveness"] = {
    usageOf: (session) => (session === SESSION ? { session, ...usage } : undefined),
  };
  return pdpViews({ service, store, liveness } as Partial<PdpParts> as PdpParts);
}

describe("sessions that are asked for", () => {
  async function asked() {
    const side = new Side("originating", { game: 64 });
    open.push(side);
    await side.invite(sdp(CALLER, audio(0)));
    const { service, store } = side;
    const views = pdpViews({ service, store, liveness: { usageOf: () => undefined } } as Partial<PdpParts> as PdpParts);
    return { service, store, views, record: store.find(SESSION)! };
  }

  it("are those of a call, one for each side of it", async () => {
    const { store, views, record } = await asked();
    store.save({ ...record, id: parseSessionId("f".repeat(16))!, side: "terminating" });
    store.save({ ...record, id: parseSessionId("e".repeat(16))!, callId: "another" });
    const { callId } = record;
    expect(views.show.sessions({ callId }).map((each) => each.side)).toEqual(
      expect.arrayContaining(["originating", "terminating"]),
    );
    expect(views.show.sessions({ callId })).toHaveLength(2);
    expect(views.show.sessions({})).toHaveLength(3);
  });

  it("are those of a user that live, also where a hundred others are newer", async () => {
    const { service, store, views, record } = await asked();
    for (let n = 0; n < 101; n += 1) {
      const id = parseSessionId(n.toString(16).padStart(16, "0"))!;
      store.save({ ...record, id, state: "closed", created: timestamp(record.created + 1 + n) });
    }
    expect(views.show.sessions({}).some(({ session }) => session === SESSION)).toBe(false);
    const user = record.caller;
    const shown = [{ session: SESSION, state: "authorised" }];
    expect(views.show.sessions({ user, live: "1" })).toMatchObject(shown);
    expect(views.show.sessions({ user: `nobody@b.example sip:${user}`, live: "1" })).toMatchObject(shown);
    expect(views.show.sessions({ live: "1" })).toMatchObject(shown);
    expect(views.show.sessions({ user: record.callee, live: "1" })).toEqual([]);
    expect(() => views.show.sessions({ user })).toThrow("by user");
    await service.release(SESSION, "bye");
    expect(views.show.sessions({ user, live: "1" })).toEqual([]);
  });
});

describe("a session, as it is shown", () => {
  it("has its class and what was granted, and explains how that came", async () => {
    const views = await viewsOf("sluice-class:fps", "sluice-need:sendrecv rate=80-40");
    const grant = { index: 0, sessionClass: "fps", phb: "VA", result: "reduced", toCaller: 64_000, toCallee: 64_000 };
    expect(views.show.sessions({})).toMatchObject([
      { session: SESSION, class: "game", grants: [grant], rate: 64_000, moved: MOVED },
    ]);
    const explained = views.explain(SESSION);
    expect(explained).toMatchObject({ class: "game", grants: [grant], moved: MOVED });
    expect(explained?.steps.at(-1)?.detail).toContain(
      "medium 0 (fps) reduced in VA, 64 kbit/s to the caller of 80 kbit/s wanted, 40 kbit/s acceptable",
    );
  });

  it("has a class and no grants where nobody asked", async () => {
    const [session] = (await viewsOf()).show.sessions({});
    expect(session?.class).toBe("voice");
    expect(session).not.toHaveProperty("grants");
  });
});
