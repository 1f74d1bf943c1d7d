import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { PASSWORD } from "../support.js";
import { type Stage, startStage, violations } from "./support/page.js";

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
async function tabTo(page: Page, name: string, key: "Tab" | "Shift+Tab" = "Tab"): Promise<void> {
  const passed: string[] = [];
  for (let count = 0; count < 40; count += 1) {
    await page.keyboard.press(key);
    const now = await focused(page);
    passed.push(now.name);
    if (now.name !== "" && !now.isVisible) throw new Error(`nobody sees the focus on ${now.name}`);
    if (now.name === name) return;
  }
  throw new Error(`no way by Tab to ${name}: ${passed.join(" | ")}`);
}

/** An invitation is there, and has been for long enough. */
const answerable = (page: Page): Promise<void> => page.getByRole("button", { name: "Decline" }).click({ trial: true });

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
    await tabTo(bob, "Accept");
    await answerable(bob);
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
    await answerable(bob);
    await bob.keyboard.press("Escape");
    await alice.getByText("They declined.").first().waitFor();
  },
  TIMEOUT,
);

it(
  "whoever types or clicks as an invitation comes accepts nothing, and declines nothing",
  async () => {
    const [alice, bob] = [await stage.enter("alice"), await stage.enter("bob")];
    await bob.evaluate(`new MutationObserver(() => {
      for (const each of document.querySelectorAll("dialog button")) each.click();
    }).observe(document.body, { childList: true })`);
    await bob.getByLabel("Nick name or address").focus();
    await alice.getByRole("button", { name: "Invite Bo" }).click();
    await alice.getByRole("button", { name: "Send invitation" }).click();
    await bob.getByRole("dialog").waitFor();
    for (const key of ["Enter", "Space", "Escape"]) await bob.keyboard.press(key);
    expect((await focused(bob)).name).toMatch(/^alice@a\.example invites you to a game$/);
    await answerable(bob);
    for (const key of ["Enter", "Space"]) await bob.keyboard.press(key);
    expect(await bob.getByRole("dialog").count()).toBe(1);
    expect(await alice.getByText("ringing", { exact: true }).count()).toBe(1);
    await bob.getByRole("button", { name: "Accept", exact: true }).click();
    await alice.getByText("in session", { exact: true }).waitFor();
  },
  TIMEOUT,
);

it(
  "an invitation during a session leaves the keyboard where it is, and can be answered by it",
  async () => {
    const [alice, bob, olga] = [await stage.enter("alice"), await stage.enter("bob"), await stage.enter("olga")];
    await alice.getByRole("button", { name: "Invite Bo" }).click();
    await alice.getByRole("button", { name: "Send invitation" }).click();
    await bob.getByRole("button", { name: "Accept", exact: true }).click();
    const field = bob.getByLabel("The field of the duel");
    await field.focus();
    const invite = async (): Promise<void> => {
      await olga.getByRole("button", { name: "Invite Bo" }).click();
      await olga.getByRole("button", { name: "Send invitation" }).click();
      await bob.getByRole("region", { name: "olga@a.example invites you to a game" }).waitFor();
      await answerable(bob);
    };
    await invite();
    expect(await bob.getByRole("dialog").count()).toBe(0);
    expect(await bob.getByRole("alert").filter({ hasText: "olga@a.example invites you." }).count()).toBe(1);
    expect((await focused(bob)).name).toBe("The field of the duel");
    for (const key of ["Enter", "Space", "Escape"]) await bob.keyboard.press(key);
    await bob.getByText("in session", { exact: true }).waitFor();
    expect(await violations(bob)).toEqual([]);
    await bob.getByRole("link", { name: "Records" }).click();
    await bob.getByText("Accepting ends a session that goes on.").waitFor();
    await bob.getByRole("link", { name: "Play and call" }).click();

    await field.focus();
    await tabTo(bob, "Decline", "Shift+Tab");
    await bob.keyboard.press("Enter");
    await olga.getByText("They declined.").first().waitFor();
    await olga.getByRole("button", { name: "Close" }).click();
    expect(await bob.evaluate("document.activeElement.id")).toBe("main");

    await invite();
    await tabTo(bob, "Accept", "Shift+Tab");
    await bob.keyboard.press("Enter");
    await olga.getByText("in session", { exact: true }).waitFor();
    await alice.getByText("The other side ended the session.").first().waitFor();
    expect(stage.strays).toEqual([]);
  },
  TIMEOUT,
);
