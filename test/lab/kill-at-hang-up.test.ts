/** Hang-up while a role is down: what it missed is done, and counted once, when it is back. */
import { afterAll, beforeAll, expect, test } from "vitest";
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

test.each(ROLES)("hang-up while %s is down", async (role) => {
  const call = await lab.callWithMedia(["--seconds", "1"]);
  await lab.stop(role, "KILL");
  const waitsForRole = role === "sip1" || role === "sip2";
  if (waitsForRole) {
    // The BYE, and its retransmission, meet nobody.
    // Of SIP2 the proxy before it; of SIP1 the caller.
    const [sender, from] = role === "sip1" ? ["uac", "10.1.0.10"] : ["sip1", "10.1.0.5"];
    await until("the BYE to be sent again", async () => {
      const sent = await lab.captures.sip(sender, call.began);
      return sent.filter(({ source, text }) => source === from && text.startsWith("BYE ")).length >= 2;
    });
  } else {
    await call.outcome;
    const left = await lab.leftovers();
    if (role !== "ch") expect(left.join("\n"), "what waits for the role").not.toBe("");
  }
  await lab.start(role);
  await expectSettled(lab, call);
});

test("no message in any capture is malformed", () => expectWellFormed(lab));
