import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { responseTo } from "../../../src/sip/message/build.js";
import type { SipRequest, SipResponse } from "../../../src/sip/message/message.js";
import type { DialogContext } from "../../../src/sip/proxy/policy.js";
import { settle } from "../../support/fake-clock.js";
import { nameOf } from "../harness.js";
import { type Browser, REALM, UsersBench } from "./users-bench.js";

async function callUp(bench: UsersBench): Promise<{ zoe: Browser; max: Browser }> {
  const [zoe, max] = [await bench.browser("zoe"), await bench.browser("max")];
  await zoe.call(`sip:max@${REALM}`);
  await max.accept();
  for (const browser of [zoe, max]) browser.heard();
  return { zoe, max };
}

async function answersBye(bench: UsersBench, browser: Browser): Promise<SipRequest> {
  const bye = browser.last("BYE") as SipRequest;
  bench.lab.transport.inject(responseTo(bye, 200).toBuffer(), browser.remote);
  await settle();
  return bye;
}

describe("a browser whose connection closes", () => {
  it("has its sessions ended after a while, and its registration is gone; the other party hears why", async () => {
    const bench = new UsersBench();
    const { zoe, max } = await callUp(bench);
    zoe.close();
    await bench.clock.pass(9_999);
    expect([max.heard(), bench.ended]).toEqual([[], []]);
    await bench.clock.pass(1);
    expect(max.heard()).toEqual(["BYE"]);
    const bye = await answersBye(bench, max);
    expect(bye.header("reason")).toBe('SIP;cause=480;text="the connection of a party is lost"');
    expect(bench.ended).toEqual(["left BYE"]);
    expect([bench.lab.core.liveDialogs, bench.registrar.size]).toEqual([0, 1]);
    await max.call(`sip:zoe@${REALM}`);
    expect((max.last() as SipResponse).status).toBe(480);
  });

  it("keeps them if it is back in time by another connection, and is reached by that", async () => {
    const bench = new UsersBench();
    const { zoe, max } = await callUp(bench);
    zoe.close();
    await bench.clock.pass(5_000);
    const again = await bench.browser("zoe");
    again.heard();
    await bench.clock.pass(60_000);
    expect([bench.ended, bench.lab.core.liveDialogs]).toEqual([[], 1]);
    // What is inside the dialog goes to the new connection, though its route set names the old one.
    const invite = max.last("INVITE") as SipRequest;
    const routes = invite.recordRoutes.map((route) => `Route: ${route}`);
    max.say("BYE", { uri: zoe.contact, callId: "web-1", fromTag: "m1", toTag: "w1", extra: routes });
    await settle();
    expect(again.heard()).toEqual(["BYE"]);
  });

  it("may go and come more than once: each time it has the whole time", async () => {
    const bench = new UsersBench();
    const { zoe } = await callUp(bench);
    zoe.close();
    const second = await bench.browser("zoe");
    await bench.clock.pass(5_000);
    second.close();
    await bench.clock.pass(9_999);
    expect(bench.ended).toEqual([]);
    await bench.browser("zoe");
    await bench.clock.pass(60_000);
    expect([bench.ended, bench.lab.core.liveDialogs]).toEqual([[], 1]);
  });

  it("has its session ended also if it has logged out before", async () => {
    const bench = new UsersBench();
    const { zoe, max } = await callUp(bench);
    await zoe.logOut();
    expect(bench.registrar.size).toBe(1);
    await bench.clock.pass(60_000);
    expect(bench.ended).toEqual([]);
    zoe.close();
    await bench.clock.pass(10_000);
    expect(max.heard()).toEqual(["BYE"]);
    await answersBye(bench, max);
    expect(bench.ended).toEqual(["left BYE"]);
  });

  it("is not saved by another page of the same user", async () => {
    const bench = new UsersBench();
    const { zoe } = await callUp(bench);
    const other = bench.connect("zoe");
    other.instance = "urn:uuid:other-page";
    await other.logIn();
    zoe.close();
    await bench.clock.pass(10_000);
    expect(bench.lab.transport.sent.filter(({ message }) => nameOf(message) === "BYE").length).toBeGreaterThan(0);
    expect(bench.registrar.size).toBe(2);
  });

  it("while it is called: the caller hears 480; while it calls: the callee CANCEL", async () => {
    const bench = new UsersBench();
    const [zoe, max] = [await bench.browser("zoe"), await bench.browser("max")];
    await zoe.call(`sip:max@${REALM}`);
    bench.lab.transport.inject(
      responseTo(max.last("INVITE") as SipRequest, 180, { toTag: "m1" }).toBuffer(),
      max.remote,
    );
    await settle();
    zoe.close();
    await bench.clock.pass(10_000);
    expect(max.heard().at(-1)).toBe("CANCEL");
    expect((max.last("CANCEL") as SipRequest).header("reason")).toContain("cause=480");
    expect(bench.ended).toEqual(["failure 480"]);
  });

  it("at both ends ends the session all the same, and nothing is left", async () => {
    const bench = new UsersBench();
    const { zoe, max } = await callUp(bench);
    zoe.close();
    max.close();
    await bench.clock.pass(60_000);
    expect(bench.ended).toEqual(["left BYE"]);
    expect([bench.lab.core.liveDialogs, bench.registrar.size]).toEqual([0, 0]);
    await bench.clock.pass(60_000);
    expect(bench.lab.core.liveTransactions).toBe(0);
  });
});

describe("sessions from before a restart", () => {
  it("end if their users do not come back, and go on if they do", async () => {
    const first = new UsersBench();
    await callUp(first);
    const context = first.contexts.get("web-1");
    if (context === undefined) throw new Error("no context");
    const known: DialogContext[] = [JSON.parse(JSON.stringify(context))];
    const policy = { known: () => known, recall: () => known[0] };
    const away = new UsersBench({ policy });
    const max = await away.browser("max");
    max.heard();
    await away.clock.pass(30_000);
    expect(max.heard()).toEqual(["BYE"]);
    await answersBye(away, max);
    expect(away.ended).toEqual(["left BYE"]);
    const back = new UsersBench({ policy });
    const both = [await back.browser("max"), await back.browser("zoe")];
    await back.clock.pass(60_000);
    expect([back.ended, both.map((browser) => browser.heard().includes("BYE"))]).toEqual([[], [false, false]]);
  });
});

describe("any order of coming and going", () => {
  it("ends the session once, if and only if somebody stays away", async () => {
    const step = fc.record({
      who: fc.constantFrom(0, 1),
      what: fc.constantFrom("close", "back"),
      pause: fc.nat(12_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const bench = new UsersBench();
        const { zoe, max } = await callUp(bench);
        const current: (Browser | undefined)[] = [zoe, max];
        const away: (number | undefined)[] = [undefined, undefined];
        let lost = false;
        const overdue = () => away.some((since) => since !== undefined && bench.clock.time - since >= 10_000);
        for (const { who, what, pause } of steps) {
          if (what === "close" && current[who] !== undefined) {
            current[who]?.close();
            current[who] = undefined;
            away[who] = bench.clock.time;
          } else if (what === "back" && current[who] === undefined) {
            current[who] = await bench.browser(who === 0 ? "zoe" : "max");
            away[who] = undefined;
          }
          await bench.clock.pass(pause);
          lost ||= overdue();
        }
        await bench.clock.pass(10_000);
        lost ||= overdue();
        await bench.clock.pass(60_000);
        expect(bench.ended).toEqual(lost ? ["left BYE"] : []);
        expect(bench.lab.core.liveDialogs).toBe(lost ? 0 : 1);
      }),
      { numRuns: 80 },
    );
  });
});
