import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { PASSWORD } from "../support.js";
import { type Stage, startStage } from "./support/page.js";

const TIMEOUT = 90_000;
let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
}, TIMEOUT);
afterEach(() => stage.leave());
afterAll(() => stage.close());

/** What has the focus, by what a screen reader would say of it, and whether one sees that it has. */
const focused = (page: Page): Promise<{ name: string; isVisible: boolean }> =>
  page.evaluate(`(() => {
    const element = document.activeElement;
    const label = element.labels?.[0]?.textContent ?? "";
    const name = element.getAttribute("aria-label") ?? (label || element.textContent);
    const style = getComputedStyle(element);
    return { name: name.trim(), isVisible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
  })()`);

/** Tabs on until something of that name has the focus; the focus is seen at each step. */
async function tabTo(page: Page, name: string): Promise<void> {
  const passed: string[] = [];
  for (let count = 0; count < 40; count += 1) {
    await page.keyboard.press("Tab");
    const now = await focused(page);
    passed.push(now.name);
    if (now.name !== "" && !now.isVisible) throw new Error(`nobody sees the focus on ${now.name}`);
    if (now.name === name) return;
  }
  throw new Error(`no way by Tab to ${name}: ${passed.join(" | ")}`);
}

it(
  "everything from logging in to playing and hanging up is done by keyboard alone",
  async () => {
    const [alice, bob] = [await stage.open(), await stage.enter("bob")];
    await tabTo(alice, "Name");
    await alice.keyboard.type("alice");
    await tabTo(alice, "Password");
    await alice.keyboard.type(PASSWORD);
    await alice.keyboard.press("Enter");
    await alice.getByText("ready", { exact: true }).waitFor();
    await alice.getByRole("button", { name: "Invite Bo" }).waitFor();

    await tabTo(alice, "To the content");
    await alice.keyboard.press("Enter");
    await tabTo(alice, "Invite Bo");
    await alice.keyboard.press("Enter");
    await tabTo(alice, "Latency, one way: wanted");
    await alice.keyboard.press("ArrowRight");
    await tabTo(alice, "Send invitation");
    await alice.keyboard.press("Enter");

    await bob.getByRole("heading", { name: /invites you to a game/ }).waitFor();
    expect(await bob.getByText("latency 45 to 80 ms").count()).toBeGreaterThan(0);
    expect((await focused(bob)).name).toBe("Accept");
    await bob.keyboard.press("Enter");

    await alice.getByText("in session", { exact: true }).waitFor();
    await alice.getByRole("heading", { name: "Duel" }).waitFor();
    await tabTo(alice, "The field of the duel");
    await alice.keyboard.down("ArrowDown");
    await alice.waitForTimeout(500);
    await alice.keyboard.up("ArrowDown");
    await tabTo(alice, "End session");
    await alice.keyboard.press("Enter");
    await bob.getByText("The other side ended the session.").first().waitFor();
    expect(stage.strays).toEqual([]);
  },
  TIMEOUT,
);

it(
  "Escape declines an invitation, and leaves one's own unsent",
  async () => {
    const [alice, bob] = [await stage.enter("alice"), await stage.enter("bob")];
    await alice.getByRole("button", { name: "Invite Bo" }).click();
    await alice.keyboard.press("Escape");
    expect(await alice.getByRole("dialog").count()).toBe(0);
    expect((await focused(alice)).name).toBe("Invite Bo");
    await alice.keyboard.press("Enter");
    await alice.getByRole("button", { name: "Send invitation" }).click();
    await bob.getByRole("heading", { name: /invites you/ }).waitFor();
    await bob.keyboard.press("Escape");
    await alice.getByText("They declined.").first().waitFor();
  },
  TIMEOUT,
);
