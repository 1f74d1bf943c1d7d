/** What may go wrong between two agents and their proxies: nothing stays reserved, and nobody waits for ever. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Edits, SHORT_TIMERS } from "./support/configs.js";
import { describeMedia } from "./support/descriptions.js";
import { newCall, type Pair, type Party } from "./support/dialog.js";
import { expectNothingLeft } from "./support/expectations.js";
import { negotiationLab, poolUse, rowsOf, setRoom } from "./support/negotiation-lab.js";
import { hangUp, setUp } from "./support/set-up.js";
import { bothAgents, type SipAgent, takeDown } from "./support/sip-agent.js";
import { header } from "./support/sip-message.js";
import type { TestLab } from "./support/test-lab.js";
import { until, untilNothing } from "./support/until.js";

let lab: TestLab;
let [uac, uas]: SipAgent[] = [];
beforeAll(async () => {
  lab = await negotiationLab({ more: SHORT_TIMERS satisfies Edits });
  [uac, uas] = await bothAgents(lab);
}, 300_000);
afterAll(() => takeDown(lab, [uac, uas]));

const talk = (range: string): readonly string[] => ["sluice-class:talk", `sluice-need:sendrecv rate=${range}`];
const offerOf = (range: string, version = 1) => describeMedia("caller", [talk(range)], { version });
const answerOf = (range: string, version = 1) => describeMedia("callee", [talk(range)], { version });
const ROWS = ["46 < 80", "46 > 80"];

async function answeredCall(): Promise<Pair> {
  const call = newCall(uac!, uas!);
  const { final } = await setUp(call, { offer: offerOf("80-32"), answer: answerOf("80-32") });
  expect(final.status).toBe(200);
  return call;
}

async function expectRows(call: Pair, rows: readonly string[]): Promise<void> {
  for (const site of [1, 2] as const) expect(await rowsOf(lab, site, call.session), `rows of R${site}`).toEqual(rows);
}

/** The INVITE of one party that the other refuses, or a proxy for it. */
async function reinvite(from: Party, to: Party, body: string, reply: (invite: Parameters<Party["reply"]>[0]) => void) {
  const branch = `${Date.now()}${from === to ? "" : Math.random().toString(16).slice(2)}`;
  const number = from.request("INVITE", { body, branch });
  const reached = to.takes("INVITE").then(reply);
  reached.catch(() => undefined);
  const final = await from.final("INVITE", number);
  from.acknowledge(number, final.status < 300 ? {} : { branch });
  return final;
}

describe("re-INVITE", () => {
  let call: Pair;
  afterEach(async () => {
    await hangUp(call.caller, call.callee);
    await expectNothingLeft(lab);
  });

  test("accepted: both routers have the new rates", async () => {
    call = await answeredCall();
    const { caller, callee } = call;
    const accept = (invite: Parameters<Party["reply"]>[0]) => callee.reply(invite, 200, answerOf("64-32", 2));
    expect((await reinvite(caller, callee, offerOf("64-32", 2), accept)).status).toBe(200);
    await callee.takes("ACK");
    await expectRows(call, ["46 < 64", "46 > 64"]);
  });

  test("accepted, and made by the callee: both routers have the new rates", async () => {
    call = await answeredCall();
    const { caller, callee } = call;
    const accept = (invite: Parameters<Party["reply"]>[0]) => caller.reply(invite, 200, offerOf("64-32", 2));
    expect((await reinvite(callee, caller, answerOf("64-32", 2), accept)).status).toBe(200);
    await caller.takes("ACK");
    await expectRows(call, ["46 < 64", "46 > 64"]);
  });

  test("UPDATE: both routers have the new rates", async () => {
    call = await answeredCall();
    const { caller, callee } = call;
    const number = caller.request("UPDATE", { body: offerOf("64-32", 2) });
    callee.reply(await callee.takes("UPDATE"), 200, answerOf("64-32", 2));
    expect((await caller.final("UPDATE", number)).status).toBe(200);
    await expectRows(call, ["46 < 64", "46 > 64"]);
  });

  test("refused by the callee: what was agreed stays", async () => {
    call = await answeredCall();
    const { caller, callee } = call;
    const final = await reinvite(caller, callee, offerOf("64-32", 2), (invite) => callee.reply(invite, 488));
    expect(final.status).toBe(488);
    await expectRows(call, ROWS);
  });

  test.each([1, 2] as const)("refused for want of room at side %i: what was agreed stays", async (site) => {
    call = await answeredCall();
    await setRoom(lab, site, "voice", 100);
    try {
      const { caller, callee } = call;
      const accept = (invite: Parameters<Party["reply"]>[0]) => callee.reply(invite, 200, answerOf("300-200", 2));
      const final = await reinvite(caller, callee, offerOf("300-200", 2), accept);
      expect({ status: final.status, warning: header(final, "Warning") }).toEqual({
        status: 580,
        warning: expect.stringMatching(/^370 .* is full/),
      });
      await expectRows(call, ROWS);
    } finally {
      await setRoom(lab, site, "voice", 900);
    }
  });

  test("without an offer: its 2xx offers, and the answer in its ACK takes effect at both routers", async () => {
    call = await answeredCall();
    const { caller, callee } = call;
    const number = caller.request("INVITE");
    callee.reply(await callee.takes("INVITE"), 200, answerOf("64-32", 2));
    expect((await caller.final("INVITE", number)).status).toBe(200);
    await expectRows(call, ROWS);
    caller.acknowledge(number, { body: offerOf("48-32", 2) });
    await callee.takes("ACK");
    await expectRows(call, ["46 < 48", "46 > 48"]);
  });

  test.each([1, 2] as const)("without an offer, and no room for that of its 2xx at side %i: refused", async (site) => {
    call = await answeredCall();
    await setRoom(lab, site, "voice", 100);
    try {
      const { caller, callee } = call;
      const branch = `late-${site}`;
      const number = caller.request("INVITE", { branch });
      callee.reply(await callee.takes("INVITE"), 200, answerOf("300-200", 2));
      const final = await caller.final("INVITE", number);
      caller.acknowledge(number, { branch });
      expect({ status: final.status, warning: header(final, "Warning") }).toEqual({
        status: 580,
        warning: expect.stringMatching(/^370 .* is full/),
      });
      // What was offered has no answer: for the callee as well, what was agreed holds.
      expect((await callee.takes("ACK")).body).toBe("");
      await expectRows(call, ROWS);
    } finally {
      await setRoom(lab, site, "voice", 900);
    }
  });

  test("glare: both are refused with 491, and what was agreed stays", async () => {
    call = await answeredCall();
    const { caller, callee } = call;
    const finals = await Promise.all([
      reinvite(caller, callee, offerOf("64-32", 2), (invite) => callee.reply(invite, 491)),
      reinvite(callee, caller, answerOf("48-32", 2), (invite) => caller.reply(invite, 491)),
    ]);
    expect(finals.map(({ status }) => status)).toEqual([491, 491]);
    await expectRows(call, ROWS);
  });
});

test("CANCEL crosses the 200: one of both holds, and nothing is left", async () => {
  const call = newCall(uac!, uas!);
  const { caller, callee } = call;
  const branch = "crossing";
  const number = caller.request("INVITE", { body: offerOf("80-32"), branch });
  const invite = await callee.takes("INVITE");
  callee.learn(invite);
  callee.reply(invite, 200, answerOf("80-32"));
  caller.request("CANCEL", { cseq: number, branch });
  // Where it arrives after the 200, it has no effect (RFC 3261 §9.2).
  callee.takes("CANCEL", 3000).then(
    (cancel) => callee.reply(cancel, 200),
    () => undefined,
  );
  const final = await caller.final("INVITE", number);
  expect([200, 487]).toContain(final.status);
  if (final.status === 200) {
    caller.learn(final);
    caller.acknowledge(number);
    await callee.takes("ACK");
    await hangUp(caller, callee);
  } else {
    caller.acknowledge(number, { branch });
    callee.reply(await callee.takes("BYE"), 200);
  }
  await expectNothingLeft(lab);
});

describe("a proxy is killed when only the callee's side has reserved: nothing is left, nobody waits for ever", () => {
  /** Whatever comes from SIP2 is lost before SIP1. */
  const DEAF = "add table inet deaf; add chain inet deaf in { type filter hook input priority 0; }";
  const TO_SIP2 = "add rule inet deaf in ip saddr 10.3.0.5 drop";
  const HEARING = "add table inet deaf; delete table inet deaf";
  const makeSip1 = (command: string) => lab.lab.exec("sip1", ["nft", command]);
  let dead: "sip1" | "sip2" | undefined;

  async function halfReserved() {
    const call = newCall(uac!, uas!);
    const { caller, callee } = call;
    const branch = call.callId.slice(0, 8);
    const number = caller.request("INVITE", { body: offerOf("80-32"), branch });
    const invite = await callee.takes("INVITE");
    callee.learn(invite);
    await makeSip1(`${DEAF}; ${TO_SIP2}`);
    callee.reply(invite, 200, answerOf("80-32"));
    await until("R2 to have the flows", async () => (await rowsOf(lab, 2, call.session)).length === 2);
    expect(await rowsOf(lab, 1, call.session), "rows of R1").toEqual([]);
    return { ...call, number, branch };
  }

  const expectNothingReserved = (): Promise<void> =>
    untilNothing("something is reserved", async () => {
      const sites = ([1, 2] as const).map(async (site) => {
        const [elements, used] = await Promise.all([lab.kernelElements(`r${site}`), poolUse(lab, site)]);
        return elements + used === 0 ? [] : [`site ${site}: ${elements} elements, ${used} bit/s`];
      });
      return (await Promise.all(sites)).flat();
    });

  async function kill(proxy: "sip1" | "sip2"): Promise<void> {
    await lab.stop(proxy, "KILL");
    dead = proxy;
  }

  async function revive(): Promise<void> {
    await makeSip1(HEARING);
    if (dead !== undefined) await lab.start(dead);
    dead = undefined;
    await lab.connected();
  }

  afterEach(async () => {
    await revive();
    await expectNothingLeft(lab);
  });

  test("sip1, and started again", async () => {
    const { caller, callee, number, branch } = await halfReserved();
    await kill("sip1");
    await revive();
    // Its transaction is gone: the caller's agent gives up, and is told so.
    caller.request("CANCEL", { cseq: number, branch });
    expect((await caller.final("CANCEL", number)).status).toBe(481);
    // Without an ACK for 64 times T1 the callee's agent hangs up (RFC 3261 §13.3.1.4).
    const bye = callee.request("BYE");
    caller.takes("BYE", 3000).then(
      (late) => caller.reply(late, 481),
      () => undefined,
    );
    expect((await callee.final("BYE", bye)).status).toBe(481);
  });

  test("sip1, and left dead", async () => {
    const { callId, callee } = await halfReserved();
    await kill("sip1");
    await makeSip1(HEARING);
    // As above. Nobody is there to pass it on; the network of the callee has it back all the same.
    callee.request("BYE");
    await expectNothingReserved();
    expect(uac!.exchanged(callId), "of the caller, who is told nothing").toEqual(["> INVITE", "< 100 INVITE"]);
  });

  test("sip2, and left dead", async () => {
    await lab.reconfigure({ pol2: [[["liveness", "idleTimeout"], "4 s"]] });
    const { caller, callee, number, branch } = await halfReserved();
    await kill("sip2");
    // The caller's agent gives up. Its proxy waits for 64 times T1 for an answer to that (RFC 3261 §9.1).
    caller.request("CANCEL", { cseq: number, branch });
    expect((await caller.final("CANCEL", number)).status).toBe(200);
    expect((await caller.final("INVITE", number)).status).toBe(487);
    caller.acknowledge(number, { branch });
    callee.request("BYE");
    // Nobody takes that: media that do not flow are what R2 is given back for.
    await expectNothingReserved();
  });
});
