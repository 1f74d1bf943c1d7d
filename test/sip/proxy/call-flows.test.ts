import { describe, expect, it } from "vitest";
import type { SipMessage } from "../../../src/sip/message/message.js";
import type { DialogContext, ProxyPolicy, RequestVerdict, ResponseVerdict } from "../../../src/sip/proxy/policy.js";
import { settle } from "../../support/fake-clock.js";
import { ALICE, BOB, gate, Lab, nameOf, PROXY, SDP } from "../harness.js";

/** Writes down what it is asked, and answers yes unless told otherwise. */
function recorder(overrides: Partial<ProxyPolicy> = {}) {
  const asked: string[] = [];
  const note = (what: string) => (context: DialogContext, message: SipMessage) => {
    asked.push(`${what} ${nameOf(message)} ${context.side} ${context.calleeTag ?? "-"}`);
  };
  const policy: ProxyPolicy = {
    invite: async (context, request) => {
      note("invite")(context, request);
      return (await overrides.invite?.(context, request)) ?? { forward: true };
    },
    response: async (context, response) => {
      note("response")(context, response);
      return (await overrides.response?.(context, response)) ?? { forward: true };
    },
    ended: async (context, kind, message) => {
      note(`ended:${kind}`)(context, message);
      await overrides.ended?.(context, kind, message);
    },
    reoffer: async (context, message) => {
      note("reoffer")(context, message);
      return (await overrides.reoffer?.(context, message)) ?? { forward: true };
    },
    ...(overrides.recall === undefined ? {} : { recall: overrides.recall }),
  };
  return { asked, policy };
}

const bobUri = `sip:bob@${BOB.address}:${BOB.port}`;
const bye = { method: "BYE", cseq: 2, toTag: "b1", uri: bobUri } as const;

describe("set-up", () => {
  it("answers 100 at once and holds the INVITE until it is decided", async () => {
    const verdict = gate<RequestVerdict>();
    const { policy, asked } = recorder({ invite: () => verdict.promise });
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE", body: SDP });
    expect(await lab.names()).toEqual(["100>alice"]);
    await lab.clock.pass(20_000);
    expect(await lab.names()).toEqual([]);
    verdict.open({
      forward: true,
      addHeaders: [{ name: "P-OSP-Auth-Token", value: "abc" }],
      removeHeaders: ["Contact"],
    });
    expect(await lab.names()).toEqual(["INVITE>bob"]);
    const invite = lab.toBob("INVITE");
    expect(invite.header("p-osp-auth-token")).toBe("abc");
    expect(invite.header("contact")).toBeUndefined();
    expect(invite.maxForwards).toBe(69);
    expect(invite.requestUri).toBe(bobUri);
    expect(invite.recordRoutes).toEqual([`<sip:${PROXY.address}:${PROXY.port};lr>`]);
    expect(invite.vias).toHaveLength(2);
    expect(invite.topVia?.branch).toMatch(/^z9hG4bK[0-9a-f]{16}\.[0-9a-f]{16}$/);
    expect(invite.body.toString()).toBe(SDP);
    expect(asked).toEqual(["invite INVITE terminating -"]);
  });

  it("passes a whole call, and its trace has the ladder's names under one session", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.callUp();
    await lab.bob({ method: "BYE", cseq: 7, uri: `sip:agent@${ALICE.address}:${ALICE.port}` });
    const toAlice = lab.transport.sent.at(-1);
    expect(toAlice?.remote).toEqual(ALICE);
    expect(asked).toEqual([
      "invite INVITE terminating -",
      "response 180 terminating b1",
      "response 200 terminating b1",
      "ended:bye BYE terminating b1",
    ]);
    expect(new Set(lab.events.map((event) => event.session)).size).toBe(1);
    expect(lab.events.map((event) => `${event.action} ${event.message}`)).toEqual([
      "received INVITE",
      "sent 100",
      "sent INVITE",
      "received 180",
      "sent 180",
      "received 200",
      "sent 200",
      "received ACK",
      "sent ACK",
      "received BYE",
      "sent BYE",
    ]);
  });

  it("refuses with the policy's status, headers included, and tells no end", async () => {
    const { policy, asked } = recorder({
      invite: async () => ({
        forward: false,
        status: 403,
        phrase: "Forbidden",
        headers: [{ name: "Warning", value: '399 x "no"' }],
      }),
    });
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    const sent = await lab.flush();
    expect(sent.map((one) => nameOf(one.message))).toEqual(["100", "403"]);
    expect(sent[1]?.message.header("warning")).toBe('399 x "no"');
    expect(sent[1]?.message.toTag).toBeDefined();
    await lab.alice({ method: "ACK", toTag: sent[1]?.message.toTag ?? "", branch: "z9hG4bK-INVITE-1-a1" });
    await lab.clock.pass(60_000);
    expect(await lab.names()).toEqual([]);
    expect(asked).toEqual(["invite INVITE terminating -"]);
    expect(lab.core.liveDialogs).toBe(0);
    expect(lab.core.liveTransactions).toBe(0);
  });

  it("takes the policy's next hop, and needs no route of its own then", async () => {
    const lab = new Lab({ invite: async () => ({ forward: true, nextHop: { host: "192.0.2.50", port: 5999 } }) });
    await lab.alice({ method: "INVITE", uri: "sip:carol@unknown.example" });
    const sent = await lab.flush();
    expect(sent[1]?.remote).toEqual({ address: "192.0.2.50", port: 5999, transport: "udp" });
    expect(sent[1]?.message.startLine).toBe("INVITE sip:carol@unknown.example SIP/2.0");
  });

  it("a policy that rejects, stays silent, or wants an impossible header counts as 503", async () => {
    const broken = new Lab({ invite: async () => Promise.reject(new Error("lost")) });
    await broken.alice({ method: "INVITE" });
    expect(await broken.names()).toEqual(["100>alice", "503>alice"]);

    const late = gate<RequestVerdict>();
    const { policy, asked } = recorder({ invite: () => late.promise });
    const silent = new Lab(policy);
    await silent.alice({ method: "INVITE" });
    await silent.clock.pass(30_000);
    expect(await silent.names()).toContain("503>alice");
    late.open({ forward: true });
    await settle();
    expect(asked).toEqual(["invite INVITE terminating -", "ended:timeout 503 terminating -"]);

    const split = recorder({
      invite: async () => ({ forward: true, addHeaders: [{ name: "X", value: "a\r\nVia: b" }] }),
    });
    const lab = new Lab(split.policy);
    await lab.alice({ method: "INVITE" });
    expect(await lab.names()).toEqual(["100>alice", "503>alice"]);
    expect(split.asked.at(-1)).toBe("ended:failure 503 terminating -");
  });

  it("decides responses in order, each once, also when they are sent again", async () => {
    const ringing = gate<ResponseVerdict>();
    const { policy, asked } = recorder({
      response: async (_context, response) => (response.status === 180 ? ringing.promise : { forward: true }),
    });
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.flush();
    const invite = lab.toBob("INVITE");
    await lab.bobAnswers(invite, 180);
    await lab.bobAnswers(invite, 180);
    await lab.bobAnswers(invite, 200, { body: SDP });
    await lab.bobAnswers(invite, 200, { body: SDP });
    expect(await lab.names()).toEqual([]);
    ringing.open({ forward: true, addHeaders: [{ name: "X-Seen", value: "1" }] });
    const sent = await lab.flush();
    expect(sent.map((one) => nameOf(one.message))).toEqual(["180", "200"]);
    expect(sent[0]?.message.header("x-seen")).toBe("1");
    expect(sent[0]?.message.vias).toHaveLength(1);
    // RFC 6026: a 2xx that comes again goes on again, unasked.
    await lab.bobAnswers(invite, 200, { body: SDP });
    expect(await lab.names()).toEqual(["200>alice"]);
    expect(asked.filter((line) => line.startsWith("response"))).toHaveLength(2);
  });

  it("a refused 180 cancels downstream and answers upstream; a 200 that crosses is ended at the callee", async () => {
    const { policy, asked } = recorder({
      response: async () => ({ forward: false, status: 503, phrase: "No Room" }),
    });
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.flush();
    const invite = lab.toBob("INVITE");
    await lab.bobAnswers(invite, 180);
    expect(await lab.names()).toEqual(["503>alice", "CANCEL>bob"]);
    expect(lab.toBob("CANCEL").topVia?.branch).toBe(invite.topVia?.branch);
    await lab.bobAnswers(invite, 200);
    expect(await lab.names()).toEqual(["ACK>bob", "BYE>bob"]);
    expect(lab.toBob("BYE").toTag).toBe("b1");
    await lab.bobAnswers(invite, 200);
    expect(await lab.names()).toEqual(["ACK>bob"]);
    expect(asked).toEqual([
      "invite INVITE terminating -",
      "response 180 terminating b1",
      "ended:failure 503 terminating b1",
    ]);
  });

  it("a refused 200 is acknowledged and ended at the callee", async () => {
    const { policy, asked } = recorder({
      response: async () => ({ forward: false, status: 488, phrase: "Not Acceptable Here" }),
    });
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.flush();
    await lab.bobAnswers(lab.toBob("INVITE"), 200);
    expect(await lab.names()).toEqual(["488>alice", "ACK>bob", "BYE>bob"]);
    expect(lab.toBob("ACK").requestUri).toBe(bobUri);
    expect(lab.toBob("BYE").cseq).toEqual({ number: 2, method: "BYE" });
    expect(asked.at(-1)).toBe("ended:failure 488 terminating b1");
    expect(lab.core.liveDialogs).toBe(0);
  });
});

describe("CANCEL", () => {
  it("while the policy thinks: 487 at once, nothing forwarded, one end after the verdict", async () => {
    const verdict = gate<RequestVerdict>();
    const { policy, asked } = recorder({ invite: () => verdict.promise });
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.alice({ method: "CANCEL", branch: "z9hG4bK-INVITE-1-a1" });
    expect(await lab.names()).toEqual(["100>alice", "200>alice", "487>alice"]);
    expect(asked).toHaveLength(1);
    verdict.open({ forward: true });
    await settle();
    expect(asked.at(-1)).toBe("ended:cancel CANCEL terminating -");
    expect(lab.transport.sent.some((one) => one.remote.address === BOB.address)).toBe(false);
    expect(lab.core.liveDialogs).toBe(0);
  });

  it("before any provisional: waits for one, then goes on; 487 comes from downstream", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.alice({ method: "CANCEL", branch: "z9hG4bK-INVITE-1-a1" });
    expect(await lab.names()).toEqual(["100>alice", "INVITE>bob", "200>alice"]);
    const invite = lab.toBob("INVITE");
    await lab.bobAnswers(invite, 100);
    expect(await lab.names()).toEqual(["CANCEL>bob"]);
    await lab.bobAnswers(lab.toBob("CANCEL"), 200);
    await lab.bobAnswers(invite, 487);
    expect(await lab.names()).toEqual(["ACK>bob", "487>alice"]);
    expect(asked).toEqual(["invite INVITE terminating -", "ended:cancel CANCEL terminating -"]);
  });

  it("crossing a 200: the 200 wins and the BYE ends it, once", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    const invite = lab.toBob("INVITE");
    await lab.bobAnswers(invite, 180);
    await lab.flush();
    await lab.alice({ method: "CANCEL", branch: "z9hG4bK-INVITE-1-a1" });
    await lab.bobAnswers(invite, 200);
    await lab.bobAnswers(lab.toBob("CANCEL"), 481);
    expect(await lab.names()).toEqual(["200>alice", "CANCEL>bob", "200>alice"]);
    await lab.alice({ ...bye });
    await lab.bobAnswers(lab.toBob("BYE"), 200);
    expect(asked.filter((line) => line.startsWith("ended"))).toEqual(["ended:bye BYE terminating b1"]);
  });

  it("that nobody answers ends after 64*T1 with 487; one without an INVITE gets 481", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.alice({ method: "CANCEL", branch: "z9hG4bK-none" });
    expect(await lab.names()).toEqual(["481>alice"]);
    await lab.alice({ method: "INVITE" });
    await lab.bobAnswers(lab.toBob("INVITE"), 180);
    await lab.alice({ method: "CANCEL", branch: "z9hG4bK-INVITE-1-a1" });
    await lab.flush();
    await lab.clock.pass(32_000);
    expect((await lab.names()).filter((name) => name === "487>alice")).toHaveLength(1);
    expect(asked.at(-1)).toBe("ended:cancel CANCEL terminating b1");
  });
});

describe("failures", () => {
  it("486 is acknowledged per hop, passed on, and ends once", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.flush();
    const invite = lab.toBob("INVITE");
    await lab.bobAnswers(invite, 486);
    expect(await lab.names()).toEqual(["ACK>bob", "486>alice"]);
    expect(lab.toBob("ACK").topVia?.branch).toBe(invite.topVia?.branch);
    await lab.bobAnswers(invite, 486);
    expect(await lab.names()).toEqual(["ACK>bob"]);
    await lab.clock.pass(500);
    expect(await lab.names()).toEqual(["486>alice"]);
    await lab.alice({ method: "ACK", toTag: "b1", branch: "z9hG4bK-INVITE-1-a1" });
    await lab.clock.pass(40_000);
    expect(await lab.names()).toEqual([]);
    expect(asked.filter((line) => line.startsWith("ended"))).toEqual(["ended:failure 486 terminating -"]);
    expect(lab.core.liveTransactions).toBe(0);
    expect(lab.clock.pending).toBe(0);
  });

  it("a silent callee: Timer A retransmits, Timer B answers 408", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.clock.pass(31_999);
    expect((await lab.names()).filter((name) => name === "INVITE>bob")).toHaveLength(7);
    await lab.clock.pass(1);
    expect(await lab.names()).toEqual(["408>alice"]);
    expect(asked.at(-1)).toBe("ended:timeout 408 terminating -");
  });

  it("a callee that rings for ever: Timer C answers 408 and cancels; 180 starts it anew", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    const invite = lab.toBob("INVITE");
    await lab.bobAnswers(invite, 180);
    await lab.clock.pass(180_000);
    await lab.bobAnswers(invite, 180);
    await lab.clock.pass(184_999);
    await lab.flush();
    await lab.clock.pass(1);
    expect(await lab.names()).toEqual(["408>alice", "CANCEL>bob"]);
    await lab.bobAnswers(invite, 487);
    expect((await lab.names()).filter((name) => name.includes("487"))).toEqual([]);
    expect(asked.filter((line) => line.startsWith("ended"))).toEqual(["ended:timeout 408 terminating b1"]);
  });

  it("an unreachable callee is 503; a retransmitted INVITE is absorbed", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    lab.transport.dead.add(BOB.address);
    await lab.alice({ method: "INVITE" });
    expect(await lab.names()).toEqual(["100>alice", "INVITE>bob", "503>alice"]);
    await lab.alice({ method: "INVITE" });
    expect(await lab.names()).toEqual(["503>alice"]);
    expect(asked).toHaveLength(2);
  });

  it("an INVITE that comes again with credentials waits for the end of the first", async () => {
    const release = gate<void>();
    const { policy, asked } = recorder({ ended: () => release.promise });
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.bobAnswers(lab.toBob("INVITE"), 407);
    await lab.alice({ method: "ACK", toTag: "b1", branch: "z9hG4bK-INVITE-1-a1" });
    await lab.alice({ method: "INVITE", cseq: 2 });
    expect(asked).toHaveLength(2);
    release.open();
    await settle();
    expect(asked).toHaveLength(3);
    expect(lab.toBob("INVITE").cseq?.number).toBe(2);
    expect(lab.core.liveDialogs).toBe(1);
  });
});

describe("BYE", () => {
  it("nearest to who hangs up: forwarded at once, its answer waits for the release", async () => {
    const release = gate<void>();
    const { policy, asked } = recorder({ ended: () => release.promise });
    const lab = new Lab(policy, {
      table: { domains: [], users: new Map(), routes: new Map([["*", { host: BOB.address, port: BOB.port }]]) },
    });
    await lab.callUp();
    await lab.alice(bye);
    expect(await lab.names()).toEqual(["BYE>bob"]);
    expect(asked.at(-1)).toBe("ended:bye BYE originating b1");
    await lab.bobAnswers(lab.toBob("BYE"), 200);
    await lab.alice(bye);
    expect(await lab.names()).toEqual([]);
    release.open();
    expect(await lab.names()).toEqual(["200>alice"]);
    await lab.alice(bye);
    expect(await lab.names()).toEqual(["200>alice"]);
    // A second BYE is passed on, and asks nothing.
    await lab.alice({ ...bye, cseq: 3 });
    await lab.bobAnswers(lab.toBob("BYE"), 481);
    expect(await lab.names()).toEqual(["BYE>bob", "481>alice"]);
    expect(asked.filter((line) => line.startsWith("ended"))).toHaveLength(1);
  });

  it("at the far proxy: the answer first, then the release", async () => {
    const release = gate<void>();
    const { policy, asked } = recorder({ ended: () => release.promise });
    const lab = new Lab(policy);
    await lab.callUp();
    await lab.alice(bye);
    expect(asked.filter((line) => line.startsWith("ended"))).toEqual([]);
    await lab.bobAnswers(lab.toBob("BYE"), 200);
    expect(await lab.names()).toEqual(["BYE>bob", "200>alice"]);
    expect(asked.at(-1)).toBe("ended:bye BYE terminating b1");
    expect(lab.core.liveDialogs).toBe(1);
    release.open();
    await settle();
    expect(lab.core.liveDialogs).toBe(0);
  });

  it("lost downstream: retransmitted, then given up without 408 (RFC 4320), and the session still ends", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.callUp();
    await lab.alice(bye);
    await lab.clock.pass(32_000);
    const names = await lab.names();
    expect(names.filter((name) => name === "BYE>bob")).toHaveLength(11);
    expect(names.some((name) => name.endsWith(">alice"))).toBe(false);
    expect(asked.at(-1)).toBe("ended:bye BYE terminating b1");
  });

  it("of a dialog from before a restart is routed, and recalled once", async () => {
    const context: DialogContext = {
      session: "0123456789abcdef" as DialogContext["session"],
      callId: "call-1",
      callerTag: "a1",
      calleeTag: "b1",
      side: "originating",
      caller: "sip:alice@example.net",
      callee: "sip:bob@example.com",
      source: ALICE,
    };
    const { policy, asked } = recorder({ recall: () => context });
    const lab = new Lab(policy);
    const extra = [`Route: <sip:${PROXY.address}:${PROXY.port};lr>`];
    await lab.alice({ ...bye, extra });
    expect(lab.toBob("BYE").routes).toEqual([]);
    await lab.bobAnswers(lab.toBob("BYE"), 200);
    expect(await lab.names()).toEqual(["BYE>bob", "200>alice"]);
    expect(asked).toEqual(["ended:bye BYE originating b1"]);

    const forgotten = recorder();
    const other = new Lab(forgotten.policy);
    await other.alice({ ...bye, extra });
    await other.bobAnswers(other.toBob("BYE"), 200);
    expect(await other.names()).toEqual(["BYE>bob", "200>alice"]);
    expect(forgotten.asked).toEqual([]);
  });

  it("after the end neither asks, recalls, nor loses the session's name in the trace", async () => {
    const stale: DialogContext[] = [];
    const { policy, asked } = recorder({ recall: () => stale[0], ended: async (context) => void stale.push(context) });
    const lab = new Lab(policy);
    await lab.callUp();
    const hangUp = { method: "BYE", uri: `sip:agent@${ALICE.address}:${ALICE.port}` };
    await lab.bob({ ...hangUp, cseq: 7 });
    await lab.clock.pass(0);
    const [forwarded] = (await lab.flush()).filter((one) => nameOf(one.message) === "BYE");
    await lab.bobAnswers(forwarded?.message as ReturnType<Lab["toBob"]>, 200);
    expect(lab.core.liveDialogs).toBe(0);
    await lab.bob({ ...hangUp, cseq: 8 });
    expect(asked.filter((line) => line.startsWith("ended"))).toHaveLength(1);
    expect(new Set(lab.events.map((event) => event.session)).size).toBe(1);
  });

  it("with a foreign tag ends nothing; a challenge is no end at the far proxy", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.callUp();
    await lab.alice({ ...bye, toTag: "other" });
    await lab.bobAnswers(lab.toBob("BYE"), 481);
    await lab.alice({ ...bye, cseq: 3 });
    await lab.bobAnswers(lab.toBob("BYE"), 407);
    expect(asked.some((line) => line.startsWith("ended"))).toBe(false);
    expect(lab.core.liveDialogs).toBe(1);
  });
});

describe("inside a dialog", () => {
  it("shows re-INVITE and its 200 to the policy, also from the callee", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.callUp();
    await lab.bob({ method: "INVITE", cseq: 9, uri: `sip:agent@${ALICE.address}:${ALICE.port}`, body: SDP });
    expect(await lab.names()).toEqual(["100>bob", "INVITE>alice"]);
    const invite = lab.transport.sent.at(-1)?.message as ReturnType<Lab["toBob"]>;
    await lab.bobAnswers(invite, 200, { body: SDP });
    expect(await lab.names()).toEqual(["200>bob"]);
    expect(asked.slice(-2)).toEqual(["reoffer INVITE terminating b1", "reoffer 200 terminating b1"]);
  });

  it("a refused re-INVITE goes nowhere and leaves the session; a failed one is told", async () => {
    let allow = false;
    const { policy, asked } = recorder({
      reoffer: async () => (allow ? { forward: true } : { forward: false, status: 488, phrase: "Not Acceptable Here" }),
    });
    const lab = new Lab(policy);
    await lab.callUp();
    await lab.alice({ method: "INVITE", cseq: 2, toTag: "b1", uri: bobUri, body: SDP });
    expect(await lab.names()).toEqual(["100>alice", "488>alice"]);
    allow = true;
    await lab.alice({ method: "INVITE", cseq: 3, toTag: "b1", uri: bobUri, body: SDP });
    await lab.bobAnswers(lab.toBob("INVITE"), 491);
    expect(asked.slice(-2)).toEqual(["reoffer INVITE terminating b1", "reoffer 491 terminating b1"]);
    expect(lab.core.liveDialogs).toBe(1);
    expect(asked.some((line) => line.startsWith("ended"))).toBe(false);
  });

  it("UPDATE with a body is decided, INFO is not", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.callUp();
    await lab.alice({ method: "UPDATE", cseq: 2, toTag: "b1", uri: bobUri, body: SDP });
    await lab.bobAnswers(lab.toBob("UPDATE"), 200, { body: SDP });
    await lab.alice({ method: "INFO", cseq: 3, toTag: "b1", uri: bobUri, body: "x" });
    await lab.bobAnswers(lab.toBob("INFO"), 200);
    expect(await lab.names()).toEqual(["UPDATE>bob", "200>alice", "INFO>bob", "200>alice"]);
    expect(asked.slice(-2)).toEqual(["reoffer UPDATE terminating b1", "reoffer 200 terminating b1"]);
  });

  it("a 2xx to an UPDATE without an offer is shown, since it refreshes the session (RFC 4028)", async () => {
    const { policy, asked } = recorder({ reoffer: async () => ({ forward: false, status: 503, phrase: "Away" }) });
    const lab = new Lab(policy);
    await lab.callUp();
    const before = asked.length;
    await lab.alice({ method: "UPDATE", cseq: 2, toTag: "b1", uri: bobUri });
    await lab.bobAnswers(lab.toBob("UPDATE"), 200);
    // Neither held, nor undone by a policy that says no.
    expect(await lab.names()).toEqual(["UPDATE>bob", "200>alice"]);
    expect(asked.slice(before)).toEqual(["reoffer 200 terminating b1"]);
    await lab.alice({ method: "UPDATE", cseq: 3, toTag: "b1", uri: bobUri });
    await lab.bobAnswers(lab.toBob("UPDATE"), 422);
    await lab.alice({ method: "INFO", cseq: 4, toTag: "b1", uri: bobUri });
    await lab.bobAnswers(lab.toBob("INFO"), 200);
    expect(await lab.names()).toEqual(["UPDATE>bob", "422>alice", "INFO>bob", "200>alice"]);
    expect(asked.slice(before)).toHaveLength(1);
  });

  it("an answer in the ACK is shown once and its ACK held", async () => {
    const { policy, asked } = recorder();
    const lab = new Lab(policy);
    await lab.alice({ method: "INVITE" });
    await lab.bobAnswers(lab.toBob("INVITE"), 200, { body: SDP });
    await lab.flush();
    const ack = { method: "ACK", toTag: "b1", uri: bobUri, branch: "z9hG4bK-ack", body: SDP };
    await lab.alice(ack);
    await lab.alice(ack);
    expect(await lab.names()).toEqual(["ACK>bob", "ACK>bob"]);
    const acks = lab.transport.sent.filter((one) => nameOf(one.message) === "ACK").map((one) => one.message);
    expect(acks[0]?.topVia?.branch).toBe(acks[1]?.topVia?.branch);
    expect(asked.filter((line) => line.startsWith("reoffer"))).toEqual(["reoffer ACK terminating b1"]);
  });
});
