/** Chromium for demos, benches and tests, in a network namespace or in ours. */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { SystemError } from "../src/model/errors.js";

const PROGRAM = "/usr/bin/chromium";

/** Certificates are of the lab's own authority; microphone and camera are Chromium's own pictures and tones. */
const FLAGS = ["--no-sandbox", "--ignore-certificate-errors", "--use-fake-device-for-media-stream"];
/** Host candidates have addresses: names by mDNS are not carried between namespaces, and routers reserve for addresses. */
const PERMISSIONS = [
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

export interface ChromiumOptions {
  /** Name of the network namespace that it runs in; ours if undefined. */
  readonly namespace?: string;
  /** Added to its niceness. */
  readonly niceness?: number;
  /** Whether pages have microphone, camera and sound, and with them the addresses, without asking; true if undefined. */
  readonly isOpen?: boolean;
  /** Beside those that all have. */
  readonly flags?: readonly string[];
}

export interface Chromium {
  readonly browser: Browser;
  /** Ends its own process, without a word to anybody. */
  kill(): void;
  close(): Promise<void>;
}

/** @throws SystemError LAB_BROWSER if there is none */
export async function startChromium(options: ChromiumOptions = {}): Promise<Chromium> {
  const { isOpen = true, flags = [] } = options;
  if (!existsSync(PROGRAM)) {
    throw new SystemError("LAB_BROWSER", `${PROGRAM} is not there; install the package chromium`);
  }
  const args = [...FLAGS, ...(isOpen ? PERMISSIONS : []), ...flags];
  const browser = await launch(options, args);
  const close = (): Promise<void> => browser.close().catch(() => undefined);
  try {
    const pid = await pidOf(browser);
    return { browser, close, kill: () => void process.kill(pid, "SIGKILL") };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A program of its own takes it into its namespace: arguments of Chromium come last. */
async function launch({ namespace, niceness = 0 }: ChromiumOptions, args: string[]): Promise<Browser> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-chromium-"));
  const executablePath = join(directory, "chromium");
  const inside = namespace === undefined ? "" : `ip netns exec ${namespace} `;
  writeFileSync(executablePath, `#!/bin/sh\nexec nice -n ${niceness} ${inside}${PROGRAM} "$@"\n`);
  chmodSync(executablePath, 0o755);
  // Whoever started it hears the signals, and closes it.
  const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
  try {
    return await chromium.launch({ executablePath, args, ...signals });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function pidOf(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const own = processInfo.find(({ type }) => type === "browser");
  if (own === undefined) throw new SystemError("LAB_BROWSER", `${PROGRAM} does not tell which process it is`);
  return own.id;
}
