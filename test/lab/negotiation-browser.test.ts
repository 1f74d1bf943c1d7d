/** Two browsers in two access networks: what they send is marked and counted, and nothing outlives them. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logIn } from "../../bench/log-in.js";
import type { CounterView } from "../../src/control/counter-views.js";
import type { PolicyView, SessionView } from "../../src/control/views.js";
import { captured, classPackets, contentOf } from "./support/browser-packets.js";
import { BrowserPlayer, meet } from "./support/browser-player.js";
import { expectNothingLeft } from "./support/expectations.js";
import { gameFiles } from "./support/negotiation-lab.js";
import { TestLab } from "./support/test-lab.js";
import { until, untilNothing } from "./support/until.js";

const FLOW_GRACE = 3000;
const GAME = "Fast game (game-fps)";
const CALL = "Audio call (conversational)";
const ROUTERS = ["r1", "r2"] as const;
type Router = (typeof ROUTERS)[number];
/** Of the pools `game` and `voice`, on every device. */
const CLASSES = { game: "1:12", voice: "1:11" } as const;

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

const rows = (router: Router): Promise<readonly PolicyView[]> => lab.view<PolicyView>(router, "policies");
const packets = (all: readonly PolicyView[]): number =>
  all.reduce((sum, { counters }) => sum + (counters?.inProfile.packets ?? 0), 0);

/** Packets of both directions are counted in flows with this code point, and go on to be. */
async function expectCarried(router: Router, dscp: number): Promise<void> {
  const wanted = 50;
  await untilNothing(`${router}: ${wanted} packets in each flow, marked ${dscp}`, async () => {
    const found = await rows(router);
    const wrong = found.filter((row) => row.dscp !== dscp || (row.counters?.inProfile.packets ?? 0) < wanted);
    if (found.length < 2) return ["there are less than two flows"];
    return wrong.map(({ flow, dscp, counters }) => `${flow}: ${dscp}, ${JSON.stringify(counters)}`);
  });
}

const isToBob = (flow: string): boolean => / > 10\.3\./.test(flow);

/** The one that leads to the receiver. */
const deviceOf = (router: Router, { flow }: PolicyView): "core" | "access" =>
  isToBob(flow) === (router === "r1") ? "core" : "access";

/** What leaves its sender without a mark comes marked to its receiver, both ways, and is of the wanted kind. */
async function expectMarked(dscp: number, content: "dtls" | "srtp"): Promise<void> {
  const flows = (await rows("r1")).map(({ flow }) => flow);
  expect(flows).toHaveLength(2);
  const looks = flows.map(async (flow) => {
    const [sender, receiver] = isToBob(flow) ? (["uac", "uas"] as const) : (["uas", "uac"] as const);
    const [sent, got] = await Promise.all([captured(lab, sender, flow), captured(lab, receiver, flow)]);
    expect([...new Set(sent.map((packet) => packet.dscp))], `${flow} at ${sender}`).toEqual([0]);
    expect([...new Set(got.map((packet) => packet.dscp))], `${flow} at ${receiver}`).toEqual([dscp]);
    const kinds = got.map(contentOf);
    expect(kinds.filter((kind) => kind === content).length, `${flow}: ${kinds}`).toBeGreaterThan(kinds.length / 2);
    expect(kinds).not.toContain("other");
  });
  await Promise.all(looks);
}

const classesOf = (router: Router) =>
  Promise.all([classPackets(lab, router, "core"), classPackets(lab, router, "access")]);

type Classes = Awaited<ReturnType<typeof classesOf>>;

/** Every packet that the rows count has gone through the queue of its pool, and none through the other's. */
async function expectClassed(router: Router, before: Classes, pool: keyof typeof CLASSES): Promise<void> {
  const counted = await rows(router);
  const after = await classesOf(router);
  (["core", "access"] as const).forEach((device, index) => {
    const grown = (id: string): number => (after[index]![id] ?? Number.NaN) - (before[index]![id] ?? Number.NaN);
    const flows = counted.filter((row) => deviceOf(router, row) === device);
    expect(flows, `flows of ${router} to ${device}`).toHaveLength(1);
    expect(grown(CLASSES[pool]), `packets of ${router} to ${device}`).toBeGreaterThanOrEqual(packets(flows));
    expect(grown(CLASSES[pool === "game" ? "voice" : "game"]), `others of ${router} to ${device}`).toBe(0);
  });
}

const counter = async (role: "sip1" | "sip2", name: string): Promise<number> =>
  (await lab.view<CounterView>(role, "counters")).find((row) => row.counter === name)?.value ?? Number.NaN;

/** The page's session says so; what was announced before does not count. */
const says = (page: Page, text: string): Promise<void> =>
  page
    .getByRole("region", { name: /^(You invited|Invited by) / })
    .getByText(text)
    .first()
    .waitFor();

/** Takes away what the pages show of sessions that are over. */
async function tidy(): Promise<void> {
  for (const { page } of [alice!, bob!]) {
    const close = page.getByRole("button", { name: "Close" });
    if ((await close.count()) > 0) await close.first().click();
  }
}

async function hangUp(): Promise<void> {
  await alice!.page.getByRole("button", { name: "End session" }).click();
  await expectNothingLeft(lab);
  await tidy();
}

/** One more page of somebody who is logged in, ready to call and be called. */
async function anotherPage({ page }: BrowserPlayer): Promise<Page> {
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByText("ready", { exact: true }).waitFor();
  return other;
}

/** Types a name that stands in no list. */
async function inviteByName(page: Page, name: string): Promise<void> {
  await page.getByLabel("Nick name or address").fill(name);
  await page.getByRole("button", { name: "Invite by name" }).click();
  await page.getByRole("radio", { name: GAME }).check();
  await page.getByRole("button", { name: "Send invitation" }).click();
}

/** Bob logs out, and in again when `meanwhile` is done. */
async function whileOut(meanwhile: () => Promise<void>): Promise<void> {
  const { page } = bob!;
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await meanwhile();
  await logIn(page, "bob", "bob-in-the-lab");
}

describe("two browsers", () => {
  test.each([
    ["a game over a data channel", GAME, 32, "dtls", "game"],
    ["a call over SRTP", CALL, 46, "srtp", "voice"],
  ] as const)("%s is marked, classed and counted in both routers", async (_name, kind, dscp, content, pool) => {
    const before = await Promise.all(ROUTERS.map(classesOf));
    await meet(alice!.page, bob!.page, kind);
    await Promise.all(ROUTERS.map((router) => expectCarried(router, dscp)));
    await expectMarked(dscp, content);
    await Promise.all(ROUTERS.map((router, index) => expectClassed(router, before[index]!, pool)));
    await hangUp();
  });

  test("a nick name of the other provider is found in the directory, whatever its case", async () => {
    const before = await counter("sip1", "users.nicknames");
    await inviteByName(alice!.page, "bOBBY");
    await bob!.page.getByRole("button", { name: "Accept", exact: true }).click();
    for (const { page } of [alice!, bob!]) await page.getByText("in session", { exact: true }).waitFor();
    expect((await counter("sip1", "users.nicknames")) - before).toBe(1);
    await Promise.all(ROUTERS.map((router) => expectCarried(router, 32)));
    for (const server of ["pol1", "pol2"] as const) {
      const sessions = await lab.view<SessionView>(server, "sessions");
      const between = { state: "reserved", caller: "alice@a.example", callee: "bob@b.example" };
      expect(sessions).toContainEqual(expect.objectContaining(between));
    }
    await hangUp();
  });

  test("a nick name that nobody has is 404, one whose owner is off-line 480, and the page says so", async () => {
    // The page has a sentence of its own for each status.
    const { page } = alice!;
    await inviteByName(page, "nobody-has-this");
    await says(page, "Nobody has this name.");
    await tidy();
    await whileOut(async () => {
      await page.getByRole("button", { name: "Invite Bobby" }).waitFor({ state: "detached" });
      await inviteByName(page, "BOBBY");
      await says(page, "They are not on-line, or do not answer.");
      await tidy();
    });
    await expectNothingLeft(lab);
  });

  test.each([
    ["the page of his session", false, "The other side ended the session."],
    ["another of his pages", true, "User Left"],
  ])("who logs out in %s ends his session, and the other hears why", async (_name, isAnother, why) => {
    // Of two pages it rings in the one that came last.
    const other = isAnother ? await anotherPage(bob!) : undefined;
    await meet(alice!.page, other ?? bob!.page, GAME);
    await expectCarried("r1", 32);
    await whileOut(async () => {
      await says(alice!.page, why);
      await expectNothingLeft(lab);
      await other?.close();
      await tidy();
    });
  });

  test("a page that is closed, of a browser that lives: its session ends within flowGrace and 3 s", async () => {
    const tab = await anotherPage(alice!);
    await meet(tab, bob!.page, GAME);
    await expectCarried("r1", 32);
    await tab.close();
    await untilNothing("something is left of a closed page's session", () => lab.leftovers(), {
      within: FLOW_GRACE + 3000,
    });
    await says(bob!.page, "User Left");
    await alice!.page.getByText("ready", { exact: true }).waitFor();
    await tidy();
  });

  test("a page of another origin gets no WebSocket of the proxy, and is counted", async () => {
    const before = await counter("sip1", "connections.foreignOrigin");
    const context = await alice!.page.context().browser()!.newContext({ ignoreHTTPSErrors: true });
    // Without it the browser itself keeps pages of the Internet from addresses of the site.
    await context.grantPermissions(["local-network-access"], { origin: "https://evil.example" });
    const page = await context.newPage();
    await page.route("https://evil.example/", (route) => route.fulfill({ contentType: "text/html", body: "" }));
    await page.goto("https://evil.example/");
    const outcome = await page.evaluate(`new Promise((resolve) => {
      const socket = new WebSocket("wss://10.1.0.5:5443/sip", "sip");
      socket.onopen = () => resolve("opened");
      socket.onerror = () => resolve("refused");
    })`);
    expect(outcome).toBe("refused");
    expect((await counter("sip1", "connections.foreignOrigin")) - before).toBe(1);
    await context.close();
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
