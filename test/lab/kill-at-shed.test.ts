/** A session is shed while the role that would have to tell its parties is down: they hear of it when that is back. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PeerView, PolicyView } from "../../src/control/views.js";
import { type Edits, SHORT_PATIENCE } from "./support/configs.js";
import { expectNothingLeft, expectUsage, expectWellFormed } from "./support/expectations.js";
import { SECOND_CALLEE, type SecondCall, secondCall } from "./support/second-call.js";
import { TestLab } from "./support/test-lab.js";
import { until } from "./support/until.js";

const HANGS_UP: Edits = { pol1: [[["classes", 0, "whenShed"], "bye"]] };

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({ edits: [HANGS_UP, SECOND_CALLEE, SHORT_PATIENCE] });
}, 300_000);
afterAll(() => lab?.down());

const shedAll = () =>
  lab.sluice(["pool", "resize", "voice", "1 kbit/s", "--socket", join(lab.lab.directory, "run/pol1.sock")]);

async function answeredCall(): Promise<SecondCall> {
  const began = Date.now();
  const call = await secondCall(lab);
  await until("the call to be answered", async () => {
    const acks = (await lab.captures.sip("uas", began)).filter(({ text }) => text.startsWith("ACK "));
    return acks.length > 0 && (await lab.view<PolicyView>("pol1", "policies")).length > 0;
  });
  return call;
}

async function expectPreempted({ session, over }: SecondCall): Promise<void> {
  await over;
  await expectNothingLeft(lab);
  const records = await expectUsage(lab, session);
  expect(records.find(({ side }) => side === "source")?.cause).toBe("q850 8");
}

test("the proxy is down when the session is shed", async () => {
  const call = await answeredCall();
  await lab.stop("sip1", "KILL");
  await until("the policy server to miss it", async () =>
    (await lab.view<PeerView>("pol1", "peers")).every(({ name }) => !name.startsWith("sip1")),
  );
  expect(await shedAll()).toMatchObject({ items: [{ shed: [{ session: call.session, treatment: "bye" }] }] });
  await lab.start("sip1");
  await expectPreempted(call);
}, 60_000);

test("the policy server is killed before it could tell", async () => {
  // It has its configured pools again.
  await lab.stop("pol1", "TERM");
  await lab.start("pol1");
  await lab.connected();
  const call = await answeredCall();
  await lab.stop("sip1", "STOP");
  expect(await shedAll()).toMatchObject({ items: [{ shed: [{ session: call.session }] }] });
  await until("the session to be shed", async () => (await lab.view<PolicyView>("pol1", "policies")).length === 0);
  await lab.stop("pol1", "KILL");
  await lab.stop("sip1", "KILL");
  await lab.start("pol1");
  await lab.start("sip1");
  await expectPreempted(call);
}, 60_000);

test("no message in any capture is malformed", () => expectWellFormed(lab));
