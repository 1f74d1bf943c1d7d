/** `npm run demo -- game`: raises a lab of its own with portals, has two browsers negotiate and play in it, takes it away. */
import { setMaxListeners } from "node:events";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Check } from "../../src/lab/demo/checks.js";
import { openLab } from "../../src/lab/lab.js";
import { checkGame } from "./checks.js";
import type { Evidence } from "./evidence.js";
import { gameDocument, gameReport } from "./report.js";
import { runGameDemo } from "./run.js";

const USAGE = `usage: npm run demo -- game [--json] [--seconds N] [--pictures DIR] [--prefix NAME] [--keep DIR]
  --json          print one JSON document and nothing else on stdout
  --seconds N     length of the game (default 10)
  --pictures DIR  save pictures of the session's page and of the operators' page there, as PNG
  --prefix NAME   name of the demo's own lab (default sluice-game)
  --keep DIR      keep captures and logs there
`;

interface DemoArgs {
  readonly json: boolean;
  readonly seconds: number;
  readonly pictures: string | undefined;
  readonly prefix: string;
  readonly keep: string | undefined;
}

function readArgs(): DemoArgs | undefined {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: "boolean", default: false },
        seconds: { type: "string", default: "10" },
        pictures: { type: "string" },
        prefix: { type: "string", default: "sluice-game" },
        keep: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    const { help, json, pictures, prefix, keep } = values;
    const seconds = Number(values.seconds);
    if (help || !Number.isInteger(seconds) || seconds < 5 || seconds > 60) return undefined;
    return { json, seconds, pictures, prefix, keep };
  } catch {
    return undefined;
  }
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";

async function demo({ json, seconds, pictures, prefix, keep }: DemoArgs, signal: AbortSignal): Promise<boolean> {
  const root = fileURLToPath(new URL("../../../..", import.meta.url));
  const lab = openLab({ prefix, root, signal });
  const work = keep === undefined ? await mkdtemp(join(tmpdir(), "sluice-game-")) : resolve(keep);
  for (const directory of [work, pictures]) if (directory !== undefined) await mkdir(directory, { recursive: true });
  const progress = (text: string): void => void process.stderr.write(`· ${text}\n`);
  let evidence: Evidence | undefined;
  let checks: readonly Check[];
  try {
    progress(`raising lab '${prefix}'`);
    // What a demo that was killed may have left behind.
    await lab.down();
    await lab.up(["--configs", join(root, "configs/game"), "--portals"]);
    evidence = await runGameDemo({ lab, seconds, work, progress, ...(pictures === undefined ? {} : { pictures }) });
    checks = checkGame(evidence);
  } catch (error) {
    checks = [{ name: "the demo ran to its end", ok: false, detail: signal.aborted ? "interrupted" : words(error) }];
  } finally {
    progress("taking the lab away");
    if (keep !== undefined)
      await cp(join(lab.directory, "log"), join(work, "log"), { recursive: true }).catch(() => undefined);
    await lab.down();
    if (keep === undefined) await rm(work, { recursive: true, force: true });
  }
  process.stdout.write(
    json ? `${JSON.stringify(gameDocument(checks, evidence), undefined, 2)}\n` : gameReport(checks, evidence),
  );
  return checks.every(({ ok }) => ok);
}

const args = readArgs();
if (args === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const interrupted = new AbortController();
  setMaxListeners(50, interrupted.signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());
  process.exitCode = (await demo(args, interrupted.signal)) ? 0 : 1;
}
