/** The players' browsers: a Chromium in the namespace of each, logged in at the portal of its own provider. */
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Lab } from "../../src/lab/lab.js";
import { SystemError } from "../../src/model/errors.js";

const CHROMIUM = "/usr/bin/chromium";
const VIEWPORT = { width: 1280, height: 900 } as const;
/** A machine with two floods and two browsers is busy. */
const PATIENCE_MS = 20_000;

/** Without host candidates by mDNS, which namespaces do not carry; certificates are of the lab's own authority. */
const FLAGS = [
  "--no-sandbox",
  "--ignore-certificate-errors",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/** A SIP message as a browser sent it or got it, over its WebSocket. */
export interface SeenMessage {
  readonly isSent: boolean;
  readonly text: string;
}

export interface Player {
  readonly user: string;
  readonly page: Page;
  readonly messages: readonly SeenMessage[];
}

export interface PlayerBrowser {
  /** A page with cookies of its own, logged in and registered. */
  logIn(url: string, user: string, password: string): Promise<Player>;
  close(): Promise<void>;
}

/** @param host - the namespace that it runs in. @param work - directory for the program that starts it there */
export async function startBrowser(lab: Lab, host: string, work: string): Promise<PlayerBrowser> {
  if (!existsSync(CHROMIUM)) {
    throw new SystemError("LAB_BROWSER", `${CHROMIUM} is not there; install the package chromium`);
  }
  const executablePath = join(work, `chromium-${host}`);
  // Players have machines of their own; the roles go before them all the same.
  const start = `exec nice -n -5 ip netns exec ${lab.prefix}-${host} ${CHROMIUM} "$@"`;
  writeFileSync(executablePath, `#!/bin/sh\n${start}\n`);
  chmodSync(executablePath, 0o755);
  const browser: Browser = await chromium.launch({ executablePath, args: FLAGS, handleSIGINT: false });
  return {
    logIn: async (url, user, password) => {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: VIEWPORT, colorScheme: "light" });
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      const messages: SeenMessage[] = [];
      page.on("websocket", (socket) => {
        socket.on("framesent", ({ payload }) => void messages.push({ isSent: true, text: String(payload) }));
        socket.on("framereceived", ({ payload }) => void messages.push({ isSent: false, text: String(payload) }));
      });
      await page.goto(url);
      await page.getByLabel("Name").fill(user);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByText("ready", { exact: true }).waitFor();
      return { user, page, messages };
    },
    close: () => browser.close(),
  };
}
