import { afterEach, describe, expect, it } from "vitest";
import { type PdpParts, pdpViews } from "../../src/daemon/pdp-views.js";
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
