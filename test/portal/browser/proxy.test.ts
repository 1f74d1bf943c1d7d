/** The page with the proxy's own WebSocket, registrar and dialogs, in the place of the relay of the other tests. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { seconds } from "../../../src/model/units.js";
import type { Measurements } from "../../../src/portal/web/game/hook.js";
import { flowsOf, type MediaFlow } from "../../../src/sip/sdp/flows.js";
import { readSdp } from "../../../src/sip/sdp/reader.js";
import { type Stage, startStage, wayOf } from "./support/page.js";
import { type SipProxy, startSipProxy } from "./support/sip-proxy.js";

const TIMEOUT = 90_000;
const GRANTED = "0;class=game-fps;phb=EF;result=granted;to-caller=160;to-callee=160;by=pol1.a.example";
const HOUR = seconds(3600);
const sip = { wss: "wss://sip1.a.example:5443", expires: HOUR };
let proxy: SipProxy;
let stage: Stage;

beforeAll(async () => {
  proxy = await startSipProxy(GRANTED);
  stage = await startStage({ credentials: proxy.credentials, sip }, proxy.port);
}, TIMEOUT);
afterEach(async () => {
  sip.expires = HOUR;
  await stage.leave();
});
afterAll(async () => {
  await stage.close();
  await proxy.close();
});

const measure = (page: Page): Promise<Measurements> => page.evaluate("window.__sluice.measurements()");

it(
  "registers, invites, plays, is told what was granted, and hangs up",
  async () => {
    const [alice, bob] = [await stage.enter("alice"), await stage.enter("bob")];
    await alice.getByRole("button", { name: "Invite Bo" }).click();
    await alice.getByRole("button", { name: "Send invitation" }).click();
    await bob.getByRole("button", { name: "Accept", exact: true }).click();
    for (const page of [alice, bob]) {
      await page.getByText("in session", { exact: true }).waitFor();
      await page.getByRole("cell", { name: "pol1.a.example" }).waitFor();
    }
    await alice.waitForTimeout(2000);
    for (const page of [alice, bob]) {
      const { counters } = await measure(page);
      expect(counters).toMatchObject({ diverged: false, unreadable: 0 });
      expect(counters.received).toBeGreaterThan(30);
    }
    const [toCaller, toCallee] = [await wayOf(alice), await wayOf(bob)].map(({ local }) => local);
    const agreed = flowsOf(readSdp(proxy.seen.offer), readSdp(proxy.seen.answer));
    const flows = agreed.kind === "flows" ? agreed.flows : [];
    const placeOf = (key: MediaFlow["key"]) => key && `${key.destination.address}:${key.destination.port}`;
    expect(agreed.kind).toBe("flows");
    expect(Object.fromEntries(flows.map(({ key, toward }) => [toward, placeOf(key)]))).toEqual({
      callee: toCallee,
      caller: toCaller,
    });
    expect(proxy.seen.offers).toBe(1);
    const need = { latency: { wanted: 40, worst: 80 }, rate: { wanted: 160_000, worst: 80_000 } };
    for (const body of [proxy.seen.offer, proxy.seen.answer]) {
      expect(readSdp(body).media).toMatchObject([
        { kind: "application", sessionClass: { name: "game-fps" }, needs: { send: need, recv: need } },
      ]);
    }
    await alice.getByRole("button", { name: "End session" }).click();
    await bob.getByText("The other side ended the session.").first().waitFor();
    await expect.poll(() => proxy.ended).toEqual(["bye"]);
  },
  TIMEOUT,
);

it(
  "a page that goes in mid-session leaves the session, and the other side hears of it",
  async () => {
    const [alice, bob] = [await stage.enter("alice"), await stage.enter("bob")];
    await bob.getByRole("button", { name: "Invite Al" }).click();
    await bob.getByRole("button", { name: "Send invitation" }).click();
    await alice.getByRole("button", { name: "Accept", exact: true }).click();
    await bob.getByText("in session", { exact: true }).waitFor();
    await alice.goto("about:blank");
    await bob.getByText(/ended/).first().waitFor();
    await expect.poll(() => proxy.ended.at(-1)).toBe("left");
    expect(stage.strays).toEqual([]);
  },
  TIMEOUT,
);

it(
  "registers with fresh credentials before the old ones run out, while a session goes on",
  async () => {
    // The page fetches others a minute before, and at the earliest after five seconds.
    sip.expires = seconds(12);
    const [alice, bob] = [await stage.enter("alice"), await stage.enter("bob")];
    const oldAreGone = Date.now() + 12_000;
    await alice.evaluate(`globalThis.states = [];
      new MutationObserver(() => states.push(document.getElementById("agent-state").textContent))
        .observe(document.getElementById("agent-state"), { childList: true, characterData: true, subtree: true })`);
    await alice.getByRole("button", { name: "Invite Bo" }).click();
    await alice.getByRole("button", { name: "Send invitation" }).click();
    await bob.getByRole("button", { name: "Accept", exact: true }).click();
    for (const page of [alice, bob]) await page.getByText("in session", { exact: true }).waitFor();
    const before = proxy.granted();
    const answer = await alice.waitForResponse((response) => response.url().endsWith("/api/sip-credentials"));
    expect(answer.status()).toBe(200);
    await expect.poll(() => proxy.granted()).toBeGreaterThan(before);
    await alice.waitForTimeout(Math.max(0, oldAreGone - Date.now()) + 1000);
    expect(await alice.evaluate("states")).toEqual([]);
    for (const page of [alice, bob]) expect(await page.getByText("in session", { exact: true }).count()).toBe(1);
    const olga = await stage.enter("olga");
    await olga.getByRole("button", { name: "Invite Al" }).click();
    await olga.getByRole("button", { name: "Send invitation" }).click();
    await alice.getByRole("heading", { name: /olga@a\.example invites you/ }).waitFor();
    expect(stage.strays).toEqual([]);
  },
  TIMEOUT,
);

it(
  "takes its registration away when its user logs out",
  async () => {
    const page = await stage.enter("alice");
    const before = proxy.granted();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    await expect.poll(() => proxy.granted()).toBe(before + 1);
    expect(stage.strays).toEqual([]);
  },
  TIMEOUT,
);
