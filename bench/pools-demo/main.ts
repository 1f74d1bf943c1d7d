/** `npm run demo -- pools`: raises a lab of its own with a transit router, runs the demo of pools in it, takes it away. */
import { setMaxListeners } from "node:events";
import { writeFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Check } from "../../src/lab/demo/checks.js";
import { openLab } from "../../src/lab/lab.js";
import { checkPools } from "./checks.js";
import { writeConfigs } from "./configs.js";
import type { Evidence } from "./evidence.js";
import { drawPools } from "./picture.js";
import { poolsDocument, poolsReport } from "./report.js";
import { runPoolsDemo } from "./run.js";

const USAGE = `usage: npm run demo -- pools [--json] [--picture FILE] [--prefix NAME] [--keep DIR]
  --json          print one JSON document and nothing else on stdout
  --picture FILE  draw the run there, as SVG
  --prefix NAME   name of the demo's own lab (default sluice-pools)
  --keep DIR      keep captures, configurations, logs and the telephones' files there
`;
const COMMAND = "npm run demo -- pools --picture";

interface DemoArgs {
  readonly json: boolean;
  readonly picture: string | undefined;
  readonly prefix: string;
  readonly keep: string | undefined;
}

function readArgs(): DemoArgs | undefined {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: "boolean", default: false },
        picture: { type: "string" },
        prefix: { type: "string", default: "sluice-pools" },
        keep: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    const { help, json, picture, prefix, keep } = values;
    return help ? undefined : { json, picture, prefix, keep };
  } catch {
    return undefined;
  }
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";

async function demo({ json, picture, prefix, keep }: DemoArgs, signal: AbortSignal): Promise<boolean> {
  const root = fileURLToPath(new URL("../../../..", import.meta.url));
  const lab = openLab({ prefix, root, signal });
  const work = keep === undefined ? await mkdtemp(join(tmpdir(), "sluice-pools-")) : resolve(keep);
  await mkdir(work, { recursive: true });
  const progress = (text: string): void => void process.stderr.write(`· ${text}\n`);
  let evidence: Evidence | undefined;
  let checks: readonly Check[];
  try {
    progress(`raising lab '${prefix}'`);
    // What a demo that was killed may have left behind.
    await lab.down();
    const configs = join(work, "configs");
    writeConfigs(root, configs);
    await lab.up(["--transit", "--configs", configs]);
    evidence = await runPoolsDemo({ lab, root, work, progress, signal });
    checks = checkPools(evidence);
  } catch (error) {
    checks = [{ name: "the demo ran to its end", ok: false, detail: signal.aborted ? "interrupted" : words(error) }];
  } finally {
    progress("taking the lab away");
    if (keep !== undefined)
      await cp(join(lab.directory, "log"), join(work, "log"), { recursive: true }).catch(() => undefined);
    await lab.down();
    if (keep === undefined) await rm(work, { recursive: true, force: true });
  }
  if (picture !== undefined && evidence !== undefined) writeFileSync(picture, drawPools(evidence, COMMAND));
  process.stdout.write(
    json ? `${JSON.stringify(poolsDocument(checks, evidence), undefined, 2)}\n` : poolsReport(checks, evidence),
  );
  return checks.every(({ ok }) => ok);
}

const args = readArgs();
if (args === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const interrupted = new AbortController();
  // Twelve telephones at once, and more.
  setMaxListeners(50, interrupted.signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());
  process.exitCode = (await demo(args, interrupted.signal)) ? 0 : 1;
}
