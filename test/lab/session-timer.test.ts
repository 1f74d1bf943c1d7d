/**
 * Sessions whose agents agreed on a session timer (RFC 4028), in real time: `npm run soak -- timer`, two minutes, for nobody may
 * agree on less than 90 s. Short samples of it are in `npm test`, with the clock of tests: test/pdp/liveness (when a session
 * expires), test/pdp/session-end.test.ts, test/sip/proxy/taken-back.test.ts and session-timer-dead.test.ts (what becomes of it then).
 */
import { setTimeout as delay, setInterval as every } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionView } from "../../src/control/views.js";
import type { Pair } from "./support/dialog.js";
import { expectNothingLeft, expectUsage } from "./support/expectations.js";
import { endAtServers, negotiationLab, rowsOf } from "./support/negotiation-lab.js";
import { ended, hangUp } from "./support/set-up.js";
import { bothAgents, type SipAgent, takeDown } from "./support/sip-agent.js";
import type { TestLab } from "./support/test-lab.js";
import { hold, INTERVAL, type TimedCall, type TimedWish, timedCall, update } from "./support/timed-calls.js";

const isSoak = process.env.SLUICE_SOAK !== undefined;
const why = isSoak ? "" : " (two minutes: npm run soak -- timer)";

/** A policy server looks once a second, and a report comes every 2 s; the rest is for a busy machine. */
const LATE = 6000;
const MEDIA_PORT = 7000;
const ROUTED: TimedWish = { media: ["sluice-class:talk"] };
const DIRECT: TimedWish = { media: ["sluice-class:chat"] };
/** As the clearinghouse is told: not refreshed; a BYE, at the side that saw the other's first (ADR 23); gone. */
const [EXPIRED, BYE, LEFT] = ["q850 102", "sip 200", "sip 410"];

describe.skipIf(!isSoak)(`session timers of 90 s${why}`, () => {
  let lab: TestLab;
  let [uac, uas, speaker, hearer]: SipAgent[] = [];
  beforeAll(async () => {
    // Silence alone ends nothing here.
    lab = await negotiationLab({ idleTimeout: "off" });
    [uac, uas, speaker, hearer] = [...(await bothAgents(lab)), ...(await bothAgents(lab, MEDIA_PORT))];
  }, 300_000);
  afterAll(() => takeDown(lab, [uac, uas, speaker, hearer]));

  const call = (wish: TimedWish) => timedCall(uac!, uas!, wish);
  const rows = ({ session }: Pair) => Promise.all(([1, 2] as const).map((site) => rowsOf(lab, site, session)));
  const NO_ROWS = [[], []];
  const ROWS = [1, 2].map(() => ["46 < 80", "46 > 80"]);

  /** Both users are hung up when the timer has run out, and not before; each side's record says why. */
  async function expectExpired(timed: TimedCall): Promise<readonly string[]> {
    const reasons = await ended(timed, 200, INTERVAL + LATE);
    const lasted = Date.now() - timed.since;
    expect(lasted, "ms from the 2xx to the BYE").toBeGreaterThanOrEqual(INTERVAL);
    expect(lasted, "ms from the 2xx to the BYE").toBeLessThan(INTERVAL + LATE);
    for (const reason of reasons) expect(reason).toBe('Q.850 ;cause=102 ;text="Session Expired"');
    const records = await expectUsage(lab, timed.session);
    expect(await rows(timed)).toEqual(NO_ROWS);
    return records.map(({ cause }) => cause);
  }

  async function expectKept(timed: TimedCall): Promise<void> {
    await delay(timed.since + INTERVAL + LATE - Date.now());
    for (const role of ["pol1", "pol2", "sip1", "sip2"] as const) {
      const its = (await lab.view<SessionView>(role, "sessions")).filter(({ session }) => session === timed.session);
      expect(its.map(({ state }) => `${role}: ${state}`)).not.toEqual([]);
      expect(its.map(({ state }) => state)).not.toContain("closed");
    }
    const told = [uac!, uas!].flatMap((agent) => agent.untaken(timed.callId)).map(({ method }) => method);
    expect(told, "requests that came to the users").toEqual([]);
  }

  test.concurrent("routed, on hold: it ends at its timer", async () => {
    const timed = await call(ROUTED);
    expect(await rows(timed)).toEqual(ROWS);
    const held = await hold(timed, 2);
    expect(await rows(timed)).toEqual(NO_ROWS);
    const causes = await expectExpired(held);
    expect(causes).toContain(EXPIRED);
    for (const cause of causes) expect([EXPIRED, BYE]).toContain(cause);
  });

  test.concurrent("routed, and both agents silent: it ends at its timer", async () => {
    const causes = await expectExpired(await call(ROUTED));
    expect(causes).toContain(EXPIRED);
    for (const cause of causes) expect([EXPIRED, BYE]).toContain(cause);
  });

  test.concurrent("direct, and both agents silent: each server finds out by itself", async () => {
    const timed = await call(DIRECT);
    expect(await rows(timed)).toEqual(ROWS);
    // Held from its beginning, for the servers do not see a re-INVITE.
    const held = await call({ media: [...DIRECT.media, "inactive"] });
    expect(await rows(held)).toEqual(NO_ROWS);
    const causes = await Promise.all([timed, held].map(expectExpired));
    expect(causes.flat()).toEqual([EXPIRED, EXPIRED, EXPIRED, EXPIRED]);
  });

  test.concurrent("routed, on hold, refreshed once by re-INVITE or UPDATE: it stays", async () => {
    const held = [await hold(await call(ROUTED), 2), await hold(await call(ROUTED), 2)] as const;
    await delay(INTERVAL / 2);
    await hold(held[0], 3);
    await update(held[1]);
    for (const timed of held) {
      await expectKept(timed);
      await hangUp(timed.caller, timed.callee);
    }
  });

  test.concurrent("direct, with media that moves: it stays", async () => {
    const timed = await call({ ...DIRECT, port: MEDIA_PORT });
    for await (const _ of every(500)) {
      speaker!.send("media", hearer!.place);
      if (Date.now() > timed.since + INTERVAL + LATE) break;
    }
    await expectKept(timed);
    expect(await rows(timed)).toEqual(ROWS);
    const over = ended(timed, 200, 3000);
    await endAtServers(lab, timed.callId);
    await over;
    expect((await expectUsage(lab, timed.session)).map(({ cause }) => cause)).toEqual([LEFT, LEFT]);
  });

  test("nothing is left of any of them", () => expectNothingLeft(lab));
});
