/** The hand that presses in a player's page. */
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";

const HAND = fileURLToPath(new URL("../../../bench/page-hand.js", import.meta.url));
const PATIENCE_MS = 20_000;

/** Milliseconds since 1970, by what happened in the page. */
export type Stamps = Readonly<Record<string, number>>;

/** What bench/page-hand.js leaves in the page. */
interface Hand {
  readonly stamps: Stamps;
  logIn(user: string, password: string, invites: string | undefined, asksForQuality: boolean): void;
  press(label: string): void;
  forget(): void;
}
type HandedWindow = typeof globalThis & { readonly __hand: Hand };

/** One page of one visit. */
export class Visit {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  static async open(browser: Browser, portal: string): Promise<Visit> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.addInitScript({ path: HAND });
    await page.goto(portal);
    await page.getByRole("button", { name: "Log in" }).waitFor();
    return new Visit(page);
  }

  /** @param invites - nick name of who is invited when it can be; absent: who logs in waits */
  async logIn(user: string, invites?: string, asksForQuality = true): Promise<void> {
    const given = [user, `${user}-in-the-lab`, invites, asksForQuality] as const;
    await this.#page.evaluate((values) => (globalThis as HandedWindow).__hand.logIn(...values), given);
  }

  /** The page's stamps, once it has all of these. @throws Error if one does not come in time */
  async stamps(...names: readonly string[]): Promise<Stamps> {
    const has = (wanted: readonly string[]): boolean =>
      wanted.every((name) => (globalThis as HandedWindow).__hand.stamps[name] !== undefined);
    try {
      await this.#page.waitForFunction(has, names, { timeout: PATIENCE_MS, polling: 20 });
    } catch (error) {
      const text = await this.#page.locator("body").innerText();
      throw new Error(`the page came only so far: ${JSON.stringify(await this.#read())}\n${text}`, { cause: error });
    }
    return this.#read();
  }

  async press(label: string): Promise<void> {
    await this.#page.evaluate((name) => (globalThis as HandedWindow).__hand.press(name), label);
  }

  async says(text: string): Promise<void> {
    await this.#page.getByText(text, { exact: true }).first().waitFor({ timeout: PATIENCE_MS });
  }

  async forget(): Promise<void> {
    await this.#page.evaluate(() => (globalThis as HandedWindow).__hand.forget());
  }

  async close(): Promise<void> {
    await this.#page.context().close();
  }

  #read(): Promise<Stamps> {
    return this.#page.evaluate(() => ({ ...(globalThis as HandedWindow).__hand.stamps }));
  }
}
