/** Agents that are not there any more when the servers end their session: nobody answers the BYE, and nothing is left all the same. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Edits, SHORT_TIMERS } from "./support/configs.js";
import type { Party } from "./support/dialog.js";
import { expectNothingLeft, expectUsage } from "./support/expectations.js";
import { endAtServers, negotiationLab, poolUse, rowsOf, type Site } from "./support/negotiation-lab.js";
import { causeOf } from "./support/set-up.js";
import { bothAgents, type SipAgent, takeDown } from "./support/sip-agent.js";
import type { TestLab } from "./support/test-lab.js";
import { type TimedCall, timedCall } from "./support/timed-calls.js";

/** 64 times T1: a BYE is given up after that (RFC 3261 §17.1.2.2, timer F). */
const TIMER_F = 3200;

let lab: TestLab;
let [uac, uas]: SipAgent[] = [];
beforeAll(async () => {
  lab = await negotiationLab({ more: SHORT_TIMERS satisfies Edits });
  [uac, uas] = await bothAgents(lab);
}, 300_000);
afterAll(() => takeDown(lab, [uac, uas]));

const LEFT = 'Q.850 ;cause=16 ;text="User Left"';

/** What was reserved is free before anybody is told. */
async function expectFreed({ session }: TimedCall, sites: readonly Site[]): Promise<void> {
  for (const site of sites) {
    expect(await rowsOf(lab, site, session), `rows of R${site}`).toEqual([]);
    expect(await poolUse(lab, site), `held of pools at site ${site}`).toBe(0);
  }
}

/** The session itself is there until a BYE is given up, and then no more. */
async function expectGivenUp(began: number): Promise<void> {
  await expectNothingLeft(lab);
  expect(Date.now() - began, "ms until it was over").toBeGreaterThanOrEqual(TIMER_F);
}

async function says481(party: Party): Promise<void> {
  for (let bye = await party.takes("BYE"); ; bye = await party.takes("BYE", 20_000)) party.reply(bye, 481);
}

describe("a session that the servers end, and whose machines are dead", () => {
  test.each([
    { sites: [1, 2] as const, causes: ["sip 410", "sip 410"] },
    { sites: [1] as const, causes: ["sip 200", "sip 410"] },
    { sites: [2] as const, causes: ["sip 200", "sip 410"] },
  ])("routed, ended at $sites", async ({ sites, causes }) => {
    const call = await timedCall(uac!, uas!, { media: ["sluice-class:talk"] });
    const began = Date.now();
    const servers = sites.map((site) => `pol${site}`);
    await endAtServers(lab, call.callId, servers);
    for (const party of [call.caller, call.callee]) expect(causeOf(await party.takes("BYE"))).toBe(LEFT);
    await expectFreed(call, sites);
    await expectGivenUp(began);
    expect((await expectUsage(lab, call.session)).map(({ cause }) => cause).sort()).toEqual(causes);
  });

  test("direct: one agent answers both BYEs with 481, the other none", async () => {
    const call = await timedCall(uac!, uas!, { media: ["sluice-class:chat"] });
    const began = Date.now();
    says481(call.callee).catch(() => undefined);
    await endAtServers(lab, call.callId);
    expect(causeOf(await call.caller.takes("BYE"))).toBe(LEFT);
    await expectFreed(call, [1, 2]);
    await expectGivenUp(began);
    expect((await expectUsage(lab, call.session)).map(({ cause }) => cause)).toEqual(["sip 410", "sip 410"]);
  });
});
