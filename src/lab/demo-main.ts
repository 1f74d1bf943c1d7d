/** `npm run demo`: raises a lab of its own, runs the demo in it, prints what it showed, takes the lab away. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Check, checkEvidence } from "./demo/checks.js";
import { demoDocument } from "./demo/document.js";
import type { Evidence } from "./demo/evidence.js";
import { demoReport } from "./demo/report.js";
import { runDemo } from "./demo/run.js";
import { openLab } from "./lab.js";

const USAGE = `usage: npm run demo -- [--json] [--seconds N] [--prefix NAME] [--keep DIR]
  --json         print one JSON document and nothing else on stdout
  --seconds N    length of each call's media (default 10)
  --prefix NAME  name of the demo's own lab (default sluice-demo)
  --keep DIR     keep the captures there
`;

interface DemoArgs {
  readonly json: boolean;
  readonly seconds: number;
  readonly prefix: string;
  readonly keep: string | undefined;
}

function readArgs(): DemoArgs | undefined {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: "boolean", default: false },
        seconds: { type: "string", default: "10" },
        prefix: { type: "string", default: "sluice-demo" },
        keep: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    const seconds = Number(values.seconds);
    if (values.help || !Number.isInteger(seconds) || seconds < 6 || seconds > 60) return undefined;
    return { json: values.json, seconds, prefix: values.prefix, keep: values.keep };
  } catch {
    return undefined;
  }
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";

async function demo({ json, seconds, prefix, keep }: DemoArgs, signal: AbortSignal): Promise<boolean> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const lab = openLab({ prefix, root, signal });
  const captures = keep === undefined ? await mkdtemp(join(tmpdir(), "sluice-demo-")) : resolve(keep);
  await mkdir(captures, { recursive: true });
  const progress = (text: string): void => void process.stderr.write(`· ${text}\n`);
  let evidence: Evidence | undefined;
  let checks: readonly Check[];
  try {
    progress(`raising lab '${prefix}'`);
    // What a demo that was killed may have left behind.
    await lab.down();
    await lab.up();
    evidence = await runDemo({ lab, seconds, captures, progress });
    checks = checkEvidence(evidence);
  } catch (error) {
    checks = [{ name: "the demo ran to its end", ok: false, detail: signal.aborted ? "interrupted" : words(error) }];
  } finally {
    progress("taking the lab away");
    await lab.down();
    if (keep === undefined) await rm(captures, { recursive: true, force: true });
  }
  process.stdout.write(
    json ? `${JSON.stringify(demoDocument(checks, evidence), undefined, 2)}\n` : demoReport(checks, evidence),
  );
  return checks.every(({ ok }) => ok);
}

const args = readArgs();
if (args === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());
  process.exitCode = (await demo(args, interrupted.signal)) ? 0 : 1;
}
