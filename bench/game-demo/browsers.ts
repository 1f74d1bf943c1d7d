/** The players' browsers: a Chromium in the namespace of each, logged in at the portal of its own provider. */
import type { Page } from "playwright-core";
import type { Lab } from "../../src/lab/lab.js";
import { startChromium } from "../chromium.js";
import { logIn } from "../log-in.js";

const VIEWPORT = { width: 1280, height: 900 } as const;
/** A machine with two floods and two browsers is busy. */
const PATIENCE_MS = 20_000;

/** Players have machines of their own; the roles go before them all the same. */
const NICENESS = -5;

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

/** @param host - of the lab, where it runs */
export async function startBrowser(lab: Lab, host: string): Promise<PlayerBrowser> {
  const { browser, close } = await startChromium({ namespace: `${lab.prefix}-${host}`, niceness: NICENESS });
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
      await logIn(page, user, password);
      return { user, page, messages };
    },
    close,
  };
}
