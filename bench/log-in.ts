/** Logging in at the portal's page, as people do. */
import type { Page } from "playwright-core";

/** Resolves when the page is registered. */
export async function logIn(page: Page, user: string, password: string): Promise<void> {
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("ready", { exact: true }).waitFor();
}
