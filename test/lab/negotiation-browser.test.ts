/** Two browsers in two access networks: what they send is marked and counted, and nothing outlives them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PolicyView } from "../../src/control/views.js";
import { BrowserPlayer, meet } from "./support/browser-player.js";
import { expectNothingLeft } from "./support/expectations.js";
import { gameFiles } from "./support/negotiation-lab.js";
import { TestLab } from "./support/test-lab.js";
import { until, untilNothing } from "./support/until.js";

const FLOW_GRACE = 3000;
const GAME = "Fast game (game-fps)";
const CALL = "Audio call (conversational)";

let lab: TestLab;
let [alice, bob]: BrowserPlayer[] = [];
beforeAll(async () => {
  const grace = [[["sip", "flowGrace"], `${FLOW_GRACE} ms`]] as const;
  // Budgets of the classes are not what is looked at here, and a busy machine is no finding.
  const unmeasured = [0, 1].map((nth) => [["pools", nth, "measure"], false] as const);
  const allow = [...unmeasured, [["unmeasured"], "allow"] as const];
  const files = gameFiles({ sip1: grace, sip2: grace, pol1: allow, pol2: allow });
  lab = await TestLab.up({ files, captures: false, topology: ["--portals"] });
  await lab.connected();
  [alice, bob] = await Promise.all([BrowserPlayer.at(lab.prefix, "uac"), BrowserPlayer.at(lab.prefix, "uas")]);
}, 300_000);
afterAll(async () => {
  await Promise.all([alice?.close(), bob?.close()]);
  await lab?.down();
});

const rows = (router: "r1" | "r2"): Promise<readonly PolicyView[]> => lab.view<PolicyView>(router, "policies");
const packets = (all: readonly PolicyView[]): number =>
  all.reduce((sum, { counters }) => sum + (counters?.inProfile.packets ?? 0), 0);

/** Packets of both directions are counted in flows with this code point, and go on to be. */
async function expectCarried(router: "r1" | "r2", dscp: number): Promise<void> {
  const wanted = 50;
  await untilNothing(`${router}: ${wanted} packets in each flow, marked ${dscp}`, async () => {
    const found = await rows(router);
    const wrong = found.filter((row) => row.dscp !== dscp || (row.counters?.inProfile.packets ?? 0) < wanted);
    if (found.length < 2) return ["there are less than two flows"];
    return wrong.map(({ flow, dscp, counters }) => `${flow}: ${dscp}, ${JSON.stringify(counters)}`);
  });
}

async function hangUp(): Promise<void> {
  await alice!.page.getByRole("button", { name: "End session" }).click();
  await expectNothingLeft(lab);
  for (const { page } of [alice!, bob!]) {
    const close = page.getByRole("button", { name: "Close" });
    if ((await close.count()) > 0) await close.first().click();
  }
}

describe("two browsers", () => {
  test.each([
    ["a game over a data channel", GAME, 32],
    ["a call over SRTP", CALL, 46],
  ])("%s is marked and counted in both routers", async (_name, kind, dscp) => {
    await meet(alice!.page, bob!.page, kind);
    await Promise.all((["r1", "r2"] as const).map((router) => expectCarried(router, dscp)));
    await hangUp();
  });

  test("a portal that is killed: the session goes on, and log-in works when it is back", async () => {
    await meet(alice!.page, bob!.page, GAME);
    await lab.script(["stop", "web1", "KILL"]);
    const before = packets(await rows("r1"));
    await until("packets while the portal is down", async () => packets(await rows("r1")) > before + 50);
    expect([...new Set((await rows("r1")).map(({ dscp }) => dscp))]).toEqual([32]);
    await lab.script(["start", "web1"]);
    expect((await rows("r1")).length, "flows after its restart").toBeGreaterThan(0);
    await hangUp();
    await alice!.close();
    alice = await BrowserPlayer.at(lab.prefix, "uac");
  });

  test("a browser that is killed: its session ends within flowGrace and 3 s", async () => {
    await meet(alice!.page, bob!.page, GAME);
    await expectCarried("r1", 32);
    alice!.kill();
    await untilNothing("something is left of a killed browser's session", () => lab.leftovers(), {
      within: FLOW_GRACE + 3000,
    });
    await bob!.page.getByText("in session", { exact: true }).waitFor({ state: "hidden" });
  });
});
