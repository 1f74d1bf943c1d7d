import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Measurements } from "../../../src/portal/web/game/hook.js";
import { type Stage, startStage } from "./support/page.js";
import { type Roles, startRoles } from "./support/roles.js";
import { header } from "./support/sip-relay.js";

const TIMEOUT = 90_000;
const GRANTED = [
  "0;class=game-fps;phb=EF;result=granted;to-caller=160;to-callee=160;latency=2;jitter=0.4;loss=0;by=pol2.a.example",
  "0;class=game-fps;phb=EF;result=reduced;to-caller=150;to-callee=150;by=pol1.a.example",
];

let stage: Stage;
let roles: Roles;
let sessions: object[] = [];

beforeAll(async () => {
  roles = await startRoles(() => sessions);
  stage = await startStage({ ...roles.options, classes: [] });
}, TIMEOUT);

afterEach(async () => {
  await stage.leave();
  stage.relay.policy.granted = [];
  Object.assign(stage.relay.policy, { refuse: undefined, expires: 300, isClosed: false });
  stage.relay.messages.length = 0;
  sessions = [];
});

afterAll(async () => {
  await stage.close();
  await roles.close();
});

const measure = (page: Page): Promise<Measurements> => page.evaluate("window.__sluice.measurements()");
const sent = (start: string): readonly string[] =>
  stage.relay.messages.map(({ text }) => text).filter((text) => text.startsWith(start));

async function invite(page: Page, kind = "Fast game (game-fps)"): Promise<void> {
  await page.getByRole("button", { name: "Invite Bo" }).click();
  await page.getByRole("radio", { name: kind }).check();
  await page.getByRole("button", { name: "Send invitation" }).click();
}

/** Both in a session. */
async function play(kind?: string, answer = "Accept"): Promise<readonly [Page, Page]> {
  const [alice, bob] = [await stage.enter("alice"), await stage.enter("bob")];
  await invite(alice, kind);
  await bob.getByRole("button", { name: answer, exact: true }).click();
  for (const page of [alice, bob]) await page.getByText("in session", { exact: true }).waitFor();
  return [alice, bob];
}

describe("two browsers", () => {
  it(
    "play over a data channel, and both are told what was granted in one INVITE, 200 and ACK",
    async () => {
      stage.relay.policy.granted = GRANTED;
      const [alice, bob] = await play();
      for (const page of [alice, bob]) {
        await page.getByRole("cell", { name: "pol1.a.example" }).waitFor();
        await page.getByRole("cell", { name: "pol2.a.example" }).waitFor();
      }
      await Promise.all([
        alice.evaluate("__sluice.play([{press:['up'],for:400},{press:['down','dash'],for:700},{press:[],for:300}])"),
        bob.evaluate("__sluice.play([{press:['down'],for:600},{press:[],for:100},{press:['up'],for:700}])"),
      ]);
      await alice.waitForTimeout(1500);
      const [one, other] = [await measure(alice), await measure(bob)];
      for (const { counters, assured, packetRate } of [one, other]) {
        expect(packetRate).toBe(60);
        expect(counters).toMatchObject({ diverged: false, unreadable: 0 });
        expect(counters.received).toBeGreaterThan(60);
        expect(assured.roundTrip).toBeLessThan(500);
      }
      expect([one.side, other.side]).toEqual(["left", "right"]);
      expect(one.sure.frame).toBeGreaterThan(60);

      expect(sent("INVITE ")).toHaveLength(1);
      const [offer = ""] = sent("INVITE ");
      expect(offer).toContain("a=sluice-need:sendrecv latency=40-80;jitter=15-30;loss=0.005-0.02;rate=160-80\r\n");
      expect(offer).toContain("a=sluice-class:game-fps\r\n");
      expect(offer).toContain("a=sluice-security:dtls\r\n");
      const [ack = ""] = sent("ACK ");
      expect(ack.match(/^Sluice-Granted: .*$/gm)?.map((line) => line.slice(16).trim())).toEqual(GRANTED);
    },
    TIMEOUT,
  );

  it(
    "compare with a second connection of which SIP knows nothing",
    async () => {
      const [alice, bob] = await play("Slow game (game-rts)");
      const before = stage.relay.messages.length;
      await alice.getByLabel("Compare with a second connection").check();
      await alice.waitForTimeout(4000);
      for (const page of [alice, bob]) {
        const { bestEffort, bestEffortTotals, packetRate, counters } = await measure(page);
        expect(packetRate).toBe(20);
        expect(bestEffort.roundTrip).toBeLessThan(500);
        expect(bestEffortTotals?.received).toBeGreaterThan(20);
        expect(counters.received).toBeGreaterThan(20);
      }
      await bob.getByLabel("Compare with a second connection").uncheck();
      await alice.waitForTimeout(500);
      expect((await measure(alice)).bestEffortTotals).toBeNull();
      expect(stage.relay.messages.length).toBe(before);
    },
    TIMEOUT,
  );

  it(
    "see that nothing comes back by the second connection, and have it again when it failed, while the game goes on",
    async () => {
      const [alice, bob] = await play();
      await alice.getByLabel("Compare with a second connection").check();
      await expect.poll(async () => (await measure(bob)).bestEffortTotals?.received ?? 0).toBeGreaterThan(20);
      await bob.evaluate("peers[1].close()");
      await alice.getByText("none back").waitFor();
      await alice.getByRole("definition").filter({ hasText: "100 %" }).waitFor();
      const { bestEffortTotals: before, counters } = await measure(alice);
      await alice.getByText("the connection failed, it is opened again").waitFor({ timeout: 60_000 });
      expect(await alice.getByLabel("Compare with a second connection").isChecked()).toBe(true);
      await alice.getByText("none back").waitFor({ state: "detached" });
      const after = await measure(alice);
      expect(after.bestEffortTotals?.received).toBeGreaterThan(before?.received ?? Number.NaN);
      expect(after.counters.diverged).toBe(false);
      expect(after.counters.received - counters.received).toBeGreaterThan(30);
      expect(await alice.evaluate("peers.length")).toBe(3);
    },
    TIMEOUT,
  );

  it(
    "are not sent elsewhere by somebody else",
    async () => {
      const pages = await play();
      stage.relay.refer("sip:olga@a.example");
      await expect.poll(() => sent("SIP/2.0 603")).toHaveLength(2);
      for (const page of pages) {
        await page.getByText("The other side wanted to send this session elsewhere: declined.").waitFor();
        expect(await page.getByText("in session", { exact: true }).count()).toBe(1);
      }
      expect(sent("INVITE ")).toHaveLength(1);
    },
    TIMEOUT,
  );

  it(
    "are told to end what goes on before they invite somebody",
    async () => {
      const [alice] = await play();
      await alice.getByRole("button", { name: "Invite Bo" }).click();
      await alice.locator(".notice", { hasText: "End the session that goes on first." }).waitFor();
      expect(await alice.getByRole("dialog").count()).toBe(0);
      await alice.getByRole("button", { name: "End session" }).press("Enter");
      await alice.locator(".notice", { hasText: "End the session" }).waitFor({ state: "detached" });
      expect(await alice.evaluate("document.activeElement.textContent")).toBe("Close");
    },
    TIMEOUT,
  );

  it(
    "loosen what was offered in the answer, and change it in mid-session; a refused change leaves all as it was",
    async () => {
      const [alice, bob] = [await stage.enter("alice"), await stage.enter("bob")];
      await invite(alice);
      await bob.getByText("Accept with other needs").click();
      await bob.getByRole("slider", { name: "Latency, one way" }).fill("60");
      await bob.getByRole("button", { name: "Accept with these" }).click();
      await alice.getByText("agreed, loosened").waitFor();
      const [answer = ""] = sent("SIP/2.0 200").filter((text) => text.includes("m=application"));
      expect(answer).toContain("latency=60-80;");

      stage.relay.policy.granted = [GRANTED[1] ?? ""];
      await alice.getByRole("button", { name: "Change needs" }).click();
      await alice.getByRole("slider", { name: "Latency, one way: at worst" }).fill("120");
      await alice.getByRole("button", { name: "Ask for it" }).click();
      await alice.getByRole("cell", { name: "pol1.a.example" }).waitFor();
      await bob.getByRole("cell", { name: "pol1.a.example" }).waitFor();
      expect(sent("INVITE ")[1]).toContain("latency=60-120;");

      stage.relay.policy.refuse = {
        status: "580 Precondition Failure",
        headers: ['Warning: 399 pol1.a.example "the path gives 95 ms"'],
      };
      await alice.getByRole("button", { name: "Change needs" }).click();
      await alice.getByRole("slider", { name: "Latency, one way: wanted" }).fill("10");
      await alice.getByRole("button", { name: "Ask for it" }).click();
      await alice.getByRole("dialog").getByText("the path gives 95 ms").waitFor();
      await alice.getByRole("button", { name: "Leave it" }).click();
      await alice.getByText("latency 60 to 120 ms").first().waitFor();
      await alice.waitForTimeout(700);
      expect((await measure(alice)).counters.diverged).toBe(false);
      await alice.getByText("in session", { exact: true }).waitFor();
    },
    TIMEOUT,
  );

  it(
    "hear why a session is refused, and why one ends",
    async () => {
      const [alice, bob] = [await stage.enter("alice"), await stage.enter("bob")];
      stage.relay.policy.refuse = {
        status: "580 Precondition Failure",
        headers: ['Warning: 399 pol1.a.example "pool games has 40 kbit/s free, 160 are needed"'],
      };
      await invite(alice);
      await alice.getByText("The network cannot give this session what it needs.").first().waitFor();
      await alice.getByText("pool games has 40 kbit/s free, 160 are needed").first().waitFor();
      stage.relay.policy.refuse = undefined;
      await alice.getByRole("button", { name: "Close" }).click();

      await invite(alice);
      await bob.getByRole("button", { name: "Accept without reservation" }).click();
      await alice.getByText("without reservation").waitFor();
      await alice.getByText("No policy server reserved anything").waitFor();
      stage.relay.end('SIP;cause=503;text="the link to b.example is down"');
      await bob.getByText("the link to b.example is down").first().waitFor();
      await alice.getByText("the link to b.example is down").first().waitFor();
    },
    TIMEOUT,
  );

  it(
    "call each other with sound and picture, and mute",
    async () => {
      const [alice, bob] = await play("Video call (conversational)");
      for (const page of [alice, bob]) {
        await page.getByText(/Mbit\/s in|[1-9]\d* kbit\/s in/).waitFor();
        const size = await page.evaluate("document.querySelector('video').videoWidth");
        expect(size).toBeGreaterThan(0);
      }
      const [offer = ""] = sent("INVITE ");
      expect(offer.match(/^a=sluice-need:.*$/gm)).toHaveLength(2);
      // One transport for both: the first m= line has its address, the other belongs to it.
      expect(offer).toMatch(/^a=group:BUNDLE 0 1\r$/m);
      expect(Number(/^m=audio (\d+)/m.exec(offer)?.[1])).toBeGreaterThan(9);
      const mute = alice.getByRole("button", { name: "Mute microphone" });
      await mute.click();
      expect(await mute.getAttribute("aria-pressed")).toBe("true");
      await bob.getByRole("button", { name: "End session" }).click();
      await alice.getByText("The other side ended the session.").first().waitFor();
    },
    TIMEOUT,
  );
});

describe("a page that goes", () => {
  it(
    "tells the policy server of its session, with the token that forgers lack",
    async () => {
      const [alice] = await play();
      const callId = header(sent("INVITE ")[0] ?? "", "Call-ID");
      sessions = [
        { session: "aaaa", callId, caller: "alice@a.example", callee: "bob@a.example", state: "reserved", since: 1 },
      ];
      await alice.goto("about:blank");
      await expect
        .poll(() => roles.asked.filter((line) => line.startsWith("/v1/sessions/end")).join())
        .toContain(callId);
    },
    TIMEOUT,
  );

  it(
    "comes back to the same log-in, and is out after logging out",
    async () => {
      const page = await stage.enter("alice");
      await page.reload();
      await page.getByText("ready", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Log out" }).click();
      await page.getByRole("heading", { name: "Log in" }).waitFor();
      await expect.poll(() => stage.relay.registered.has("alice")).toBe(false);
      await page.reload();
      await page.getByRole("heading", { name: "Log in" }).waitFor();
    },
    TIMEOUT,
  );

  it(
    "does not say that it is logged out before the server has heard of it",
    async () => {
      const page = await stage.enter("alice");
      await page.route("**/api/logout", (route) => route.abort());
      await page.getByRole("button", { name: "Log out" }).press("Enter");
      await page.getByText("You are still logged in").waitFor();
      expect(await page.getByText("ready", { exact: true }).count()).toBe(1);
      expect(await page.evaluate("document.activeElement.textContent")).toBe("Log out");
      await page.unroute("**/api/logout");
      await page.getByText("You are logged out.").waitFor();
      await expect.poll(() => stage.relay.registered.has("alice")).toBe(false);
    },
    TIMEOUT,
  );

  it(
    "says that its registration is refused, also where that is not the first, and tries again",
    async () => {
      stage.relay.policy.expires = 3;
      const page = await stage.enter("alice");
      stage.relay.policy.isClosed = true;
      await page.getByText("refused, trying again").waitFor();
      stage.relay.policy.isClosed = false;
      await page.getByText("ready", { exact: true }).waitFor();
    },
    TIMEOUT,
  );

  it(
    "registers again when its connection was lost",
    async () => {
      const page = await stage.enter("alice");
      stage.relay.drop();
      await page.getByText("no connection, trying again").waitFor();
      await page.getByText("ready", { exact: true }).waitFor();
      expect(stage.relay.registered.has("alice")).toBe(true);
    },
    TIMEOUT,
  );
});

it("nothing has gone anywhere else, and nothing was thrown", () => {
  expect(stage.strays).toEqual([]);
});
