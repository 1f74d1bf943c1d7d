/** A pool becomes smaller under two calls: the less important one is hung up at both ends, the other hears nothing of it. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PolicyView, PoolView, UsageView } from "../../src/control/views.js";
import type { Edits } from "./support/configs.js";
import { expectNothingLeft, expectSettled, expectUsage } from "./support/expectations.js";
import { headerOf } from "./support/invite.js";
import { SECOND_CALLEE, secondCall } from "./support/second-call.js";
import { TestLab } from "./support/test-lab.js";
import { until } from "./support/until.js";

const rule = (name: string, from: string) => ({
  name,
  from,
  to: "*@*",
  media: ["audio"],
  class: "voice",
  maxRate: "100 kbit/s",
  treatment: "assured",
});
const POOLS: Edits = {
  pol1: [
    [["pools", 0, "rate"], "340 kbit/s"],
    [["classes", 0, "whenShed"], "bye"],
    [["rules"], [{ ...rule("important", "alice@*"), priority: 5 }, rule("others", "*@*")]],
  ],
  pol2: [[["pools", 0, "rate"], "340 kbit/s"]],
};
const REASON = 'Preemption ;cause=2 ;text="Reserved Resources Preempted"';

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({ edits: [POOLS, SECOND_CALLEE] });
}, 300_000);
afterAll(() => lab?.down());

const resize = (...options: readonly string[]) =>
  lab.sluice([
    "pool",
    "resize",
    "voice",
    "170 kbit/s",
    "--socket",
    join(lab.lab.directory, "run/pol1.sock"),
    ...options,
  ]);

const voice = async (): Promise<PoolView | undefined> =>
  (await lab.view<PoolView>("pol1", "pools")).find(({ name }) => name === "voice");

test("the less important of two calls is ended at both parties, the other loses nothing", async () => {
  const kept = lab.call(["--seconds", "5"]);
  const second = await secondCall(lab);
  await lab.mediaOf(kept);
  await until("both calls to be answered", async () => {
    const policies = await lab.view<PolicyView>("pol1", "policies");
    const answers = (await lab.captures.sip("uas", kept.began)).filter(({ text }) => text.startsWith("ACK "));
    return new Set(policies.map(({ session }) => session)).size === 2 && answers.length >= 2;
  });
  const both = await lab.kernelElements("r1");

  const shed = [{ session: second.session, treatment: "bye" }];
  expect(await resize("--dry-run")).toMatchObject({ items: [{ role: "pol1", shed, dryRun: true }] });
  expect(await voice(), "after a dry run").toMatchObject({ sessions: 2, rate: 340_000 });
  expect(await resize()).toMatchObject({ items: [{ role: "pol1", shed, dryRun: false }] });
  // Of the two calls one is left, in the ledger as in the kernel.
  await until("the router to let go", async () => {
    const policies = await lab.view<PolicyView>("pol1", "policies");
    return policies.every(({ session }) => session !== second.session);
  });
  expect(await voice()).toMatchObject({ sessions: 1, rate: 170_000 });
  expect(await lab.kernelElements("r1"), `elements in the kernel, of ${both} for both`).toBe(both / 2);
  await second.over;

  for (const agent of ["uac", "uas"] as const) {
    const byes = (await lab.captures.sip(agent, kept.began)).filter(
      ({ text }) => text.startsWith("BYE ") && headerOf(text, "Call-ID") === second.callId,
    );
    expect(byes.map(({ text }) => headerOf(text, "Reason")).slice(0, 1), `BYE at ${agent}`).toEqual([REASON]);
  }
  const records = await expectUsage(lab, second.session);
  expect(Object.fromEntries(records.map(({ side, cause }) => [side, cause]))).toEqual({
    source: "q850 8",
    destination: "sip 200",
  });
  const told = (await lab.view<UsageView>("pol1", "usage")).find(({ session }) => session === second.session);
  expect(told?.cause).toBe("preempted");

  const { items } = (await lab.sluice(["explain", second.session])) as {
    readonly items: readonly { readonly steps: readonly { readonly what: string; readonly detail: string }[] }[];
  };
  expect(items.flatMap(({ steps }) => steps.filter(({ what }) => what === "shed"))).toMatchObject([
    { detail: "pool voice was taken back: to be ended" },
  ]);

  await expectSettled(lab, kept);
  await expectNothingLeft(lab);
}, 60_000);
