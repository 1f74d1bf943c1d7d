/** Any role may be killed at any moment: media stays marked, hang-up still removes everything, usage comes once. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RoleName, SHORT_PATIENCE } from "./support/configs.js";
import { expectSettled, expectWellFormed } from "./support/expectations.js";
import { TestLab } from "./support/test-lab.js";
import { until } from "./support/until.js";

const ROLES: readonly RoleName[] = ["ch", "pol1", "pol2", "sip1", "sip2", "r1", "r2"];

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({ edits: [SHORT_PATIENCE] });
}, 300_000);
afterAll(() => lab?.down());

describe("kill -9 during the media, back before the hang-up", () => {
  test.each(ROLES)("%s", async (role) => {
    const call = await lab.callWithMedia(["--seconds", "3"]);
    await lab.stop(role, "KILL");
    const down = Date.now();
    // The role's absence has to be seen by packets, or nothing is shown.
    await until("media while the role is down", async () => {
      const { received } = await lab.captures.media("uas", down);
      return received.length >= 20;
    });
    await lab.start(role);
    await expectSettled(lab, call);
  });
});

test.each(["pol1", "pol2"] as const)(
  "kill -9 of %s while the telephone rings: the answer is made up for",
  async (role) => {
    const call = lab.call(["--seconds", "2"]);
    await until("the flows in the kernel", async () => (await lab.kernelElements("r1")) > 0);
    await lab.stop(role, "KILL");
    await lab.mediaOf(call);
    await lab.start(role);
    const { session } = await expectSettled(lab, call);
    for (const { side, duration } of await lab.usage(session)) {
      expect(duration, `${side}: charged time in ms`).toBeGreaterThan(0);
    }
  },
);

test("no message in any capture is malformed", () => expectWellFormed(lab));
