/** A peer that is there and does not answer: stopped by SIGSTOP, its connections stay open. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { UsageView } from "../../src/control/views.js";
import { type RoleName, SHORT_PATIENCE } from "./support/configs.js";
import {
  expectNothingLeft,
  expectOctets,
  expectSettled,
  expectUsage,
  expectWellFormed,
  octetsOf,
} from "./support/expectations.js";
import { TestLab } from "./support/test-lab.js";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({ edits: [SHORT_PATIENCE] });
}, 300_000);
afterAll(() => lab?.down());

const silent = new Set<RoleName>();
async function silence(role: RoleName): Promise<void> {
  await lab.stop(role, "STOP");
  silent.add(role);
}
async function wake(): Promise<void> {
  for (const role of silent) await lab.stop(role, "CONT");
  silent.clear();
}
afterEach(wake);

/** What the policy server woke up to must not become a charge. */
async function expectNoCharge(session: string): Promise<void> {
  await expectNothingLeft(lab);
  // The policy servers' own records are there when the session is closed; the clearinghouse's follow from them.
  const views = await Promise.all((["pol1", "pol2", "ch"] as const).map((role) => lab.view<UsageView>(role, "usage")));
  const records = views.flat().filter((record) => record.session === session);
  const octets = records.map(({ counters }) => counters.inProfile.octets);
  expect(Math.max(0, ...octets), "octets charged").toBe(0);
}

describe("a silent policy server, onLoss: refuse", () => {
  test.each(["pol1", "pol2"] as const)("%s at the INVITE: 503, and nothing is charged", async (role) => {
    await silence(role);
    const call = await lab.lab.call(["--expect", "503", "--seconds", "1"]);
    expect(call).toMatchObject({ ok: true, status: 503 });
    expect(Number(call.retryAfter), "Retry-After, in seconds").toBeGreaterThan(0);
    expect(call.warning).toContain("no decision");
    await wake();
    await expectNoCharge(call.session);
  });

  test.each(["pol1", "pol2"] as const)("%s at the hang-up: released and counted when it wakes", async (role) => {
    const call = await lab.callWithMedia(["--seconds", "1"]);
    await silence(role);
    await call.outcome;
    await wake();
    await expectSettled(lab, call);
  });
});

describe("a silent router", () => {
  test.each(["r1", "r2"] as const)("%s at the 180: 503, and nothing is charged", async (role) => {
    await silence(role);
    const call = await lab.lab.call(["--expect", "503", "--uas", "uas-rings", "--seconds", "1"]);
    expect(call.status).toBe(503);
    expect(call.warning).toContain("did not report");
    await wake();
    await expectNoCharge(call.session);
  });

  test.each(["r1", "r2"] as const)("%s at the hang-up: released and counted when it wakes", async (role) => {
    const call = await lab.callWithMedia(["--seconds", "1"]);
    await silence(role);
    await call.outcome;
    expect(await lab.leftovers().then((left) => left.join("\n")), "what waits for the router").toContain("releasing");
    await wake();
    await expectSettled(lab, call);
  });
});

describe("a silent policy server, onLoss: bestEffort", () => {
  beforeAll(async () => {
    await lab.reconfigure({
      sip1: [[["pdp", "onLoss"], "bestEffort"]],
      sip2: [[["pdp", "onLoss"], "bestEffort"]],
    });
  });

  test("both: the call is made without a class, and nothing is charged", async () => {
    await silence("pol1");
    await silence("pol2");
    const call = await lab.callWithMedia(["--seconds", "1"]);
    const outcome = await call.outcome;
    expect(outcome).toMatchObject({ ok: true, status: 200 });
    const { received } = await lab.captures.media("uas", call.began);
    expect([...new Set(received.map(({ dscp }) => dscp))], "code points at the receiver").toEqual([0]);
    await wake();
    await expectNoCharge(outcome.session);
  });

  test("the callee's only: the caller's side counts the call, once", async () => {
    await silence("pol2");
    const call = await lab.callWithMedia(["--seconds", "1"]);
    const outcome = await call.outcome;
    expect(outcome).toMatchObject({ ok: true, status: 200 });
    await wake();
    await expectNothingLeft(lab);
    const [toCallee, toCaller] = await Promise.all([
      lab.captures.media("uas", call.began),
      lab.captures.media("uac", call.began),
    ]);
    // The callee's policy server has nothing to tell, or that nothing was used.
    const records = await lab.usage(outcome.session);
    const source = records.filter(({ side }) => side === "source");
    expect(source, "records of the caller's side").toHaveLength(1);
    expectOctets(source, { toCallee: octetsOf(toCallee.received), toCaller: octetsOf(toCaller.received) });
    const rest = records.filter(({ side }) => side !== "source");
    expectOctets(rest, { toCallee: 0, toCaller: 0 });
  });

  test("and when both answer again, a call is assured as ever", async () => {
    await expectSettled(lab, lab.call(["--seconds", "1"]));
    await expectUsage(lab, (await lab.call(["--seconds", "1"]).outcome).session);
  });
});

test("no message in any capture is malformed", () => expectWellFormed(lab));
