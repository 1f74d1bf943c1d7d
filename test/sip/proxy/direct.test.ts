import { describe, expect, it } from "vitest";
import type { SipRequest } from "../../../src/sip/message/message.js";
import type { DialogContext, ProxyPolicy, ResponseVerdict } from "../../../src/sip/proxy/policy.js";
import { ALICE, BOB, Lab, nameOf, SDP } from "../harness.js";

const bobUri = `sip:bob@${BOB.address}:${BOB.port}`;

function world(overrides: Partial<ProxyPolicy> = {}) {
  const ended: string[] = [];
  const contexts: DialogContext[] = [];
  const lab = new Lab({
    invite: async () => ({ forward: true, direct: true }),
    response: async (context) => {
      contexts.push(context);
      return { forward: true };
    },
    ended: async (_context, kind, message) => void ended.push(`${kind} ${nameOf(message)}`),
    ...overrides,
  });
  return { lab, ended, contexts };
}

async function answered(lab: Lab): Promise<void> {
  await lab.alice({ method: "INVITE", body: SDP, extra: ["Record-Route: <sip:198.51.100.7;lr>"] });
  await lab.bobAnswers(lab.toBob("INVITE"), 200, { body: SDP });
}

describe("a direct dialog", () => {
  it("has no Record-Route of this proxy, and what the INVITE had before", async () => {
    const { lab } = world();
    await answered(lab);
    expect(lab.toBob("INVITE").recordRoutes).toEqual(["<sip:198.51.100.7;lr>"]);
    const routed = world({ invite: async () => ({ forward: true }) });
    await answered(routed.lab);
    expect(routed.lab.toBob("INVITE").recordRoutes).toHaveLength(2);
  });

  it("stays known without ACK and BYE, as long as nobody ends it; nothing runs out", async () => {
    const { lab, ended, contexts } = world();
    await answered(lab);
    expect(contexts.at(-1)?.direct).toBe(true);
    await lab.clock.pass(3_600_000);
    expect([ended, lab.core.liveDialogs, lab.core.liveTransactions]).toEqual([[], 1, 0]);
  });

  it("is ended by the policy: BYE to both, above any number that they can have used; 481 is an end", async () => {
    const { lab, ended, contexts } = world();
    await answered(lab);
    await lab.flush();
    const context = contexts.at(-1);
    if (context === undefined) throw new Error("no context");
    const ending = { refusal: { status: 503, phrase: "x" }, headers: [{ name: "Reason", value: "Q.850;cause=102" }] };
    expect(lab.core.hangUp(context, ending)).toBe(true);
    const sent = await lab.flush();
    const byes = sent.map(({ message, remote }) => [nameOf(message), remote.address, (message as SipRequest).routes]);
    // The callee's way back to the caller leads through the proxy before this one, the way to the callee does not.
    expect(byes.toSorted()).toEqual([
      ["BYE", "198.51.100.7", ["<sip:198.51.100.7;lr>"]],
      ["BYE", BOB.address, []],
    ]);
    const bye = lab.toBob("BYE");
    expect([bye.requestUri, bye.header("reason")]).toEqual([bobUri, "Q.850;cause=102"]);
    expect(bye.cseq?.number).toBeGreaterThan(1_000_000);
    await lab.bobAnswers(bye, 481);
    await lab.clock.pass(33_000);
    expect([ended, lab.core.liveDialogs]).toEqual([["bye BYE"], 0]);
  });

  it("passes retransmissions of the 200, whose ACK goes another way", async () => {
    const { lab } = world();
    await answered(lab);
    await lab.flush();
    await lab.bobAnswers(lab.toBob("INVITE"), 200, { body: SDP });
    expect(await lab.names()).toEqual(["200>alice"]);
  });

  it("whose 200 is refused gets ACK and BYE to the callee, by the callee's own route", async () => {
    const { lab, ended } = world({ response: async () => REFUSED });
    await answered(lab);
    expect((await lab.names()).slice(-3)).toEqual(["580>alice", "ACK>bob", "BYE>bob"]);
    expect([lab.toBob("BYE").requestUri, lab.toBob("BYE").routes]).toEqual([bobUri, []]);
    expect(ended).toEqual(["failure 580"]);
  });
});

const REFUSED: ResponseVerdict = {
  forward: false,
  status: 580,
  phrase: "Precondition Failure",
  headers: [{ name: "Warning", value: "399 pol1 \"pool 'voice' is full\"" }],
};

describe("why a call is ended (RFC 3326)", () => {
  it("is said to the callee of a refused 200 in its BYE", async () => {
    const { lab } = world({ invite: async () => ({ forward: true }), response: async () => REFUSED });
    await answered(lab);
    expect(lab.toBob("BYE").header("reason")).toBe("SIP;cause=580;text=\"pool 'voice' is full\"");
    expect(lab.toBob("ACK").header("reason")).toBeUndefined();
  });

  it("is said in the CANCEL after a refused provisional, by its phrase if there is no warning", async () => {
    const verdict: ResponseVerdict = { forward: false, status: 488, phrase: "Not Acceptable Here" };
    const { lab } = world({ response: async () => verdict });
    await lab.alice({ method: "INVITE", body: SDP });
    await lab.bobAnswers(lab.toBob("INVITE"), 183, { body: SDP });
    expect((await lab.names()).slice(-2)).toEqual(["488>alice", "CANCEL>bob"]);
    expect(lab.toBob("CANCEL").header("reason")).toBe('SIP;cause=488;text="Not Acceptable Here"');
  });

  it("is passed on from the caller's CANCEL, and is 408 when nobody answers", async () => {
    const { lab } = world();
    await lab.alice({ method: "INVITE", body: SDP });
    await lab.bobAnswers(lab.toBob("INVITE"), 180);
    const reason = 'SIP;cause=200;text="Call completed elsewhere"';
    await lab.alice({ method: "CANCEL", branch: "z9hG4bK-INVITE-1-a1", extra: [`Reason: ${reason}`] });
    expect(lab.toBob("CANCEL").header("reason")).toBe(reason);
    const late = world();
    await late.lab.alice({ method: "INVITE", body: SDP });
    await late.lab.bobAnswers(late.lab.toBob("INVITE"), 180);
    await late.lab.clock.pass(190_000);
    expect(late.lab.toBob("CANCEL").header("reason")).toBe('SIP;cause=408;text="Request Timeout"');
  });
});

describe("headers for the ACK of a 200", () => {
  const granted = { name: "Sluice-Granted", value: "0;class=game-fps;result=granted;by=pol2" };
  const ack = { method: "ACK", toTag: "b1", uri: bobUri, branch: "z9hG4bK-ack" };

  it("are on it and on its repetitions, and on no other", async () => {
    const { lab } = world({ response: async () => ({ forward: true, ackHeaders: [granted] }) });
    await answered(lab);
    await lab.flush();
    await lab.alice(ack);
    await lab.alice(ack);
    const acks = await lab.flush();
    expect(acks.map(({ message }) => message.headerLines("sluice-granted"))).toEqual([
      [granted.value],
      [granted.value],
    ]);
    await lab.alice({ ...ack, cseq: 2, branch: "z9hG4bK-other" });
    await lab.alice({ ...ack, toTag: "b2", branch: "z9hG4bK-third" });
    const others = await lab.flush();
    expect(others.map(({ message }) => message.headerLines("sluice-granted"))).toEqual([[], []]);
  });

  it("are those of the latest re-INVITE, of either party, also if the ACK has a body", async () => {
    const say = (value: string) => ({ forward: true, ackHeaders: [{ name: "Sluice-Granted", value }] }) as const;
    const { lab } = world({
      invite: async () => ({ forward: true }),
      response: async () => say("first"),
      reoffer: async (_context, message) => (message.kind === "response" ? say("again") : { forward: true }),
    });
    await answered(lab);
    await lab.alice({ ...ack, body: SDP });
    expect(lab.toBob("ACK").headerLines("sluice-granted")).toEqual(["first"]);
    await lab.alice({ method: "INVITE", cseq: 2, toTag: "b1", uri: bobUri, body: SDP });
    await lab.bobAnswers(lab.toBob("INVITE"), 200, { body: SDP });
    await lab.alice({ ...ack, cseq: 2, branch: "z9hG4bK-two" });
    expect(lab.toBob("ACK").headerLines("sluice-granted")).toEqual(["again"]);
  });
});

describe("ACKs that answer", () => {
  it("are shown to the policy once for each party, whatever numbers both have", async () => {
    const shown: string[] = [];
    const { lab } = world({
      invite: async () => ({ forward: true }),
      reoffer: async (_context, message) => {
        if (nameOf(message) === "ACK") shown.push(`${message.fromTag} ${message.cseq?.number}`);
        return { forward: true };
      },
    });
    await answered(lab);
    const ofAlice = { method: "ACK", toTag: "b1", uri: bobUri, branch: "z9hG4bK-ack", body: SDP };
    const uri = `sip:agent@${ALICE.address}:${ALICE.port}`;
    const ofBob = { method: "ACK", uri, branch: "z9hG4bK-back", body: SDP };
    await lab.alice(ofAlice);
    await lab.bob(ofBob);
    await lab.alice(ofAlice);
    await lab.bob(ofBob);
    expect(shown).toEqual(["a1 1", "b1 1"]);
  });
});

describe("headers for the PRACK of a reliable provisional", () => {
  const prack = { method: "PRACK", cseq: 2, toTag: "b1", uri: bobUri };

  it("are on the one whose RAck names it (RFC 3262 §7.2), and on no other", async () => {
    const { lab } = world({
      invite: async () => ({ forward: true }),
      response: async (_context, { status }) => ({
        forward: true,
        ...(status === 183 ? { ackHeaders: [{ name: "Sluice-Granted", value: "early" }] } : {}),
      }),
    });
    await lab.alice({ method: "INVITE", body: SDP });
    const headers = [
      { name: "Require", value: "100rel" },
      { name: "RSeq", value: "7" },
    ];
    const reliable = { body: SDP, headers };
    await lab.bobAnswers(lab.toBob("INVITE"), 183, reliable);
    await lab.alice({ ...prack, extra: ["RAck: 7  1 INVITE"], branch: "z9hG4bK-p1" });
    expect(lab.toBob("PRACK").headerLines("sluice-granted")).toEqual(["early"]);
    await lab.bobAnswers(lab.toBob("PRACK"), 200);
    await lab.alice({ ...prack, cseq: 3, extra: ["RAck: 8 1 INVITE"], branch: "z9hG4bK-p2" });
    expect(lab.toBob("PRACK").headerLines("sluice-granted")).toEqual([]);
    await lab.bobAnswers(lab.toBob("INVITE"), 200, { body: SDP });
    await lab.alice({ ...prack, method: "ACK", cseq: 1, branch: "z9hG4bK-p3" });
    expect(lab.toBob("ACK").headerLines("sluice-granted")).toEqual([]);
  });
});

describe("re-INVITEs", () => {
  it("refused by the policy leave the call; glare is the agents' to find", async () => {
    const { lab, ended } = world({
      invite: async () => ({ forward: true }),
      reoffer: async (_context, message) =>
        message.kind === "request" ? { forward: false, status: 488, phrase: "Not Acceptable Here" } : { forward: true },
    });
    await answered(lab);
    await lab.alice(ACK);
    await lab.flush();
    await lab.alice({ method: "INVITE", cseq: 2, toTag: "b1", uri: bobUri, body: SDP });
    expect((await lab.names()).at(-1)).toBe("488>alice");
    expect([ended, lab.core.liveDialogs]).toEqual([[], 1]);
    // Without a body nothing is decided: both cross, and each party answers 491 (RFC 3261 §14.1).
    await lab.alice({ method: "INVITE", cseq: 3, toTag: "b1", uri: bobUri });
    await lab.bob({ method: "INVITE", cseq: 1, uri: `sip:agent@${ALICE.address}:${ALICE.port}` });
    expect((await lab.names()).filter((name) => name.startsWith("INVITE")).toSorted()).toEqual([
      "INVITE>alice",
      "INVITE>bob",
    ]);
    await lab.bobAnswers(lab.toBob("INVITE"), 491);
    expect((await lab.names()).toSorted()).toEqual(["491>alice", "ACK>bob"]);
    expect([ended, lab.core.liveDialogs]).toEqual([[], 1]);
  });
});

const ACK = { method: "ACK", toTag: "b1", uri: bobUri, branch: "z9hG4bK-ack" };
