/** Every way a call may go: each ends with an empty kernel, free pools, and the usage that was had. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Edits, SHORT_TIMERS } from "./support/configs.js";
import {
  expectAssured,
  expectNothingLeft,
  expectOctets,
  expectSettled,
  expectUsage,
  expectWellFormed,
  octetsOf,
} from "./support/expectations.js";
import { AUDIO, headerOf, probe, SIP1, SIP2 } from "./support/invite.js";
import { IPV6 } from "./support/pcaps.js";
import { callWithMediaAt } from "./support/sipp.js";
import { TestLab } from "./support/test-lab.js";

const RULES: Edits = {
  pol1: [
    [
      ["rules"],
      [
        { name: "barred", from: "mallory@a.example", to: "*@*", treatment: "refuse" },
        {
          name: "calls",
          from: "*@*",
          to: "*@*",
          media: ["audio"],
          class: "voice",
          maxRate: "100 kbit/s",
          treatment: "assured",
        },
      ],
    ],
  ],
};

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({ edits: [SHORT_TIMERS, RULES] });
}, 300_000);
afterAll(() => lab?.down());

interface Trace {
  readonly setup: { readonly steps: readonly { readonly n: number | null }[]; readonly missing: readonly number[] };
  readonly teardown: Trace["setup"];
}

describe("answered calls", () => {
  test("the plain assured call: complete ladder, everything counted, nothing left", async () => {
    const call = lab.call(["--seconds", "2"]);
    const { session } = await expectSettled(lab, call);
    const trace = (await lab.sluice(["trace", session, "--hosts", "UAC=10.1.0.10,UAS=10.3.0.10"])) as Trace;
    const numbers = (part: Trace["setup"]) => part.steps.flatMap(({ n }) => (n === null ? [] : [n]));
    const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
    // No role sees the 29th, the media: it goes past all of them.
    expect({ steps: numbers(trace.setup), missing: trace.setup.missing }).toEqual({ steps: upTo(28), missing: [] });
    expect({ steps: numbers(trace.teardown), missing: trace.teardown.missing }).toEqual({
      steps: upTo(18),
      missing: [],
    });
  });

  test.each([
    ["180 without SDP, then 200 with it", ["--uas", "uas-180-without-sdp"]],
    ["BYE from the callee", ["--uas", "uas-bye", "--uac", "uac-waits-for-bye"]],
    ["the caller's BYE is lost and sent again", ["--lose", "BYE"]],
    ["the callee's BYE is lost and sent again", ["--uas", "uas-bye", "--uac", "uac-waits-for-bye", "--lose", "BYE"]],
    ["the ACK is lost and sent again", ["--lose", "ACK"]],
  ])("%s", async (_name, args) => {
    await expectSettled(lab, lab.call(["--seconds", "1", ...args]));
  });

  test("IPv6 media under IPv4 signalling: marked and counted the same", async () => {
    const began = Date.now();
    const session = await callWithMediaAt(lab, IPV6, 1);
    await expectNothingLeft(lab);
    const records = await expectUsage(lab, session);
    const toCallee = await lab.captures.media("uas", began, { addresses: IPV6 });
    const toCaller = await lab.captures.media("uac", began, { addresses: IPV6 });
    expectAssured("to the callee", toCallee);
    expectAssured("to the caller", toCaller);
    expectOctets(records, { toCallee: octetsOf(toCallee.received), toCaller: octetsOf(toCaller.received) });
  });
});

describe("calls that are never answered", () => {
  test.each([
    ["CANCEL before the answer", 487, ["--uac", "uac-cancel", "--uas", "uas-rings"]],
    ["CANCEL lost and sent again", 487, ["--uac", "uac-cancel", "--uas", "uas-rings", "--lose", "CANCEL"]],
    ["callee busy", 486, ["--uas", "uas-busy"]],
    ["callee silent", 408, ["--uas", "uas-silent", "--seconds", "5"]],
    ["callee rings for ever", 408, ["--uas", "uas-rings"]],
  ])("%s: %i", async (_name, status, args) => {
    const call = await lab.lab.call(["--expect", String(status), "--seconds", "1", ...args]);
    expect(call, "outcome of the call").toMatchObject({ ok: true, status });
    await expectNothingLeft(lab);
    const records = await expectUsage(lab, call.session);
    expectOctets(records, { toCallee: 0, toCaller: 0 });
    expect(
      records.map(({ duration }) => duration),
      "charged time",
    ).toEqual([0, 0]);
  });
});

interface Explanation {
  readonly items: readonly {
    readonly role: string;
    readonly refusal?: {
      readonly reason: string;
      readonly text: string;
      readonly needed?: number;
      readonly free?: number;
    };
  }[];
}

async function explained(session: string) {
  const { items } = (await lab.sluice(["explain", session])) as Explanation;
  return items.flatMap(({ role, refusal }) => (refusal === undefined ? [] : [{ role, ...refusal }]));
}

describe("refused calls", () => {
  test("the pool is full: 503, Retry-After, a Warning with the numbers, and the same from explain", async () => {
    const first = await lab.callWithMedia(["--seconds", "4"]);
    const args = ["--no-callee", "--sip-port", "5062", "--media-port", "7000", "--expect", "503"];
    const second = await lab.lab.call(args);
    expect(second).toMatchObject({ ok: true, status: 503 });
    expect(Number(second.retryAfter), "Retry-After, in seconds").toBeGreaterThan(0);
    expect(second.warning).toMatch(/^370 \S+ "pool voice is full: [\d.]+ kbit\/s needed, [\d.]+ kbit\/s free"$/);
    const [refusal] = await explained(second.session);
    expect(refusal).toMatchObject({ role: "pol1", reason: "noRoom" });
    expect(second.warning).toContain(refusal?.text);
    expect(refusal?.needed, "needed, in bit/s").toBeGreaterThan(refusal?.free ?? Number.POSITIVE_INFINITY);
    await expectSettled(lab, first);
    expect(await lab.usage(second.session)).toEqual([]);
  });

  test("a caller whom a rule bars: 403", async () => {
    const call = await lab.lab.call(["--from", "mallory", "--no-callee", "--expect", "403"]);
    expect(call).toMatchObject({ ok: true, status: 403 });
    expect(call.warning).toContain("barred");
    expect(await explained(call.session)).toMatchObject([{ role: "pol1", reason: "notAuthorised" }]);
    await expectNothingLeft(lab);
    expect(await lab.usage(call.session)).toEqual([]);
  });

  test("media that no rule covers: 403", async () => {
    const sdp = [...AUDIO, "m=video 6002 RTP/AVP 31"];
    const answer = await probe(lab, SIP1, { sdp });
    expect(answer).toMatchObject({ status: 403, warning: expect.stringContaining("audio+video") });
    expect(await explained(answer.session)).toMatchObject([{ role: "pol1", reason: "notAuthorised" }]);
    await expectNothingLeft(lab);
  });

  test("media that wants more than its rule allows: 488", async () => {
    const sdp = [AUDIO[0] ?? "", "b=AS:500", ...AUDIO.slice(1)];
    const answer = await probe(lab, SIP1, { sdp });
    expect(answer).toMatchObject({ status: 488, warning: expect.stringContaining("100 kbit/s") });
    expect(await explained(answer.session)).toMatchObject([{ role: "pol1", reason: "mediaUnacceptable" }]);
    await expectNothingLeft(lab);
  });

  test("a media address that is not in the access network: 488", async () => {
    const answer = await probe(lab, SIP1, { sdp: ["c=IN IP4 10.9.9.9", ...AUDIO.slice(1)] });
    expect(answer).toMatchObject({ status: 488, warning: expect.stringContaining("10.9.9.9") });
    expect(await explained(answer.session)).toMatchObject([{ role: "pol1", reason: "mediaUnacceptable" }]);
    await expectNothingLeft(lab);
  });
});

describe("an INVITE straight to the callee's proxy", () => {
  let token = "";
  let genuine: { readonly callId: string; readonly fromTag: string };
  beforeAll(async () => {
    const { began, outcome } = lab.call(["--seconds", "1"]);
    const { callId } = await outcome;
    const invites = (await lab.captures.sip("sip2", began)).filter(
      ({ source, text }) => source === "10.1.0.5" && text.startsWith("INVITE "),
    );
    const invite = invites[0]?.text ?? "";
    token = headerOf(invite, "P-OSP-Auth-Token") ?? "";
    genuine = { callId, fromTag: headerOf(invite, "From")?.split("tag=")[1] ?? "" };
    await expectNothingLeft(lab);
  });

  test.each([
    ["without a token", "no token", () => ({})],
    ["with a token that somebody altered", "token", () => ({ headers: [`P-OSP-Auth-Token: ${altered(token)}`] })],
    ["with another call's token", "token", () => ({ headers: [`P-OSP-Auth-Token: ${token}`] })],
    ["with a token that was used", "token", () => ({ ...genuine, headers: [`P-OSP-Auth-Token: ${token}`] })],
  ])("%s: 403", async (_name, why, wish) => {
    expect(token, "the token of the genuine call").not.toBe("");
    const began = Date.now();
    const answer = await probe(lab, SIP2, { sender: "sip1", ...wish() });
    expect(answer).toMatchObject({ status: 403, warning: expect.stringContaining(why) });
    const reached = (await lab.captures.sip("uas", began)).map(({ text }) => text.split("\r\n", 1)[0]);
    expect(reached, "what reached the callee").toEqual([]);
    await expectNothingLeft(lab);
  });
});

test("an INVITE in the caller's name straight to the callee's proxy, from where its own proxy is not: 403", async () => {
  const began = Date.now();
  const answer = await probe(lab, SIP2, {});
  expect(answer).toMatchObject({ status: 403, phrase: "From Is Of Elsewhere", warning: "" });
  expect((await lab.captures.sip("uas", began)).map(({ text }) => text.split("\r\n", 1)[0])).toEqual([]);
  await expectNothingLeft(lab);
});

/** One octet of the signed part is another. */
function altered(token: string): string {
  const octets = Buffer.from(token, "base64");
  octets.writeUInt8(octets.readUInt8(octets.length >> 1) ^ 1, octets.length >> 1);
  return octets.toString("base64");
}

test("no message in any capture is malformed", () => expectWellFormed(lab));
