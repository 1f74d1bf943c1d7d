/** Where demos are played: raises a lab of its own, runs the demo in it, prints what it showed, takes the lab away. */
import { setMaxListeners } from "node:events";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Lab, openLab } from "../lab.js";
import type { DemoArgs } from "./arguments.js";
import type { Check } from "./checks.js";
import { isHeld } from "./report-parts.js";

/** What a demo is given: a lab that is up. */
export interface Stage {
  readonly lab: Lab;
  /** For captures and whatever else it writes. */
  readonly work: string;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What a demo gives. There is no evidence if it broke off; the checks then say where. */
export interface Demo<Evidence> {
  /** Of this package: where scripts/ and dist/ are. */
  readonly root: string;
  /** Makes what the lab is to find, and says how it is raised. */
  readonly prepare?: (work: string) => Promise<readonly string[]>;
  readonly run: (stage: Stage) => Promise<Evidence>;
  readonly check: (evidence: Evidence) => readonly Check[];
  readonly report: (checks: readonly Check[], evidence: Evidence | undefined) => string;
  /** For `--json`. */
  readonly document: (checks: readonly Check[], evidence: Evidence | undefined) => object;
  /** Whether the roles' logs are among what is kept. */
  readonly keepsLogs?: boolean;
}

/** Telephones of a demo that wait for its end at once, and more. */
const LISTENERS_MAX = 50;

/** The exit code is 0 if all holds that the demo claims, else 1. A signal ends it, and takes the lab away. */
export async function playDemo<Evidence>(args: DemoArgs<string>, demo: Demo<Evidence>): Promise<void> {
  const interrupted = new AbortController();
  setMaxListeners(LISTENERS_MAX, interrupted.signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());
  const { checks, evidence } = await played(args, demo, interrupted.signal);
  const { document, report } = demo;
  const shown = args.json ? `${JSON.stringify(document(checks, evidence), undefined, 2)}\n` : report(checks, evidence);
  process.stdout.write(shown);
  process.exitCode = isHeld(checks) ? 0 : 1;
}

/** The arguments are not understood, or their meaning is asked for. */
export function showUsage(usage: string): void {
  process.stderr.write(usage);
  process.exitCode = 2;
}

interface Played<Evidence> {
  readonly checks: readonly Check[];
  readonly evidence?: Evidence;
}

async function played<Evidence>(
  { prefix, keep }: DemoArgs<string>,
  { root, prepare, run, check, keepsLogs = false }: Demo<Evidence>,
  signal: AbortSignal,
): Promise<Played<Evidence>> {
  const lab = openLab({ prefix, root, signal });
  const work = keep === undefined ? await mkdtemp(join(tmpdir(), "sluice-demo-")) : resolve(keep);
  await mkdir(work, { recursive: true });
  const progress = (text: string): void => void process.stderr.write(`· ${text}\n`);
  try {
    progress(`raising lab '${prefix}'`);
    // What a demo that was killed may have left behind.
    await lab.down();
    await lab.up(await prepare?.(work));
    const evidence = await run({ lab, work, progress, signal });
    return { checks: check(evidence), evidence };
  } catch (error) {
    const detail = signal.aborted ? "interrupted" : words(error);
    return { checks: [{ name: "the demo ran to its end", ok: false, detail }] };
  } finally {
    progress("taking the lab away");
    if (keep !== undefined && keepsLogs) {
      await cp(join(lab.directory, "log"), join(work, "log"), { recursive: true }).catch(() => undefined);
    }
    await lab.down();
    if (keep === undefined) await rm(work, { recursive: true, force: true });
  }
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
