import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sessionIdOf } from "../../../src/model/session.js";
import { responseTo } from "../../../src/sip/message/build.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import type {
  DialogContext,
  ProxyPolicy,
  RequestVerdict,
  ResponseVerdict,
  SessionEnding,
} from "../../../src/sip/proxy/policy.js";
import { settle } from "../../support/fake-clock.js";
import { ALICE, BOB, gate, Lab, nameOf, PROXY, SDP } from "../harness.js";

const REASON = 'Preemption ;cause=2 ;text="Reserved Resources Preempted"';
const ENDING: SessionEnding = {
  refusal: { status: 503, phrase: "Service Unavailable", headers: [{ name: "Warning", value: '399 pdp "gone"' }] },
  headers: [{ name: "Reason", value: REASON }],
};
const bobUri = `sip:bob@${BOB.address}:${BOB.port}`;
const aliceUri = `sip:agent@${ALICE.address}:${ALICE.port}`;

/** A lab whose policy remembers the contexts that it was given, and how sessions ended. */
function world(overrides: Partial<ProxyPolicy> = {}) {
  const ended: string[] = [];
  let context: DialogContext | undefined;
  const policy: Partial<ProxyPolicy> = {
    invite: async (given) => {
      context = given;
      return { forward: true };
    },
    response: async (given) => {
      context = given;
      return { forward: true };
    },
    ended: async (_context, kind, message) => {
      ended.push(`${kind} ${nameOf(message)}`);
    },
    ...overrides,
  };
  const lab = new Lab(policy);
  const known = (): DialogContext => {
    if (context === undefined) throw new Error("no call yet");
    return context;
  };
  return { lab, ended, known };
}

/** The latest request of a method that was sent to alice. */
function toAlice(lab: Lab, method: string): SipRequest {
  const found = lab.transport.sent.findLast(
    ({ message, remote }) => remote.address === ALICE.address && nameOf(message) === method,
  );
  if (found === undefined) throw new Error(`alice got no ${method}`);
  return found.message as SipRequest;
}

async function aliceAnswers(lab: Lab, request: SipRequest, status: number): Promise<void> {
  lab.transport.inject(responseTo(request, status).toBuffer(), ALICE);
  await settle();
}

describe("a call that the policy takes back", () => {
  it("gets BYE at both parties, and is over when both have answered", async () => {
    const { lab, ended, known } = world();
    await lab.callUp();
    expect(lab.core.hangUp(known(), ENDING)).toBe(true);
    expect((await lab.names()).toSorted()).toEqual(["BYE>alice", "BYE>bob"]);
    const [callee, caller] = [lab.toBob("BYE"), toAlice(lab, "BYE")];
    expect([callee.requestUri, callee.fromTag, callee.toTag]).toEqual([bobUri, "a1", "b1"]);
    expect([caller.requestUri, caller.fromTag, caller.toTag]).toEqual([aliceUri, "b1", "a1"]);
    expect([callee.header("reason"), caller.header("reason")]).toEqual([REASON, REASON]);
    expect(callee.cseq?.number).toBeGreaterThan(1);
    expect([callee.maxForwards, callee.vias.length, callee.topVia?.host]).toEqual([70, 1, PROXY.address]);
    await aliceAnswers(lab, caller, 200);
    expect(ended).toEqual([]);
    // RFC 3261 §15.1.1: what the callee does not know any more is over as well.
    await lab.bobAnswers(callee, 481);
    expect(ended).toEqual(["bye BYE"]);
    expect(lab.core.liveDialogs).toBe(0);
    await lab.clock.pass(60_000);
    expect(lab.core.liveTransactions).toBe(0);
  });

  it("is over also when nobody answers, or nobody can be reached", async () => {
    const { lab, ended, known } = world();
    await lab.callUp();
    lab.transport.dead.add(BOB.address);
    lab.core.hangUp(known(), ENDING);
    await lab.clock.pass(31_000);
    expect(ended).toEqual([]);
    expect((await lab.names()).filter((name) => name === "BYE>alice").length).toBeGreaterThan(5);
    await lab.clock.pass(2000);
    expect(ended).toEqual(["bye BYE"]);
    await lab.clock.pass(60_000);
    expect([lab.core.liveDialogs, lab.core.liveTransactions]).toEqual([0, 0]);
  });

  it("answers a BYE that crosses its own, and its retransmissions, and passes neither on", async () => {
    const { lab, ended, known } = world();
    await lab.callUp();
    lab.core.hangUp(known(), ENDING);
    await lab.flush();
    const crossing = { method: "BYE", cseq: 2, toTag: "b1", uri: bobUri };
    await lab.alice(crossing);
    await lab.alice(crossing);
    expect(await lab.names()).toEqual(["200>alice", "200>alice"]);
    expect(ended).toEqual([]);
    await lab.bob({ method: "BYE", cseq: 5, uri: aliceUri });
    expect(await lab.names()).toEqual(["200>bob"]);
    expect(ended).toEqual(["bye BYE"]);
  });

  it("ends once if a party's BYE is on its way through, which may still be challenged", async () => {
    const { lab, ended, known } = world();
    await lab.callUp();
    await lab.alice({ method: "BYE", cseq: 2, toTag: "b1", uri: bobUri });
    const hers = lab.toBob("BYE");
    await lab.flush();
    expect(lab.core.hangUp(known(), ENDING)).toBe(true);
    expect((await lab.names()).toSorted()).toEqual(["BYE>alice", "BYE>bob"]);
    await lab.bobAnswers(hers, 200);
    expect(await lab.names()).toEqual(["200>alice"]);
    expect(ended).toEqual(["bye BYE"]);
    await lab.clock.pass(60_000);
    expect(ended).toEqual(["bye BYE"]);
    expect([lab.core.liveDialogs, lab.core.liveTransactions]).toEqual([0, 0]);
  });

  it("is told once, however often the policy says so", async () => {
    const { lab, known } = world();
    await lab.callUp();
    expect([lab.core.hangUp(known(), ENDING), lab.core.hangUp(known(), ENDING)]).toEqual([true, true]);
    expect(await lab.names()).toHaveLength(2);
  });

  it("is found by what the policy remembers after a restart, and numbered beyond what passed unseen", async () => {
    const { lab, known } = world();
    await lab.callUp();
    const context = JSON.parse(JSON.stringify(known())) as DialogContext;
    const again = world();
    expect(again.lab.core.hangUp(context, ENDING)).toBe(true);
    expect((await again.lab.names()).toSorted()).toEqual(["BYE>alice", "BYE>bob"]);
    expect(again.lab.toBob("BYE").cseq?.number).toBeGreaterThan(50);
    const { legs: _, ...bare } = context;
    const lost = world();
    expect(lost.lab.core.hangUp(bare, ENDING), "parties that nobody can find").toBe(false);
    expect([lost.ended, lost.lab.core.liveDialogs]).toEqual([[], 0]);
  });

  it("goes to where the parties are now", async () => {
    const { lab, known } = world();
    await lab.callUp();
    const moved = { address: "198.51.100.77", port: 5099 };
    await lab.alice({ method: "UPDATE", cseq: 40, toTag: "b1", uri: bobUri, from: moved });
    await lab.bobAnswers(lab.toBob("UPDATE"), 200);
    await lab.flush();
    lab.core.hangUp(known(), ENDING);
    expect((await lab.names()).toSorted()).toEqual([`BYE>${moved.address}`, "BYE>bob"]);
    expect(lab.toBob("BYE").cseq?.number).toBeGreaterThan(40);
  });

  it("loses nothing in any order of answers, BYEs and time", async () => {
    const step = fc.constantFrom("alice 200", "bob 481", "alice BYE", "bob BYE", "wait", "hang up", "INFO");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const { lab, ended, known } = world();
        await lab.callUp();
        lab.core.hangUp(known(), ENDING);
        await settle();
        const [callee, caller] = [lab.toBob("BYE"), toAlice(lab, "BYE")];
        for (const what of steps) {
          if (what === "alice 200") await aliceAnswers(lab, caller, 200);
          else if (what === "bob 481") await lab.bobAnswers(callee, 481);
          else if (what === "alice BYE") await lab.alice({ method: "BYE", cseq: 2, toTag: "b1", uri: bobUri });
          else if (what === "bob BYE") await lab.bob({ method: "BYE", cseq: 9, uri: aliceUri });
          else if (what === "INFO") await lab.alice({ method: "INFO", cseq: 3, toTag: "b1", uri: bobUri });
          else if (what === "hang up") lab.core.hangUp(known(), ENDING);
          else await lab.clock.pass(700);
        }
        await lab.clock.pass(200_000);
        expect(ended).toEqual(["bye BYE"]);
        expect([lab.core.liveDialogs, lab.core.liveTransactions]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a call that the policy takes back before it is answered", () => {
  it("while it rings: the refusal to the caller, CANCEL with the reason to the callee", async () => {
    const { lab, ended, known } = world();
    await lab.alice({ method: "INVITE", body: SDP });
    await lab.bobAnswers(lab.toBob("INVITE"), 180);
    await lab.flush();
    expect(lab.core.hangUp(known(), ENDING)).toBe(true);
    const sent = await lab.flush();
    expect(sent.map(({ message }) => nameOf(message))).toEqual(["503", "CANCEL"]);
    expect(sent[0]?.message.header("warning")).toBe('399 pdp "gone"');
    expect(sent[1]?.message.header("reason")).toBe(REASON);
    expect(ended).toEqual(["failure 503"]);
  });

  it("without a provisional: CANCEL waits for one", async () => {
    const { lab, known } = world();
    await lab.alice({ method: "INVITE", body: SDP });
    await lab.flush();
    lab.core.hangUp(known(), ENDING);
    expect(await lab.names()).toEqual(["503>alice"]);
    await lab.bobAnswers(lab.toBob("INVITE"), 180);
    expect(await lab.names()).toEqual(["CANCEL>bob"]);
  });

  it("while the policy thinks about the INVITE: it is not sent at all", async () => {
    const verdict = gate<RequestVerdict>();
    let context: DialogContext | undefined;
    const { lab, ended } = world({
      invite: (given) => {
        context = given;
        return verdict.promise;
      },
    });
    await lab.alice({ method: "INVITE", body: SDP });
    if (context === undefined) throw new Error("not asked");
    lab.core.hangUp(context, ENDING);
    verdict.open({ forward: true });
    expect(await lab.names()).toEqual(["100>alice", "503>alice"]);
    expect(ended).toEqual(["failure 503"]);
  });

  it("while the policy thinks about the 200: ACK, and BYE with the reason, to the callee", async () => {
    const verdict = gate<ResponseVerdict>();
    let context: DialogContext | undefined;
    const { lab, ended } = world({
      response: (given) => {
        context = given;
        return verdict.promise;
      },
    });
    await lab.alice({ method: "INVITE", body: SDP });
    await lab.flush();
    await lab.bobAnswers(lab.toBob("INVITE"), 200, { body: SDP });
    if (context === undefined) throw new Error("not asked");
    lab.core.hangUp(context, ENDING);
    verdict.open({ forward: true });
    expect(await lab.names()).toEqual(["503>alice", "ACK>bob", "BYE>bob"]);
    expect(lab.toBob("BYE").header("reason")).toBe(REASON);
    expect(ended).toEqual(["failure 503"]);
    await lab.bobAnswers(lab.toBob("BYE"), 200);
    await lab.clock.pass(60_000);
    expect([lab.core.liveDialogs, lab.core.liveTransactions]).toEqual([0, 0]);
  });
});

describe("a notice of the policy", () => {
  const notice = [{ name: "Warning", value: '370 pdp "less"' }];

  it("goes to each party once, with the next final answer that it gets", async () => {
    const { lab, known } = world();
    await lab.callUp();
    expect(lab.core.notify(known(), notice)).toBe(true);
    const answered = async (number: number) => {
      await lab.alice({ method: "INFO", cseq: number, toTag: "b1", uri: bobUri });
      await lab.bobAnswers(lab.toBob("INFO"), 200);
      return (await lab.flush()).at(-1)?.message.header("warning");
    };
    expect([await answered(2), await answered(3)]).toEqual([notice[0]?.value, undefined]);
    await lab.bob({ method: "INVITE", cseq: 4, uri: aliceUri });
    await aliceAnswers(lab, toAlice(lab, "INVITE"), 200);
    const accepted = (await lab.flush()).at(-1);
    expect([accepted?.remote, accepted?.message.header("warning")]).toEqual([BOB, notice[0]?.value]);
  });

  it("is for sessions that there are, or that the policy remembers", async () => {
    const { lab, known } = world();
    await lab.callUp();
    expect(world().lab.core.notify(known(), notice)).toBe(true);
    await lab.alice({ method: "BYE", cseq: 2, toTag: "b1", uri: bobUri });
    await lab.bobAnswers(lab.toBob("BYE"), 200);
    expect(known().session).toBe(sessionIdOf("call-1", "a1"));
    expect(lab.core.notify(known(), notice)).toBe(false);
  });
});
