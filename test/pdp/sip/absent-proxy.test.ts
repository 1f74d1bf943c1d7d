/** How long a policy server holds what a proxy has reserved that does not come back. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PdpPeer } from "../../../src/cops/endpoint/pdp-peer.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis } from "../../../src/model/units.js";
import { SipLink } from "../../../src/pdp/sip/sip-link.js";
import { settle } from "../../support/fake-clock.js";
import { audio, CALLEE, CALLER, SESSION, Side, sdp } from "../negotiation/two-servers.js";

const HOLD = 300_000;

let side: Side;
beforeEach(async () => {
  side = new Side("originating");
  await side.invite(sdp(CALLER, audio(0)));
});
afterEach(() => side.close());

const linkOf = ({ service, clock }: Side): SipLink =>
  new SipLink({
    ...{ service, clock, log: SILENT_LOGGER, agent: "pol1.a.example" },
    rules: { domain: "a.example", prefixes: [parsePrefix("10.1.0.0/16")!], symmetric: true },
  });

const proxyOf = ({ clock, service }: Side): PdpPeer =>
  new PdpPeer({
    ...{ pepId: service.get(SESSION)?.peer ?? "", clientType: 0x5349, clock },
    ends: { remote: "10.1.0.5:40000", local: "10.1.0.6:3288" },
    limits: { reportTimeout: millis(1000), maxUnreported: 10 },
    send: () => undefined,
    close: () => undefined,
  });

async function expectHeldFor(time: number, what: "authorised" | "reserved"): Promise<void> {
  side.clock.advance(time - 1);
  await settle();
  expect(side.record.state).toBe(what);
  side.clock.advance(1);
  await settle();
  expect(side.service.get(SESSION)).toMatchObject({ state: "closed", cause: "lost" });
  expect([side.isIdle, side.router.installed.size]).toEqual([true, 0]);
}

describe("a proxy that does not come back", () => {
  it.each(["authorised", "reserved"] as const)("has what it left %s taken back after 5 min", async (state) => {
    if (state === "reserved") await side.answer(sdp(CALLEE, audio(0)));
    const [link, peer] = [linkOf(side), proxyOf(side)];
    link.opened(peer);
    side.clock.advance(2 * HOLD);
    link.closed(peer, "killed");
    await expectHeldFor(HOLD, state);
  });

  it("counts from the start of a policy server that was away itself", async () => {
    await side.answer(sdp(CALLEE, audio(0)));
    linkOf(side);
    await expectHeldFor(HOLD, "reserved");
  });

  it("is not given up once it is there again", async () => {
    await side.answer(sdp(CALLEE, audio(0)));
    const [link, peer] = [linkOf(side), proxyOf(side)];
    side.clock.advance(HOLD - 1);
    link.opened(peer);
    side.clock.advance(2 * HOLD);
    await settle();
    expect(side.record.state).toBe("reserved");
  });
});
