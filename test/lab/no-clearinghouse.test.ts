/** Two domains that settle by themselves: the policy servers do what the clearinghouse would have done. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UsageView } from "../../src/control/views.js";
import { expectNothingLeft, expectOctets } from "./support/expectations.js";
import { TestLab } from "./support/test-lab.js";

let lab: TestLab;
beforeAll(async () => {
  const alone = [[["clearinghouse"], "none"]] as const;
  lab = await TestLab.up({ edits: [{ pol1: alone, pol2: alone }] });
}, 300_000);
afterAll(() => lab?.down());

test("a call is authorised, admitted, counted and released without a clearinghouse", async () => {
  const call = await lab.callWithMedia(["--seconds", "1"]);
  const outcome = await call.outcome;
  expect(outcome).toMatchObject({ ok: true, status: 200 });
  await expectNothingLeft(lab);
  const views = await Promise.all((["pol1", "pol2"] as const).map((role) => lab.view<UsageView>(role, "usage")));
  const records = views.flat().filter(({ session }) => session === outcome.session);
  expect(records.map(({ reporter, side }) => [reporter, side])).toEqual([
    ["pol1.a.example", "source"],
    ["pol2.b.example", "destination"],
  ]);
  // One second of G.711: 50 packets of 200 octets each way.
  expectOctets(records, { toCallee: 10_000, toCaller: 10_000 });
  await lab.captures.stop();
  expect(await lab.captures.count("pol1", "cops"), "COPS messages in the capture of pol1").toBeGreaterThan(0);
  expect(await lab.captures.count("ch", "http"), "OSP messages in the capture of ch").toBe(0);
});
