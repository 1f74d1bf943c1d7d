/** What the two players do, as people would: by what the page shows. And what the page says in return. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { SystemError } from "../../src/model/errors.js";
import { fieldIn, numberIn } from "../pools-demo/views.js";
import type { Player } from "./browsers.js";
import type { LinkShown, PageFigures, ShownGrant } from "./evidence.js";

interface ScriptStep {
  readonly press: readonly ("up" | "down" | "dash")[];
  readonly for: number;
}

/** @throws SystemError with what the caller's page says, if there is no session. @returns milliseconds from acceptance to "in session" on both pages */
export async function agree(caller: Player, callee: Player, nick: string): Promise<number> {
  await caller.page.getByRole("button", { name: `Invite ${nick}` }).click();
  await caller.page.getByRole("radio", { name: "(game-fps)" }).check();
  await caller.page.getByRole("button", { name: "Send invitation" }).click();
  const accept = callee.page.getByRole("button", { name: "Accept", exact: true });
  try {
    await accept.waitFor();
    const began = performance.now();
    await accept.click();
    for (const { page } of [caller, callee]) await page.getByText("in session", { exact: true }).waitFor();
    return Math.round(performance.now() - began);
  } catch (error) {
    const told = await caller.page.locator(".end:not(:empty)").allInnerTexts();
    if (told.length === 0) throw error;
    throw new SystemError("LAB_CALL", `there is no session: ${told.join(" ").replaceAll(/\s+/g, " ")}`);
  }
}

/** Resolves when packets of the second connection come in on both sides. @throws SystemError if they do not in time */
export async function compare(caller: Player, callee: Player, patienceMs: number): Promise<void> {
  await caller.page.getByRole("checkbox", { name: /^Compare with a second connection/ }).check();
  const end = performance.now() + patienceMs;
  const isOpen = async ({ page }: Player): Promise<boolean> =>
    page.evaluate("(__sluice.measurements().bestEffortTotals?.received ?? 0) > 0");
  while (!(await isOpen(caller)) || !(await isOpen(callee))) {
    if (performance.now() > end) {
      throw new SystemError("LAB_CALL", `the second connection did not come about within ${patienceMs} ms`);
    }
    await sleep(250);
  }
}

/** Up and down over the field, the one against the other. */
export async function play(players: readonly Player[], seconds: number): Promise<void> {
  const strokes: readonly ScriptStep[] = [
    { press: ["down"], for: 500 },
    { press: ["up", "dash"], for: 400 },
    { press: [], for: 100 },
  ];
  const script = Array.from({ length: seconds }, () => strokes).flat();
  await Promise.all(
    players.map(({ page }, index) => {
      const own = index % 2 === 0 ? script : script.toReversed();
      return page.evaluate(`__sluice.play(${JSON.stringify(own)})`);
    }),
  );
}

export async function pageFigures({ user, page }: Player): Promise<PageFigures> {
  const shown: unknown = await page.evaluate("__sluice.measurements()");
  const counts = (value: unknown): PageFigures["counters"] => ({
    sent: numberIn(value, "sent"),
    received: numberIn(value, "received"),
    expected: numberIn(value, "expected"),
  });
  const counters = fieldIn(shown, "counters");
  return {
    user,
    assured: linkShown(fieldIn(shown, "assured")),
    bestEffort: linkShown(fieldIn(shown, "bestEffort")),
    counters: counts(counters),
    bestEffortCounters: counts(fieldIn(shown, "bestEffortTotals")),
    stalls: numberIn(counters, "stalls"),
    diverged: fieldIn(counters, "diverged") === true,
  };
}

/** Counters without what was counted before: while the flood pauses, the second connection loses nothing. */
export function since(before: PageFigures | undefined, after: PageFigures): PageFigures {
  if (before === undefined) return after;
  const grown = (one: PageFigures["counters"], other: PageFigures["counters"]): PageFigures["counters"] => ({
    sent: other.sent - one.sent,
    received: other.received - one.received,
    expected: other.expected - one.expected,
  });
  return {
    ...after,
    counters: grown(before.counters, after.counters),
    bestEffortCounters: grown(before.bestEffortCounters, after.bestEffortCounters),
  };
}

function linkShown(link: unknown): LinkShown {
  const found = (["roundTrip", "jitter", "lossIn"] as const).flatMap((name) => {
    const value = typeof link === "object" && link !== null ? (link as Record<string, unknown>)[name] : undefined;
    return typeof value === "number" ? [[name, Math.round(value * 1000) / 1000] as const] : [];
  });
  return Object.fromEntries(found);
}

/** The table "What the network granted". */
export async function shownGrants(page: Page): Promise<readonly ShownGrant[]> {
  const rows = page.getByRole("table", { name: "What the network granted" }).getByRole("row");
  const cells = await Promise.all((await rows.all()).map((row) => row.getByRole("cell").allInnerTexts()));
  return cells.flatMap(([, by, result, rates, phb]) =>
    by === undefined || result === undefined || rates === undefined || phb === undefined
      ? []
      : [{ by, result, rates, phb }],
  );
}

/** Of the page's own user, those that have ended by now. @throws SystemError if the portal does not give any */
export async function askRecords({ page, user }: Player): Promise<unknown> {
  const asked = `fetch("/api/records?limit=25").then(async (answer) => [answer.status, await answer.text()])`;
  const [status, text]: [number, string] = await page.evaluate(asked);
  if (status !== 200) throw new SystemError("LAB_VIEW", `records of ${user}: ${status} ${text}`);
  return JSON.parse(text);
}

export async function hangUp(caller: Player, callee: Player): Promise<void> {
  await caller.page.getByRole("button", { name: "End session" }).click();
  for (const { page } of [caller, callee]) await page.getByText("ended", { exact: true }).waitFor();
}
