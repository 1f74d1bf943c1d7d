/** A person at a browser on a host of a lab, at the page of the portal there. */
import type { Page } from "playwright-core";
import { type Chromium, startChromium } from "../../../bench/chromium.js";
import { logIn } from "../../../bench/log-in.js";

const PEOPLE = {
  uac: { url: "https://10.1.0.8:8443/", user: "alice" },
  uas: { url: "https://10.3.0.8:8443/", user: "bob" },
} as const;

export class BrowserPlayer {
  readonly page: Page;
  readonly #chromium: Chromium;

  private constructor(page: Page, chromium: Chromium) {
    this.page = page;
    this.#chromium = chromium;
  }

  /** Logged in. */
  static async at(prefix: string, host: keyof typeof PEOPLE): Promise<BrowserPlayer> {
    const chromium = await startChromium({ namespace: `${prefix}-${host}` });
    const context = await chromium.browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const { url, user } = PEOPLE[host];
    await page.goto(url);
    await logIn(page, user, `${user}-in-the-lab`);
    return new BrowserPlayer(page, chromium);
  }

  /** The browser's own process, without a word to anybody. */
  kill(): void {
    this.#chromium.kill();
  }

  close(): Promise<void> {
    return this.#chromium.close();
  }
}

/** Both in a session. @param kind - as the page names what it is for */
export async function meet(alice: Page, bob: Page, kind: string): Promise<void> {
  await alice.getByRole("button", { name: "Invite Bobby" }).click();
  await alice.getByRole("radio", { name: kind }).check();
  await alice.getByRole("button", { name: "Send invitation" }).click();
  await bob.getByRole("button", { name: "Accept", exact: true }).click();
  for (const page of [alice, bob]) await page.getByText("in session", { exact: true }).waitFor();
}
