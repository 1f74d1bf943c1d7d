/** A person at a browser on a host of a lab, at the page of the portal there. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserServer, chromium, type Page } from "playwright-core";

const PEOPLE = {
  uac: { url: "https://10.1.0.8:8443/", user: "alice" },
  uas: { url: "https://10.3.0.8:8443/", user: "bob" },
} as const;

const ARGS = [
  "--no-sandbox",
  "--ignore-certificate-errors",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

export class BrowserPlayer {
  readonly page: Page;
  readonly #server: BrowserServer;
  readonly #browser: Browser;
  readonly #directory: string;

  private constructor(parts: { page: Page; server: BrowserServer; browser: Browser; directory: string }) {
    this.page = parts.page;
    this.#server = parts.server;
    this.#browser = parts.browser;
    this.#directory = parts.directory;
  }

  /** Logged in. */
  static async at(prefix: string, host: keyof typeof PEOPLE): Promise<BrowserPlayer> {
    const directory = mkdtempSync(join(tmpdir(), `sluice-${prefix}-${host}-`));
    const executablePath = join(directory, "chromium");
    writeFileSync(executablePath, `#!/bin/sh\nexec ip netns exec ${prefix}-${host} /usr/bin/chromium "$@"\n`);
    chmodSync(executablePath, 0o755);
    const server = await chromium.launchServer({ executablePath, args: ARGS });
    const browser = await chromium.connect(server.wsEndpoint());
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const player = new BrowserPlayer({ page: await context.newPage(), server, browser, directory });
    await player.logIn(host);
    return player;
  }

  async logIn(host: keyof typeof PEOPLE): Promise<void> {
    const { url, user } = PEOPLE[host];
    await this.page.goto(url);
    await this.page.getByLabel("Name").fill(user);
    await this.page.getByLabel("Password").fill(`${user}-in-the-lab`);
    await this.page.getByRole("button", { name: "Log in" }).click();
    await this.page.getByText("ready", { exact: true }).waitFor();
  }

  /** The browser's own process, without a word to anybody. */
  kill(): void {
    this.#server.process().kill("SIGKILL");
  }

  async close(): Promise<void> {
    await this.#browser.close().catch(() => undefined);
    await this.#server.close().catch(() => undefined);
    rmSync(this.#directory, { recursive: true, force: true });
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
