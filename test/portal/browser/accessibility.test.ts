import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { logIn, type Stage, startStage, violations } from "./support/page.js";
import { type Roles, startRoles } from "./support/roles.js";

const TIMEOUT = 90_000;
let roles: Roles;
let stage: Stage;

beforeAll(async () => {
  roles = await startRoles();
  stage = await startStage(roles.options);
  stage.relay.policy.granted = ["0;class=game-fps;phb=EF;result=granted;to-caller=160;to-callee=160;by=pol1.a.example"];
}, TIMEOUT);

afterEach(() => stage.leave());

afterAll(async () => {
  await stage.close();
  await roles.close();
});

/** And that nothing has to be scrolled sideways where there is little room (WCAG 2.2, 1.4.10). */
const check = async (page: Page): Promise<void> => {
  expect(await violations(page)).toEqual([]);
  const before = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 640 });
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
  if (before !== null) await page.setViewportSize(before);
};

describe.each(["light", "dark"] as const)("axe-core finds nothing wrong in %s", (colorScheme) => {
  it(
    "with logging in",
    async () => {
      const page = await stage.open({ colorScheme });
      await page.getByLabel("Name").fill("alice");
      await page.getByLabel("Password").fill("wrong");
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByText("Name or password is wrong.").waitFor();
      await check(page);
    },
    TIMEOUT,
  );

  it(
    "with inviting, being invited, playing and what comes after",
    async () => {
      const [alice, bob] = [await stage.open({ colorScheme }), await stage.open({ colorScheme })];
      await logIn(alice, "alice");
      await logIn(bob, "bob");
      await check(alice);
      await alice.getByRole("button", { name: "Invite Bo" }).click();
      await check(alice);
      await alice.getByRole("button", { name: "Send invitation" }).click();
      await bob.getByText("Accept with other needs").click();
      await check(bob);
      await bob.getByRole("button", { name: "Accept", exact: true }).click();
      await alice.getByRole("heading", { name: "Duel" }).waitFor();
      await alice.getByLabel("Compare with a second connection").check();
      await alice.waitForTimeout(1500);
      await check(alice);
      await alice.getByRole("button", { name: "Change needs" }).click();
      await check(alice);
      await alice.getByRole("button", { name: "Leave it" }).click();
      await alice.getByRole("button", { name: "End session" }).click();
      await bob.getByText("The other side ended the session.").first().waitFor();
      await check(bob);
    },
    TIMEOUT,
  );

  it(
    "with records",
    async () => {
      const page = await stage.open({ colorScheme });
      await logIn(page, "alice");
      await page.getByRole("link", { name: "Records" }).click();
      await page.getByRole("cell", { name: "0.12 EUR" }).waitFor();
      await check(page);
      expect(await page.getByRole("link", { name: "Network" }).count()).toBe(0);
    },
    TIMEOUT,
  );

  it(
    "with the operators' page",
    async () => {
      const page = await stage.open({ colorScheme });
      await logIn(page, "olga");
      await page.getByRole("link", { name: "Network" }).click();
      await page.getByText("Pool games of pol1").waitFor();
      await page.getByRole("cell", { name: "unreachable" }).waitFor();
      await page.getByRole("button", { name: "0123456789abcdef" }).click();
      await page.getByRole("region", { name: "Sequence diagram" }).waitFor();
      await page.getByText("r1: 2 flows, as it should be").waitFor();
      await check(page);
    },
    TIMEOUT,
  );
});

it("no request has left the page's own origin, and its policy had nothing to stop", () => {
  expect(stage.strays).toEqual([]);
});
