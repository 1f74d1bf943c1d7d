import { describe, expect, it } from "vitest";
import type { Directory, DirectoryEntry } from "../../../src/sip/location/directory.js";
import type { SipRequest, SipResponse } from "../../../src/sip/message/message.js";
import { settle } from "../../support/fake-clock.js";
import { ALICE, BOB, nameOf, requestText, SDP } from "../harness.js";
import { answerTo, REALM, UsersBench } from "./users-bench.js";

const statusOf = (message: SipRequest | SipResponse) => Number(nameOf(message));

/** The latest request of a method that went anywhere. */
function sentRequest(bench: UsersBench, method: string) {
  const found = bench.lab.transport.sent.findLast(({ message }) => nameOf(message) === method);
  if (found === undefined) throw new Error(`no ${method} was sent`);
  return { remote: found.remote, request: found.message as SipRequest };
}

/** The last answer to a telephone. */
function toPhone(bench: UsersBench): SipResponse {
  const found = bench.lab.transport.sent.findLast(({ remote }) => remote.address === ALICE.address);
  if (found === undefined) throw new Error("nothing was sent");
  return found.message as SipResponse;
}

let branches = 0;
async function phone(bench: UsersBench, text: string): Promise<SipResponse> {
  branches += 1;
  bench.lab.transport.inject(text.replace(/branch=z9hG4bK[^\r;]*/, `branch=z9hG4bKp${branches}`), ALICE);
  await settle();
  return toPhone(bench);
}

const register = (cseq: number, extra: string[] = [], user = "phone") =>
  requestText({ method: "REGISTER", uri: `sip:${REALM}`, cseq, callId: "reg-p", extra })
    .replace("<sip:bob@example.com>", `<sip:${user}@example.com>`)
    .replace("<sip:alice@example.net>", `<sip:${user}@example.com>`);

describe("REGISTER", () => {
  it("of a browser: challenged with what its agent can do, accepted, and repeated answers are the same", async () => {
    const bench = new UsersBench();
    const browser = bench.connect("zoe");
    browser.register();
    await settle();
    const challenge = browser.last() as SipResponse;
    expect(challenge.headerLines("www-authenticate")).toEqual([expect.stringContaining("algorithm=MD5")]);
    const accepted = await browser.logIn();
    expect(accepted.status).toBe(200);
    expect(accepted.header("contact")).toContain('expires=600;+sip.instance="<urn:uuid:zoe>";reg-id=1');
    expect(accepted.header("require")).toBe("outbound");
    expect(bench.registrar.onFlow(browser.remote.flow)).toHaveLength(1);
  });

  it("of a telephone: by SHA-256, and found where it came from", async () => {
    const bench = new UsersBench();
    const challenge = await phone(bench, register(1));
    expect(challenge.status).toBe(401);
    expect(challenge.headerLines("www-authenticate")).toEqual([expect.stringContaining("algorithm=SHA-256")]);
    const credentials = answerTo(challenge, "REGISTER", { username: "phone", password: "pw" });
    expect((await phone(bench, register(2, [`Authorization: ${credentials}`]))).status).toBe(200);
    // A repetition is answered by its transaction: the count is not looked at twice.
    const sent = register(2, [`Authorization: ${credentials}`]).replace(
      /branch=z9hG4bK[^\r;]*/,
      `branch=z9hG4bKp${branches}`,
    );
    bench.lab.transport.inject(sent, ALICE);
    await settle();
    expect(toPhone(bench).status).toBe(200);
    const browser = await bench.browser("zoe");
    await browser.call(`sip:phone@${REALM}`);
    const invite = sentRequest(bench, "INVITE");
    expect(invite.remote).toMatchObject({ address: ALICE.address, port: ALICE.port });
    expect(invite.request.requestUri).toBe(`sip:agent@${ALICE.address}:${ALICE.port}`);
  });

  it("of another's address is refused, and counted", async () => {
    const bench = new UsersBench();
    const challenge = await phone(bench, register(1, [], "zoe"));
    const credentials = answerTo(challenge, "REGISTER", { username: "phone", password: "pw" });
    expect((await phone(bench, register(2, [`Authorization: ${credentials}`], "zoe"))).status).toBe(403);
    expect(bench.lab.core.users?.counters.impostors).toBe(1);
    expect(bench.registrar.size).toBe(0);
  });

  it("of a guesser is refused without being read, and leaves no state", async () => {
    const bench = new UsersBench();
    const challenge = await phone(bench, register(1));
    const statuses: number[] = [];
    for (let guess = 0; guess < 10; guess += 1) {
      const credentials = answerTo(challenge, "REGISTER", { username: "phone", password: `guess ${guess}` });
      statuses.push((await phone(bench, register(guess + 2, [`Authorization: ${credentials}`]))).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 403, 403, 403, 403, 403]);
    expect(toPhone(bench).header("retry-after")).toBe("60");
    expect(bench.verifier.counters).toMatchObject({ failed: 5, blocked: 5 });
    expect([bench.lab.core.liveTransactions, bench.registrar.size]).toEqual([0, 0]);
  });

  it.each([
    ["of another domain", (text: string) => text.replace(/example\.com/g, "other.example"), 404],
    [
      "with a domain in To that is not the target's",
      (text: string) => text.replace("phone@example.com>\r\nCall", "phone@other.example>\r\nCall"),
      404,
    ],
    ["of nobody", (text: string) => text.replace("To: <sip:phone@", "To: <sip:"), 404],
    ["that requires what is not there", (text: string) => text.replace("Max-F", "Require: path\r\nMax-F"), 420],
  ])("%s is refused", async (_name, change, status) => {
    const bench = new UsersBench({ authenticated: false });
    expect((await phone(bench, change(register(1)))).status).toBe(status);
  });

  it("without authentication takes From's word, and answers 400, 423 and 439", async () => {
    const bench = new UsersBench({ authenticated: false });
    expect((await phone(bench, register(1, ["Contact: <tel:1>"]))).status).toBe(400);
    const brief = await phone(bench, register(2, ["Expires: 3"]));
    expect([brief.status, brief.header("min-expires")]).toEqual([423, "30"]);
    const relayed = register(3, ["Supported: outbound", "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"])
      .replace("Contact: <sip:agent", "Contact: <sip:agent")
      .replace(/(Contact: <[^>]*>)/, '$1;+sip.instance="<urn:x>";reg-id=1');
    expect((await phone(bench, relayed)).status).toBe(439);
    expect((await phone(bench, register(4))).status).toBe(200);
  });
});

describe("calls of registered users", () => {
  it("go from browser to browser, by the connection of each; so does what follows", async () => {
    const bench = new UsersBench();
    const [zoe, max] = [await bench.browser("zoe"), await bench.browser("max")];
    await zoe.call(`sip:max@${REALM}`);
    expect([zoe.heard(), max.heard()]).toEqual([
      ["401", "200", "100"],
      ["401", "200", "INVITE"],
    ]);
    expect((max.last("INVITE") as SipRequest).requestUri).toBe(max.contact);
    await max.accept();
    expect(zoe.heard()).toEqual(["200"]);
    expect(bench.contexts.get("web-1")?.agents).toEqual({
      caller: { aor: `zoe@${REALM}`, agent: "urn:uuid:zoe" },
      callee: { aor: `max@${REALM}`, agent: "urn:uuid:max" },
    });
    const routes = (zoe.last("200") as SipResponse).recordRoutes.toReversed().map((route) => `Route: ${route}`);
    zoe.say("ACK", { uri: max.contact, toTag: "m1", cseq: 3, extra: routes });
    zoe.say("BYE", { uri: max.contact, toTag: "m1", cseq: 4, extra: routes });
    await settle();
    expect(max.heard()).toEqual(["ACK", "BYE"]);
  });

  it("stay with the proxy though they are to be direct: a browser has no other way", async () => {
    const bench = new UsersBench({ policy: { invite: async () => ({ forward: true, direct: true }) } });
    const zoe = await bench.browser("zoe");
    await zoe.call(`sip:bob@${REALM}`);
    const { request } = sentRequest(bench, "INVITE");
    expect(request.recordRoutes).toHaveLength(2);
    await bench.lab.bobAnswers(request, 200, { body: SDP });
    expect(bench.contexts.get("web-1")).toMatchObject({ direct: false, agents: { caller: { aor: `zoe@${REALM}` } } });
  });

  it("need a registered connection, and the user's own name", async () => {
    const bench = new UsersBench();
    const stranger = bench.connect("eve");
    await stranger.call(`sip:bob@${REALM}`);
    expect(statusOf(stranger.last())).toBe(403);
    stranger.say("ACK", { uri: "sip:x@198.51.100.9", toTag: "x" });
    stranger.say("BYE", { uri: "sip:x@198.51.100.9", toTag: "x" });
    await settle();
    expect(bench.lab.transport.sent.filter(({ remote }) => remote.flow === undefined)).toEqual([]);
    const zoe = await bench.browser("zoe");
    zoe.say("INVITE", { from: "max", body: SDP });
    await settle();
    expect((zoe.last() as SipResponse).phrase).toBe("From Is Another's");
    expect(bench.lab.core.users?.counters).toMatchObject({ unregistered: 3, impostors: 1 });
  });

  it("in a domain's name must be proven, if that is asked for; others' calls come in as ever", async () => {
    const bench = new UsersBench({ always: true });
    const invite = (extra: string[] = []) =>
      requestText({ method: "INVITE", body: SDP, callId: `c-${extra.length}`, extra }).replace(
        "alice@example.net",
        `phone@${REALM}`,
      );
    const challenge = await phone(bench, invite());
    expect([challenge.status, challenge.headerLines("proxy-authenticate").length]).toEqual([407, 1]);
    const login = { username: "phone", password: "pw", uri: "sip:bob@example.com" };
    const credentials = answerTo(challenge, "INVITE", login);
    await phone(
      bench,
      invite([`Proxy-Authorization: ${credentials}`, 'Proxy-Authorization: Digest realm="other", x="y"']),
    );
    const sent = bench.lab.toBob("INVITE");
    expect(sent.headerLines("proxy-authorization")).toEqual(['Digest realm="other", x="y"']);
    bench.lab.transport.inject(requestText({ method: "INVITE", body: SDP, callId: "foreign" }), ALICE);
    await settle();
    expect(bench.lab.toBob("INVITE").callId).toBe("foreign");
  });

  it("to a user who is known and not there get 480, to nobody 404", async () => {
    const bench = new UsersBench();
    const zoe = await bench.browser("zoe");
    await zoe.call(`sip:phone@${REALM}`);
    expect(statusOf(zoe.last())).toBe(480);
    zoe.say("INVITE", { uri: `sip:nobody@${REALM}`, callId: "web-2", body: SDP });
    await settle();
    expect(statusOf(zoe.last())).toBe(404);
    expect(bench.lab.core.liveDialogs).toBe(0);
  });
});

describe("nick names", () => {
  const directory = (entries: Record<string, DirectoryEntry | "down">): Directory => ({
    find: async (nick) => {
      const entry = entries[nick];
      if (entry === "down") throw new Error("down");
      return entry;
    },
  });

  it("are replaced before the policy is asked, and go to the other domain", async () => {
    const asked: string[] = [];
    const bench = new UsersBench({
      directory: directory({ ace: { aor: "sip:anna@far.example", online: true } }),
      policy: {
        invite: async (context, request) => {
          asked.push(`${request.requestUri} ${context.side} ${context.callee}`);
          return { forward: true };
        },
      },
    });
    const zoe = await bench.browser("zoe");
    await zoe.call(`sip:ace@${REALM};user=nick`);
    expect(asked).toEqual(["sip:anna@far.example originating sip:anna@far.example"]);
    const sent = sentRequest(bench, "INVITE");
    expect([sent.request.requestUri, sent.remote.address]).toEqual(["sip:anna@far.example", "192.0.2.77"]);
    zoe.say("MESSAGE", { uri: `sip:ace@${REALM};user=nick` });
    await settle();
    const message = sentRequest(bench, "MESSAGE");
    expect(message.request.requestUri).toBe("sip:anna@far.example");
  });

  it("of users of this domain lead to where they have registered", async () => {
    const bench = new UsersBench({ directory: directory({ ace: { aor: `sip:max@${REALM}`, online: false } }) });
    const [zoe, max] = [await bench.browser("zoe"), await bench.browser("max")];
    await zoe.call(`sip:ace@${REALM};user=nick`);
    expect((max.last("INVITE") as SipRequest).requestUri).toBe(max.contact);
    expect(bench.contexts.get("web-1")?.side).toBe("terminating");
  });

  it.each([
    ["nobody", 404],
    ["away", 480],
    ["gone", 480],
    ["broken", 480],
  ])("that lead to nobody are answered: %s with %i", async (nick, status) => {
    const bench = new UsersBench({
      directory: directory({
        away: { aor: "sip:anna@far.example", online: false },
        gone: { aor: `sip:max@${REALM}`, online: true },
        broken: "down",
      }),
    });
    const zoe = await bench.browser("zoe");
    await zoe.call(`sip:${nick}@${REALM};user=nick`);
    expect(statusOf(zoe.last())).toBe(status);
    zoe.say("MESSAGE", { uri: `sip:${nick}@${REALM};user=nick` });
    await settle();
    expect(statusOf(zoe.last())).toBe(status);
    expect([bench.contexts.size, bench.lab.core.liveDialogs]).toEqual([0, 0]);
  });

  it("beyond ASCII, and of several words, are found as they were written", async () => {
    const asked: string[] = [];
    const find = async (nick: string) => {
      asked.push(nick);
      return { aor: "sip:anna@far.example", online: true };
    };
    const bench = new UsersBench({ directory: { find } });
    const zoe = await bench.browser("zoe");
    await zoe.call(`sip:${encodeURIComponent("Jürg der Große")}@${REALM};user=nick`);
    expect(asked).toEqual(["Jürg der Große"]);
    zoe.say("MESSAGE", { uri: `sip:%E0@${REALM};user=nick` });
    await settle();
    expect([statusOf(zoe.last()), asked.length]).toEqual([404, 1]);
  });

  it("of other domains do not get what is sent to a user's address, though nobody is registered there", async () => {
    const mallory = { aor: "sip:mallory@far.example", online: true };
    const bench = new UsersBench({ directory: directory({ max: mallory, mia: mallory }) });
    const [zoe, max] = [await bench.browser("zoe"), await bench.browser("max")];
    await max.logOut();
    await zoe.call(`sip:max@${REALM}`);
    expect([statusOf(zoe.last()), bench.contexts.size]).toEqual([480, 0]);
    await zoe.call(`sip:mia@${REALM}`);
    expect([statusOf(zoe.last()), bench.contexts.size]).toEqual([404, 0]);
    for (const [user, status] of [["max", 480] as const, ["mia", 404] as const]) {
      zoe.say("MESSAGE", { uri: `sip:${user}@${REALM}` });
      await settle();
      expect(statusOf(zoe.last())).toBe(status);
    }
  });

  it("of this domain are found without the mark; with it nobody's address is meant", async () => {
    const bench = new UsersBench({
      directory: directory({
        ace: { aor: `sip:max@${REALM}`, online: true },
        max: { aor: "sip:anna@far.example", online: true },
      }),
    });
    const [zoe, max] = [await bench.browser("zoe"), await bench.browser("max")];
    await zoe.call(`sip:ace@${REALM}`);
    expect((max.last("INVITE") as SipRequest).requestUri).toBe(max.contact);
    zoe.say("MESSAGE", { uri: `sip:max@${REALM};user=NICK` });
    await settle();
    expect(sentRequest(bench, "MESSAGE").request.requestUri).toBe("sip:anna@far.example");
    const without = new UsersBench();
    const eve = await without.browser("eve");
    await eve.call(`sip:bob@${REALM};user=nick`);
    expect(statusOf(eve.last())).toBe(404);
  });

  it("may be given up while the directory is asked", async () => {
    let tell: (entry: DirectoryEntry) => void = () => undefined;
    const bench = new UsersBench({ directory: { find: () => new Promise((resolve) => (tell = resolve)) } });
    const zoe = await bench.browser("zoe");
    await zoe.call(`sip:ace@${REALM};user=nick`);
    const cancel = [
      `CANCEL sip:ace@${REALM} SIP/2.0`,
      `Via: SIP/2.0/WSS abc.invalid;branch=z9hG4bK-${zoe.remote.port}-3`,
      `From: <sip:zoe@${REALM}>;tag=w1`,
      `To: <sip:ace@${REALM}>`,
      "Call-ID: web-1",
      "CSeq: 3 CANCEL",
      "Content-Length: 0",
    ];
    bench.lab.transport.inject(`${cancel.join("\r\n")}\r\n\r\n`, zoe.remote);
    await settle();
    expect(zoe.heard().slice(-2)).toEqual(["200", "487"]);
    tell({ aor: "sip:anna@far.example", online: true });
    await settle();
    expect(bench.lab.transport.sent.filter(({ message }) => nameOf(message) === "INVITE")).toEqual([]);
    expect([bench.contexts.size, bench.lab.core.liveDialogs]).toEqual([0, 0]);
  });
});

describe("bindings", () => {
  it("of a telephone behind a translator lead to where it came from", async () => {
    const bench = new UsersBench({ authenticated: false });
    await phone(bench, register(1).replace(/Contact: <[^>]*>/, "Contact: <sip:phone@10.0.0.9:5062>"));
    bench.lab.transport.inject(
      requestText({ method: "INVITE", uri: `sip:phone@${REALM}`, from: BOB, callId: "n" }),
      BOB,
    );
    await settle();
    const sent = sentRequest(bench, "INVITE");
    expect(sent.remote).toMatchObject({ address: ALICE.address, port: ALICE.port });
    expect(sent.request.requestUri).toBe("sip:phone@10.0.0.9:5062");
  });
});
