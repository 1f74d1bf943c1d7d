/** The built page in a real browser, served by the portal's own server. Nothing but loopback can be reached. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { startChromium } from "../../../../bench/chromium.js";
import { logIn as logInAs } from "../../../../bench/log-in.js";
import { Pages } from "../../../../src/portal/http/pages.js";
import type { PortalOptions } from "../../../../src/portal/portal.js";
import { ORIGIN, PASSWORD, type RunningPortal, startPortal } from "../../support.js";
import { type SipRelay, startSipRelay } from "./sip-relay.js";

const run = promisify(execFile);

/** As the portal makes them: `<epoch s>:<user>`; here with a password that the relay knows too. */
const passwordOf = (username: string): string => `p-${username}`;

export interface Stage {
  readonly browser: Browser;
  readonly portal: RunningPortal;
  readonly relay: SipRelay;
  /** Requests that went, or wanted to go, somewhere else; and what the page's policy stopped. */
  readonly strays: string[];
  /** A browser of its own, with its own cookies, at the page. */
  open(options?: { readonly colorScheme?: "light" | "dark" }): Promise<Page>;
  /** Likewise, logged in. */
  enter(user: string): Promise<Page>;
  /** Closes every page that is open. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

export async function buildPage(): Promise<string> {
  const target = mkdtempSync(join(tmpdir(), "sluice-page-"));
  await run(process.execPath, ["scripts/build-web.mjs", target]);
  return target;
}

/**
 * @param options - of the portal, beside what the page needs
 * @param wssPort - where SIP is taken, if not by the relay
 * @param isOpen - the browser lets pages have microphone and camera, and with them its addresses, without being asked
 */
export async function startStage(
  options: Partial<PortalOptions> = {},
  wssPort?: number,
  isOpen = true,
): Promise<Stage> {
  const built = await buildPage();
  const relay = await startSipRelay(passwordOf);
  const portal = await startPortal({
    pages: new Pages(built),
    credentials: (user, expires) => {
      const username = `${Math.floor(expires / 1000)}:${user}`;
      return { username, password: passwordOf(username) };
    },
    ...options,
  });
  const rules = [
    `MAP portal.a.example:443 127.0.0.1:${portal.port}`,
    `MAP sip1.a.example:5443 127.0.0.1:${wssPort ?? relay.port}`,
    "MAP * ~NOTFOUND",
    "EXCLUDE 127.0.0.1",
  ];
  const flags = [`--host-resolver-rules=${rules.join(",")}`];
  const { browser, close: closeBrowser } = await startChromium({ isOpen, flags });
  const strays: string[] = [];
  const contexts: BrowserContext[] = [];
  const open: Stage["open"] = async ({ colorScheme = "light" } = {}) => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, colorScheme });
    contexts.push(context);
    const page = await context.newPage();
    await page.addInitScript(KEEP_PEERS);
    watch(page, strays);
    await page.goto(`${ORIGIN}/`);
    return page;
  };
  const leave = async (): Promise<void> => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
  };
  return {
    browser,
    portal,
    relay,
    strays,
    open,
    enter: async (user) => {
      const page = await open();
      await logIn(page, user);
      return page;
    },
    leave,
    close: async () => {
      await leave();
      await closeBrowser();
      await portal.close();
      await relay.close();
      rmSync(built, { recursive: true, force: true });
    },
  };
}

/** Lets a test look at the connections that the page makes. */
const KEEP_PEERS = `
  globalThis.peers = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...parameters) {
      super(...parameters);
      peers.push(this);
    }
  };`;

/** `address:port` of both ends of the way that a page's first connection goes. */
export const wayOf = (page: Page): Promise<{ local: string; remote: string }> =>
  page.evaluate(`peers[0].getStats().then((stats) => {
    const all = [...stats.values()];
    const transport = all.find(({ type }) => type === "transport");
    const { localCandidateId, remoteCandidateId } = stats.get(transport.selectedCandidatePairId);
    const text = ({ address, port }) => (address ?? "hidden") + ":" + port;
    return { local: text(stats.get(localCandidateId)), remote: text(stats.get(remoteCandidateId)) };
  })`);

/** Everything that the page asks for is on its own origin; its policy stops nothing of its own; nothing is thrown. */
function watch(page: Page, strays: string[]): void {
  page.on("request", (request) => {
    if (!request.url().startsWith(`${ORIGIN}/`)) strays.push(`request ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    if (!socket.url().startsWith("wss://sip1.a.example:5443")) strays.push(`websocket ${socket.url()}`);
  });
  page.on("pageerror", (error) => strays.push(`error ${error.message}`));
  page.on("console", (message) => {
    if (/Content Security Policy|Permissions policy/i.test(message.text())) strays.push(`console ${message.text()}`);
  });
}

export const logIn = (page: Page, user: string): Promise<void> => logInAs(page, user, PASSWORD);

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** What axe-core finds wrong, one line each. By the debugger's way in: the page's policy lets no other script in. */
export async function violations(page: Page): Promise<readonly string[]> {
  const isThere = await page.evaluate("typeof globalThis.axe === 'object'");
  if (!isThere) await page.evaluate(readFileSync(AXE, "utf8"));
  const options = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };
  const found: AxeResults = await page.evaluate(`axe.run(document, ${JSON.stringify(options)})`);
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary ?? ""}`),
  );
}
