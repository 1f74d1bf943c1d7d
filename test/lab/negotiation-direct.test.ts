/** `ack: direct`: the proxies leave the dialog when it is set up, and the session ends all the same. */
import { setInterval as every } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeMedia } from "./support/descriptions.js";
import { newCall, type Pair } from "./support/dialog.js";
import { expectNothingLeft, expectUsage } from "./support/expectations.js";
import { endAtServers, negotiationLab, rowsOf } from "./support/negotiation-lab.js";
import { ended, grantedOf, hangUp, type SetUp, setUp } from "./support/set-up.js";
import { bothAgents, type SipAgent, takeDown } from "./support/sip-agent.js";
import { headers } from "./support/sip-message.js";
import type { TestLab } from "./support/test-lab.js";

/** A report comes every 2 s; by the one after the fourth silent second a session is found idle. */
const IDLE_WITHIN = 9000;
/** Longer than idleTimeout and a report. */
const KEPT_FOR = 7000;
const MEDIA_PORT = 6000;

/** As the clearinghouse is told: no media (Q.850), gone (RFC 3261 §21.4.9). */
const [IDLE, LEFT] = ["q850 102", "sip 410"];

let lab: TestLab;
let [uac, uas, speaker, hearer]: SipAgent[] = [];
beforeAll(async () => {
  lab = await negotiationLab({ idleTimeout: "4 s" });
  [uac, uas, speaker, hearer] = [...(await bothAgents(lab)), ...(await bothAgents(lab, MEDIA_PORT))];
}, 300_000);
afterAll(() => takeDown(lab, [uac, uas, speaker, hearer]));

const CHAT = ["sluice-class:chat", "sluice-need:sendrecv rate=80-32"];

/** Answered and acknowledged, without a proxy in the way. */
async function directCall(lines: readonly string[] = []): Promise<{ readonly call: Pair; readonly came: SetUp }> {
  const call = newCall(uac!, uas!);
  const answer = describeMedia("callee", [CHAT]);
  const came = await setUp(call, { offer: describeMedia("caller", [CHAT]), answer, lines });
  expect(came.final.status).toBe(200);
  return { call, came };
}

const causesOf = async (call: Pair): Promise<readonly string[]> =>
  (await expectUsage(lab, call.session)).map(({ cause }) => cause);

describe("ack: direct", () => {
  test("no proxy is in the route, and the caller's own ACK tells the callee", async () => {
    const { call, came } = await directCall();
    for (const message of [came.invite!, came.final]) expect(headers(message, "Record-Route")).toEqual([]);
    expect(headers(came.ack!, "Via"), "hops of the ACK").toHaveLength(1);
    expect(grantedOf(came.ack!)).toEqual(grantedOf(came.final));
    expect(grantedOf(came.final).map((value) => value.replace(/^.*by=/, ""))).toEqual([
      "pol2.b.example",
      "pol1.a.example",
    ]);
    for (const site of [1, 2] as const) expect(await rowsOf(lab, site, call.session)).toEqual(["46 < 80", "46 > 80"]);
    await hangUp(call.caller, call.callee);
    // Nobody but the parties saw that.
    expect(await rowsOf(lab, 1, call.session), "rows after the unseen BYE").toHaveLength(2);
    await ended(call, 481, IDLE_WITHIN);
    await expectNothingLeft(lab);
    expect(await causesOf(call)).toEqual([IDLE, IDLE]);
  });

  test("media keeps it, and silence ends it within idleTimeout", async () => {
    const { call } = await directCall();
    const began = Date.now();
    for await (const _ of every(200)) {
      speaker!.send("media", hearer!.place);
      if (Date.now() - began > KEPT_FOR) break;
    }
    for (const site of [1, 2] as const) expect(await rowsOf(lab, site, call.session)).toHaveLength(2);
    const silent = Date.now();
    const reasons = await ended(call, 200, IDLE_WITHIN);
    expect(Date.now() - silent, "ms until it was found out").toBeGreaterThan(1500);
    for (const reason of reasons) expect(reason).toMatch(/^Q\.850 ;cause=102/);
    await expectNothingLeft(lab);
    expect(await causesOf(call)).toEqual([IDLE, IDLE]);
  });

  test("a user who left: sessions/end tells both", async () => {
    const { call } = await directCall();
    const over = ended(call, 200, 3000);
    await endAtServers(lab, call.callId);
    await over;
    await expectNothingLeft(lab);
    expect(await causesOf(call)).toEqual([LEFT, LEFT]);
  });

  test("one server alone is told that a user left", async () => {
    const { call } = await directCall();
    const over = ended(call, 200, IDLE_WITHIN);
    await endAtServers(lab, call.callId, ["pol1"]);
    await over;
    await expectNothingLeft(lab);
    expect([...(await causesOf(call))].sort()).toEqual([IDLE, LEFT]);
  });
});
